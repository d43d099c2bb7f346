//! Metrics of a run: a row per report, as a line of metrics.jsonl and as TensorBoard series of the same names.
//!
//! Nothing here computes a metric, nor asks the clock: times are arguments.

pub mod jsonl;
mod row;
mod summary;
pub mod tensorboard;

pub use jsonl::{MetricsError, MetricsLog, Repair};
pub use row::{ActorCount, MetricsRow, WaitingFor};
pub use summary::quantile;
pub use tensorboard::EventWriter;
