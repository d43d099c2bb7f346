//! launch.json: what was launched, for whoever asks later.

use super::job::names;
use super::{LaunchError, LaunchPaths, Plan, json};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// Version of the file.
const VERSION: u32 = 1;

/// Where the programs of a launch run, and who is asked about them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheduler {
    /// On the nodes of a Slurm cluster.
    #[default]
    Slurm,
    /// As processes of one machine.
    Local {
        /// The name of that machine.
        host: String,
    },
}

impl Scheduler {
    /// Where a learner listens there: on one machine loopback is all it takes.
    pub(super) fn bind(&self) -> Ipv4Addr {
        match self {
            Self::Slurm => Ipv4Addr::UNSPECIFIED,
            Self::Local { .. } => Ipv4Addr::LOCALHOST,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// Names the jobs.
    pub id: String,
    /// Where it runs.
    #[serde(default)]
    pub scheduler: Scheduler,
    /// What was launched.
    pub plan: Plan,
    /// Actors that there should be.
    pub actors: u32,
}

impl Record {
    /// Of a launch that has not started anything.
    pub fn new(id: &str, scheduler: Scheduler, plan: Plan, actors: u32) -> Self {
        Self {
            version: VERSION,
            id: id.into(),
            scheduler,
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
        let found: Option<Self> = json::read(&path)?;
        let record = found.ok_or_else(|| LaunchError::NotLaunched(paths.run_dir().into()))?;
        if record.version != VERSION {
            let reason = format!("its version is {}, not {VERSION}", record.version);
            return Err(LaunchError::Damaged { path, reason });
        }
        Ok(record)
    }

    /// Puts it on the disk.
    ///
    /// # Errors
    /// The file system.
    pub fn write(&self, paths: &LaunchPaths) -> Result<(), LaunchError> {
        json::write(&paths.record(), self)
    }
}
