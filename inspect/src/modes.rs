//! The listed modes of a run's task, as the replay knows them.

use crate::InspectError;
use crate::replay::Replay;
use rusqlite::OptionalExtension;
use rustc_hash::FxHashSet;
use serde::Serialize;
use thermoflow::task::Task;

/// How many of the listed modes were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ModeCount {
    /// Found.
    pub found: u64,
    /// Listed.
    pub known: u64,
}

/// The listed modes that are in the replay.
#[derive(Debug, Clone, Default)]
pub struct FoundModes {
    /// How many are listed.
    pub known: u64,
    /// The ids of those that were found.
    pub objects: FxHashSet<i64>,
}

impl FoundModes {
    /// Looks them up; None when the task lists none or is not known.
    ///
    /// # Errors
    /// When reading fails.
    pub fn look_up(replay: &Replay, task: Option<&Task>) -> Result<Option<Self>, InspectError> {
        let Some(task) = task.filter(|task| !task.modes.is_empty()) else {
            return Ok(None);
        };
        let found = replay.ask(|connection| {
            let mut statement = connection.prepare("SELECT id FROM objects WHERE x = ?1")?;
            let ids = task.modes.iter().map(|mode| {
                let id = statement.query_row([task.env.format(mode)], |row| row.get::<_, i64>(0));
                id.optional()
            });
            ids.filter_map(Result::transpose).collect()
        })?;
        Ok(Some(Self {
            known: task.modes.len() as u64,
            objects: found,
        }))
    }
}
