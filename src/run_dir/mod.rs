//! The run directory: whose it is, where its parts are, and that one learner at a time works in it.
//!
//! Invariant: run.toml is whole or absent. A directory without it that holds anything of others is never written to.
//!
//! Invariant: as long as a [`RunDir`] lives, no other process has one of the same directory. The system drops the lock
//! with the process, however it ends.

mod compare;
mod error;

pub use compare::{Difference, MAY_CHANGE, differences};
pub use error::RunDirError;

use crate::config::RunConfig;
use crate::durable;
use crate::launch;
use crate::lock::{self, LockError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Where the parts of a run are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPaths(PathBuf);

impl RunPaths {
    /// The parts of the run in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory itself; [`crate::checkpoint`] keeps checkpoints below it.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// The resolved configuration, run id and versions.
    pub fn record(&self) -> PathBuf {
        self.0.join("run.toml")
    }

    /// The durable replay.
    pub fn replay(&self) -> PathBuf {
        self.0.join("replay.sqlite")
    }

    /// A line per report.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// The directory of TensorBoard event files.
    pub fn tensorboard(&self) -> PathBuf {
        self.0.join("tensorboard")
    }

    /// The directory of plots.
    pub fn plots(&self) -> PathBuf {
        self.0.join("plots")
    }

    fn lock(&self) -> PathBuf {
        self.0.join(LOCK)
    }
}

const LOCK: &str = "lock";

/// What run.toml holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Name of the run.
    pub run_id: String,
    /// When it began, seconds since 1970-01-01 UTC.
    pub created: u64,
    /// Versions of the programs and libraries that began it.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// Everything that defines it.
    pub config: RunConfig,
}

impl RunRecord {
    /// Reads the record of the run in `path` and checks its configuration. Takes no lock: for looking at a run that may
    /// be under way.
    ///
    /// # Errors
    /// No run there, or a record that is damaged or holds what is not allowed.
    pub fn read(path: &Path) -> Result<Self, RunDirError> {
        let file = RunPaths::new(path).record();
        let text = fs::read_to_string(&file).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => RunDirError::NotARun(path.into()),
            _ => RunDirError::io("reading", &file, source),
        })?;
        let record: Self = toml::from_str(&text).map_err(|source| RunDirError::Record {
            path: file.clone(),
            source: Box::new(source),
        })?;
        record
            .config
            .check()
            .map_err(|source| RunDirError::Config { path: file, source })?;
        Ok(record)
    }

    fn write(&self, paths: &RunPaths) -> Result<(), RunDirError> {
        let text = toml::to_string(self).expect("a checked configuration can be written as TOML");
        let path = paths.record();
        durable::replace(&path, text.as_bytes()).map_err(|source| RunDirError::io("writing", &path, source))
    }
}

/// A run directory that this process alone may write to.
#[derive(Debug)]
pub struct RunDir {
    paths: RunPaths,
    record: RunRecord,
    /// Held, not read.
    _lock: File,
}

impl RunDir {
    /// Begins a run in `path`, which is created unless it is an empty directory. `record.config` must be a checked one.
    ///
    /// # Errors
    /// A run is there already, the directory holds anything else, it cannot be written, another process has it.
    pub fn create(path: &Path, record: RunRecord) -> Result<Self, RunDirError> {
        let paths = RunPaths::new(path);
        fs::create_dir_all(path).map_err(|source| RunDirError::unwritable(path, source))?;
        refuse_foreign(&paths)?;
        let lock = lock(&paths)?;
        // Another process may have begun a run between the look and the lock.
        refuse_foreign(&paths)?;
        record.write(&paths)?;
        // The name of a directory just made is durable once the one above it is.
        durable::sync_dir(durable::parent(path))
            .map_err(|source| RunDirError::io("syncing", durable::parent(path), source))?;
        Ok(Self {
            paths,
            record,
            _lock: lock,
        })
    }

    /// Goes on with the run in `path`. `config` may differ from the run's in [`MAY_CHANGE`] only, and becomes the run's.
    ///
    /// # Errors
    /// No run there, another configuration (the message names the keys), not writable, another process has it.
    pub fn resume(path: &Path, config: &RunConfig) -> Result<Self, RunDirError> {
        let paths = RunPaths::new(path);
        // Before the lock, so that nothing is written where there is no run.
        RunRecord::read(path)?;
        let lock = lock(&paths)?;
        let mut record = RunRecord::read(path)?;
        let differences = compare::differences(&record.config, config);
        if !differences.is_empty() {
            let path = path.into();
            return Err(RunDirError::OtherConfig { path, differences });
        }
        if record.config != *config {
            record.config = config.clone();
            record.write(&paths)?;
        }
        Ok(Self {
            paths,
            record,
            _lock: lock,
        })
    }

    /// Where the parts are.
    pub fn paths(&self) -> &RunPaths {
        &self.paths
    }

    /// What run.toml holds.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }
}

/// Accepts a directory that is empty but for what a beginning cut short leaves.
fn refuse_foreign(paths: &RunPaths) -> Result<(), RunDirError> {
    let entries = fs::read_dir(paths.root()).map_err(|source| RunDirError::io("listing", paths.root(), source))?;
    let mut foreign = Vec::new();
    for entry in entries {
        let name = entry
            .map_err(|source| RunDirError::io("listing", paths.root(), source))?
            .file_name();
        match name.to_str() {
            // What `thermoflow launch` puts there before the learner starts.
            Some(LOCK | "run.toml.part" | launch::RECORD | "launch.json.part" | launch::DIRECTORY) => (),
            Some("run.toml") => return Err(RunDirError::Exists(paths.root().into())),
            _ => foreign.push(name.to_string_lossy().into_owned()),
        }
    }
    if foreign.is_empty() {
        return Ok(());
    }
    foreign.sort();
    Err(RunDirError::Foreign {
        path: paths.root().into(),
        count: foreign.len(),
        first: foreign.swap_remove(0),
    })
}

/// Takes the lock.
fn lock(paths: &RunPaths) -> Result<File, RunDirError> {
    let path = paths.lock();
    lock::take(&path).map_err(|error| match error {
        LockError::Held(holder) => RunDirError::Locked {
            path: paths.root().into(),
            holder,
        },
        LockError::NotWritable(source) => RunDirError::unwritable(paths.root(), source),
        LockError::Io(source) => RunDirError::io("locking", &path, source),
    })
}

#[cfg(test)]
mod tests;
