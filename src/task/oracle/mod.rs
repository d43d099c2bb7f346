//! Oracles: scorers of a user's own task, from a table in a file, a TorchScript model or an external program.
//!
//! An object that cannot be scored gets NaN, is counted in [`OracleHealth`] and never reaches training. Files are read
//! by the caller; [`program`] starts processes.

pub mod config;
pub mod health;
pub mod program;
pub mod table_file;
pub mod torch_script;

pub use config::OracleConfig;
pub use health::OracleHealth;
pub use program::{ProgramScorer, StartError};
pub use table_file::{TableFile, TableFileError};
pub use torch_script::{ModelError, TorchScriptScorer};

/// Most objects that an oracle lists, 1 Mi: scoring more of them takes too long for an exact evaluation.
const MOST_OBJECTS: u64 = 1 << 20;
