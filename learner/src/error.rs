//! Why a learner failed, and which of it is the user's input.

use thermoflow::checkpoint::CheckpointError;
use thermoflow::config::ConfigError;
use thermoflow::offline::OfflineError;
use thermoflow::policy::BackendError;
use thermoflow::protocol::address::{Address, AddressError};
use thermoflow::protocol::secure::KeyFileError;
use thermoflow::replay::{LimiterError, StoreError};
use thermoflow::run_dir::RunDirError;
use thermoflow::task::TaskError;
use thermoflow::trainer::TrainError;
use thermoflow_watch::WatchError;

/// Why a learner could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum LearnerError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The task.
    #[error("the task cannot be built")]
    Task(#[from] TaskError),
    /// The run directory.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// Nothing to listen on.
    #[error("{address} cannot be listened on{}", hint(source))]
    Bind {
        /// Where.
        address: Address,
        /// Why not.
        source: std::io::Error,
    },
    /// An address that is not allowed, or not understood.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The shared key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The replay.
    #[error("the replay failed")]
    Replay(#[from] StoreError),
    /// A checkpoint.
    #[error("the run cannot be resumed")]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint of another policy.
    #[error("the checkpoint {path} is of another policy or run than this configuration describes")]
    Foreign {
        /// Where.
        path: String,
    },
    /// The device.
    #[error("the learner's device cannot be used")]
    Device(#[from] BackendError),
    /// What the replay holds does not fit the task.
    #[error("the replay does not fit the task")]
    Refill(#[from] TrainError),
    /// Offline mode: no data set.
    #[error("there is nothing to train on")]
    Offline(#[from] OfflineError),
    /// Nowhere to show metrics.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// A file or thread.
    #[error("{0} failed")]
    Io(&'static str, #[source] std::io::Error),
    /// Training.
    #[error("training failed")]
    Training(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl LearnerError {
    /// True when other arguments or another configuration would help.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Config(_) | Self::Task(_) | Self::Offline(_) | Self::Foreign { .. } | Self::Bind { .. } => true,
            Self::Address(_) | Self::Key(_) | Self::Watch(_) => true,
            Self::RunDir(error) => !matches!(error, RunDirError::Io { .. }),
            Self::Device(error) => matches!(error, BackendError::Device(_)),
            Self::Training(error) => error.downcast_ref::<LimiterError>().is_some(),
            _ => false,
        }
    }
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => ": the port is in use (port 0 takes a free one)",
        std::io::ErrorKind::PermissionDenied => ": ports below 1024 are for privileged programs",
        _ => "",
    }
}
