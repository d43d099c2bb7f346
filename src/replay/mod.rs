//! Replay: what was ever sampled. `store` is durable and open to any SQLite tool, `dataset` is the learner's index of
//! distinct objects in memory, `limiter` keeps training and sampling in proportion.

pub mod dataset;
pub(crate) mod encoding;
mod error;
mod known;
pub mod limiter;
mod open;
mod read;
mod store;
mod wal;
mod writer;

pub use dataset::{Dataset, Object, ObjectId};
pub use encoding::decode_actions;
pub use error::StoreError;
pub use limiter::{Limiter, LimiterError, LimiterState};
pub use open::{APPLICATION_ID, SCHEMA, SCHEMA_VERSION};
pub use read::{ActorRow, Counts};
pub use store::{CommitReport, Received, Store};
pub use wal::{check as check_log, wal_of};
