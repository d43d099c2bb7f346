//! Oracles: scorers of a user's own task, from a table in a file, a TorchScript model or an external program.
//!
//! An object that cannot be scored gets NaN, is counted in [`OracleHealth`] and never reaches training. Files are read
//! by the caller; [`program`] starts processes.

pub mod config;
pub mod health;
mod model;
pub mod program;
pub mod table_file;

pub use config::OracleConfig;
pub use health::OracleHealth;
pub use model::ModelError;
pub use program::{ProgramScorer, StartError};
pub use table_file::{TableFile, TableFileError};

/// Most objects that an oracle lists, 1 Mi: scoring more of them takes too long for an exact evaluation.
pub const MOST_OBJECTS: u64 = 1 << 20;
