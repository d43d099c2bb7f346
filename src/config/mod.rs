//! Configuration in two stages: `raw` mirrors the file, `resolved` is complete and checked.

mod resolved;

pub use resolved::{
    ActorConfig, LearnerConfig, Mode, Objective, OptimizerConfig, ReplayConfig, RunConfig, TaskConfig, TrainConfig,
};
