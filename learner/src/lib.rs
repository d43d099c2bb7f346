//! The learner program as a library: it listens for actors, keeps what they send, and trains on it.
//!
//! `router` speaks ZeroMQ, `network` feeds the fleet's state machine, `ingest` commits, `training` trains, `startup`
//! resumes, `watched` is what Prometheus is shown. Each of the first four has one task or thread of its own; bounded channels lie between. [`run()`] puts them together.

pub mod bench;
mod error;
mod ingest;
mod network;
mod publisher;
pub mod router;
mod run;
mod startup;
pub mod training;
mod versions;
mod watched;

pub use error::LearnerError;
#[cfg(fuzzing)]
pub use router::hostile;
pub use run::{Settings, run};
pub use training::End;
