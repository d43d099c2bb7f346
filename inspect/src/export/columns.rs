//! The columns that can be exported: those of the view `replay`, where each comes from and what kind of value it is.

use crate::InspectError;
use thermoflow::suggest::nearest;

/// A column of the view `replay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name, as in the view.
    pub name: &'static str,
    pub(super) source: Source,
}

/// Where a column comes from. What belongs to a batch, an actor or an object is looked up once for many trajectories,
/// which is several times as fast as the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A whole number of the trajectory.
    Whole,
    /// A number of the trajectory; 32 bits, as in the program.
    Real,
    /// The trajectory's own score or, where it has none, its object's in this place of y and log R.
    Score(usize),
    /// The trajectory's actions.
    Actions,
    /// What the trajectory's batch has in this place of [`crate::lookup::BATCH`].
    Batch(usize, Kind),
    /// What the trajectory's actor has in this place of [`crate::lookup::ACTOR`].
    Actor(usize),
    /// The name of the object.
    Object,
}

/// What a whole number of a batch stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Truth,
    /// Microseconds since 1970-01-01 UTC.
    Time,
}

const fn column(name: &'static str, source: Source) -> Column {
    Column { name, source }
}

/// All of them, in the order of the view.
pub const COLUMNS: [Column; 19] = [
    column("actor", Source::Actor(0)),
    column("incarnation", Source::Actor(1)),
    column("seq", Source::Whole),
    column("round", Source::Batch(0, Kind::Number)),
    column("idx", Source::Whole),
    column("policy_version", Source::Batch(1, Kind::Number)),
    column("staleness", Source::Batch(2, Kind::Number)),
    column("trainable", Source::Batch(3, Kind::Truth)),
    column("beta", Source::Real),
    column("x", Source::Object),
    column("y", Source::Score(0)),
    column("log_reward", Source::Score(1)),
    column("log_pf", Source::Real),
    column("length", Source::Whole),
    column("received_us", Source::Batch(4, Kind::Time)),
    column("actions", Source::Actions),
    column("actor_id", Source::Whole),
    column("batch_id", Source::Whole),
    column("object_id", Source::Whole),
];

/// Those that mean something outside of the database.
const MEANINGFUL: usize = 16;

impl Column {
    /// What is exported when nobody asks for certain columns: everything but the database's own numbers.
    pub fn usual() -> Vec<Self> {
        COLUMNS[..MEANINGFUL].to_vec()
    }

    /// The columns of these names, in this order.
    ///
    /// # Errors
    /// No name, a name that is none, or the same one twice.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, InspectError> {
        let mut columns: Vec<Self> = Vec::new();
        for name in names.into_iter().map(str::trim) {
            let column = COLUMNS.iter().find(|column| column.name == name);
            let column = *column.ok_or_else(|| unknown(name))?;
            if columns.contains(&column) {
                return Err(InspectError::Input(format!("--columns: {name} is named twice")));
            }
            columns.push(column);
        }
        if columns.is_empty() {
            return Err(unknown(""));
        }
        Ok(columns)
    }

    /// What SQLite is asked for.
    pub(super) fn sql(&self) -> &'static str {
        match self.source {
            Source::Whole | Source::Real | Source::Actions => self.name,
            Source::Score(place) => ["own_y", "own_log_reward"][place],
            Source::Batch(..) => "batch_id",
            Source::Actor(_) => "actor_id",
            Source::Object => "object_id",
        }
    }
}

fn unknown(name: &str) -> InspectError {
    let known = COLUMNS.map(|column| column.name);
    let nearest = nearest(name, known).map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"));
    InspectError::Input(format!(
        "--columns: there is no column {name:?}{nearest}{} columns are {}",
        if nearest.is_empty() { ";" } else { "" },
        known.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_others_are_refused() {
        let named = Column::named(["y", " x"]).unwrap();
        assert_eq!(named.iter().map(|column| column.name).collect::<Vec<_>>(), ["y", "x"]);
        for (names, expected) in [
            (vec!["log_rewart"], "did you mean log_reward?"),
            (vec!["y", "x", "y"], "y is named twice"),
            (vec![], "there is no column \"\"; columns are actor, "),
        ] {
            let error = Column::named(names).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
