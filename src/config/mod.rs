//! Configuration in two stages: `raw` mirrors the file, `resolved` is complete and checked.
//!
//! `load` reads a file with its overrides, `raw` fills in the defaults, `check` refuses what cannot work. Nothing reads
//! an option later that was not checked here.

mod check;
mod kubernetes;
mod launch;
mod load;
mod locate;
mod mirror;
mod raw;
mod raw_beta;
mod resolved;
#[cfg(test)]
mod tests;

pub use check::Invalid;
pub use kubernetes::{KubernetesConfig, PodConfig, RawKubernetes, RawPod};
pub use launch::{JobConfig, LaunchConfig, RawJob, RawLaunch, RawSlurm, SlurmConfig};
#[cfg(test)]
pub(crate) use load::from_text_to_launch;
pub use load::{ConfigError, from_text, load, load_to_launch};
pub use raw::{
    BetaKind, RawActor, RawBeta, RawConfig, RawLearner, RawOptimizer, RawPolicy, RawReplay, RawReward, RawTask,
    RawTrain,
};
pub use resolved::{
    ActorConfig, LearnerConfig, Mode, OfflineConfig, OptimizerConfig, ReplayConfig, Replayed, RunConfig, TaskConfig,
    TrainConfig, WeightsFormat,
};
