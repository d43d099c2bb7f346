//! Configuration in two stages: `raw` mirrors the file, `resolved` is complete and checked.
//!
//! `load` reads a file with its overrides, `raw` fills in the defaults, `check` refuses what cannot work. Nothing reads
//! an option later that was not checked here.

mod check;
mod load;
mod locate;
mod raw;
mod raw_beta;
mod resolved;
#[cfg(test)]
mod tests;

pub use check::Invalid;
pub use load::{ConfigError, from_text, load};
pub use raw::{
    BetaKind, RawActor, RawBeta, RawConfig, RawLearner, RawOptimizer, RawPolicy, RawReplay, RawReward, RawTask,
    RawTrain,
};
pub use resolved::{
    ActorConfig, LearnerConfig, Mode, OfflineConfig, OptimizerConfig, ReplayConfig, Replayed, RunConfig, TaskConfig,
    TrainConfig,
};
