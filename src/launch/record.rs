//! launch.json: what was launched, for whoever asks later.

use super::job::names;
use super::{LaunchError, LaunchPaths, Plan};
use crate::durable;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;

/// Version of the file.
const VERSION: u32 = 1;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// Names the jobs.
    pub id: String,
    /// What was launched.
    pub plan: Plan,
    /// Actors that there should be.
    pub actors: u32,
}

impl Record {
    /// Of a launch that has not started anything.
    pub fn new(id: &str, plan: Plan, actors: u32) -> Self {
        Self {
            version: VERSION,
            id: id.into(),
            plan,
            actors,
        }
    }

    /// The names of its jobs, the learner's first.
    pub fn names(&self) -> [String; 2] {
        names(&self.id)
    }

    /// What the run directory keeps.
    ///
    /// # Errors
    /// Nothing was launched there, or the file is damaged.
    pub fn read(paths: &LaunchPaths) -> Result<Self, LaunchError> {
        let path = paths.record();
        let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => LaunchError::NotLaunched(paths.run_dir().into()),
            _ => LaunchError::Io {
                doing: "read",
                path: path.clone(),
                source,
            },
        })?;
        let damaged = |reason: String| LaunchError::Damaged {
            path: path.clone(),
            reason,
        };
        let record: Self = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if record.version != VERSION {
            return Err(damaged(format!("its version is {}, not {VERSION}", record.version)));
        }
        Ok(record)
    }

    /// Puts it on the disk.
    ///
    /// # Errors
    /// The file system.
    pub fn write(&self, paths: &LaunchPaths) -> Result<(), LaunchError> {
        let text = serde_json::to_string_pretty(self).expect("a record can be written as JSON");
        let path = paths.record();
        durable::replace(&path, text.as_bytes()).map_err(|source| LaunchError::Io {
            doing: "written",
            path,
            source,
        })
    }
}
