//! Why a run is not launched, or not found.

use std::io;
use std::path::PathBuf;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// No launch.json.
    #[error(
        "{0} was not launched: there is no launch.json (`thermoflow launch local CONFIG --run-dir {0}` launches a run here, `launch slurm` on a cluster)"
    )]
    NotLaunched(PathBuf),
    /// A file is not what was written.
    #[error("{path} is damaged ({reason}): move it away, and stop what runs by hand (scancel, kill)")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file system.
    #[error("{path} cannot be {doing}")]
    Io {
        /// What was tried: "read", "written".
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A path that is no text, or holds what no script can.
    #[error("{0:?} cannot stand in a script: paths must be text without line ends")]
    Unwritable(PathBuf),
    /// A number of actors that leaves a task half empty.
    #[error("{actors} actors do not fill tasks of {per_task} (launch.actors_per_task): {nearest} would")]
    Uneven {
        /// Actors that were asked for.
        actors: u32,
        /// Actors in a task.
        per_task: u32,
        /// The nearest numbers that do.
        nearest: String,
    },
    /// What squeue printed.
    #[error("squeue printed a line that is not understood: {0:?}")]
    Queue(String),
}

impl LaunchError {
    /// The user can put it right in what they gave.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::NotLaunched(_) | Self::Damaged { .. } | Self::Unwritable(_) | Self::Uneven { .. } => true,
            Self::Io { .. } | Self::Queue(_) => false,
        }
    }
}
