//! Why a question could not be answered.

use std::path::PathBuf;
use thermoflow::replay::StoreError;
use thermoflow::run_dir::RunDirError;
use thermoflow::task::TaskError;

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The replay cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// run.toml cannot be read.
    #[error(transparent)]
    Run(#[from] RunDirError),
    /// A place without a replay.
    #[error(
        "{} is neither a run directory nor a replay.sqlite{}", .path.display(), if *.is_there { "" } else { ": it does not exist" }
    )]
    NotAReplay {
        /// What was given.
        path: PathBuf,
        /// Whether anything is there.
        is_there: bool,
    },
    /// SQL of the user's that SQLite refuses.
    #[error("{what} {sql:?}: {reason}{advice}")]
    Sql {
        /// Which argument.
        what: &'static str,
        /// Its value.
        sql: String,
        /// What SQLite says of it.
        reason: String,
        /// What there is instead.
        advice: String,
    },
    /// The run's task cannot be built, for example because its data is not on this machine.
    #[error("the task of the run")]
    Task(#[from] TaskError),
    /// Something else of the user's that cannot be used.
    #[error("{0}")]
    Input(String),
    /// What a stream goes to cannot be written.
    #[error("the output cannot be written")]
    Output(#[source] std::io::Error),
    /// A file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("{} cannot be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl InspectError {
    /// True when the user can put it right in what they gave.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Store(error) => !matches!(
                error,
                StoreError::Busy { .. } | StoreError::Full { .. } | StoreError::Sqlite { .. }
            ),
            Self::Run(RunDirError::Io { .. }) | Self::Read { .. } | Self::Write { .. } | Self::Output(_) => false,
            _ => true,
        }
    }
}
