//! Where in a run directory the parts of a launch are.

use super::queue::Who;
use std::path::{Path, PathBuf};

/// Name of what was launched, beside run.toml.
pub(crate) const RECORD: &str = "launch.json";

/// Name of the directory of everything else.
pub(crate) const DIRECTORY: &str = "launch";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchPaths(PathBuf);

impl LaunchPaths {
    /// Of the run in `run_dir`.
    pub fn new(run_dir: impl Into<PathBuf>) -> Self {
        Self(run_dir.into())
    }

    /// The run directory.
    pub fn run_dir(&self) -> &Path {
        &self.0
    }

    /// What was launched.
    pub fn record(&self) -> PathBuf {
        self.0.join(RECORD)
    }

    /// Everything else.
    pub fn dir(&self) -> PathBuf {
        self.0.join(DIRECTORY)
    }

    /// The configuration as it was when the run was launched.
    pub fn config(&self) -> PathBuf {
        self.dir().join("config.toml")
    }

    /// Where the learner writes its address.
    pub fn address(&self) -> PathBuf {
        self.dir().join("address")
    }

    /// What programs say; one file each.
    pub fn logs(&self) -> PathBuf {
        self.dir().join("logs")
    }

    /// What a program says.
    pub fn log(&self, who: Who) -> PathBuf {
        self.logs().join(match who {
            Who::Learner => "learner.log".to_owned(),
            Who::Actor(_) => who.to_string(),
        })
    }

    /// What is known of the processes of a launch on one machine; a file each.
    pub fn processes(&self) -> PathBuf {
        self.dir().join("processes")
    }

    /// What is known of one of them.
    pub fn process(&self, who: Who) -> PathBuf {
        self.processes().join(format!("{who}.json"))
    }

    /// Where a compute node that is looked at says how it is reached.
    pub fn probe(&self) -> PathBuf {
        self.dir().join("probe")
    }

    /// What actors made and is not yet known to be safe; a directory each.
    pub fn outboxes(&self) -> PathBuf {
        self.dir().join("outbox")
    }

    /// What actors say they made (`launch.ledger`); a file each.
    pub fn ledgers(&self) -> PathBuf {
        self.dir().join("ledger")
    }

    /// Held while somebody launches, scales or stops the run.
    pub fn lock(&self) -> PathBuf {
        self.dir().join("lock")
    }

    /// A script that was submitted.
    pub fn script(&self, kind: &str) -> PathBuf {
        self.dir().join(format!("{kind}.sh"))
    }
}
