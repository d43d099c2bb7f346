//! The user's condition on trajectories: what it may be. It becomes part of our own questions.

use super::Replay;
use super::sql::{self, WHERE};
use crate::InspectError;
use rusqlite::Error;

/// A condition on trajectories, in SQL.
///
/// Invariant: put into parentheses it is one expression, whatever stands around them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter(Option<String>);

impl Filter {
    /// Every trajectory.
    pub const NONE: Self = Self(None);

    /// Those for which `condition` is true, if there is one; checks it.
    ///
    /// # Errors
    /// SQLite does not understand it, or it is more than a condition.
    pub fn new(condition: Option<&str>, replay: &Replay) -> Result<Self, InspectError> {
        let filter = Self(condition.map(str::to_owned));
        let Some(condition) = condition else {
            return Ok(filter);
        };
        let prepare = |sql: &str| {
            let prepared = replay.connection().prepare(sql);
            prepared.map_err(|error| sql::refused(WHERE, condition, &error, replay))
        };
        let used = prepare(&format!("SELECT 1 FROM replay WHERE {}", filter.sql()))?;
        // What closes our parenthesis, as "true) OR (true" does, has nothing to close here.
        prepare(&format!("SELECT {condition}\nFROM replay"))?;
        if used.parameter_count() > 0 {
            let message = format!("{WHERE} {condition:?}: ? stands for nothing here");
            return Err(InspectError::Input(message));
        }
        Ok(filter)
    }

    /// True when nothing is left out.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// As part of a WHERE clause.
    pub fn sql(&self) -> String {
        // The line break ends a comment.
        self.0
            .as_ref()
            .map_or_else(|| "true".into(), |condition| format!("({condition}\n)"))
    }

    /// The error, where the condition is why it could not be computed for a trajectory.
    pub(super) fn blamed(&self, error: &Error) -> Option<InspectError> {
        sql::not_computed(WHERE, self.0.as_deref()?, error)
    }
}
