//! Replay: what was ever sampled. `store` is durable and open to any SQLite tool, `dataset` is the learner's index of
//! distinct objects in memory, `limiter` keeps training and sampling in proportion.

pub mod dataset;
pub mod limiter;

pub use dataset::{Dataset, Object, ObjectId};
pub use limiter::{Limiter, LimiterError, LimiterState};
