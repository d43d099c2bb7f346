//! Is a replay whole and right? SQLite's structures, numbers without gaps, rounds, walks, rewards, and a share of objects
//! scored again. It finds; it mends nothing.

mod rounds;
mod scores;
mod trajectories;

use crate::InspectError;
use crate::replay::Replay;
use serde::Serialize;
use thermoflow::config::Mode;
use thermoflow::replay::{Store, StoreError, check_log};
use thermoflow::task::Task;

/// Examples that are kept of each kind of fault.
const EXAMPLES: usize = 3;

/// What is to be looked at.
#[derive(Debug)]
pub struct Options {
    /// The task whose walks and rewards these should be; None skips what needs it.
    pub task: Option<Task>,
    /// Share of distinct objects that are scored again, 0 to 1.
    pub rescore: f64,
    /// Why none are, if none are to be.
    pub not_rescored: Option<String>,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing is wrong.
    Ok,
    /// Something is.
    Failed,
    /// It was not made.
    Skipped,
}

/// A check and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// How it went.
    pub status: Status,
    /// How many things were looked at.
    pub checked: u64,
    /// How many of them are wrong.
    pub wrong: u64,
    /// Some of those, or why it was skipped.
    pub remarks: Vec<String>,
}

impl Check {
    fn new(name: &'static str, tally: Tally) -> Self {
        Self {
            name,
            status: if tally.wrong == 0 { Status::Ok } else { Status::Failed },
            checked: tally.checked,
            wrong: tally.wrong,
            remarks: tally.examples,
        }
    }

    fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Skipped,
            checked: 0,
            wrong: 0,
            remarks: vec![why.into()],
        }
    }
}

/// How often something was looked at and found wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tally {
    checked: u64,
    wrong: u64,
    examples: Vec<String>,
}

impl Tally {
    /// Counts one thing; `wrong` says what is the matter with it.
    fn look(&mut self, wrong: Option<impl FnOnce() -> String>) {
        self.checked += 1;
        if let Some(example) = wrong {
            self.fault(1, example);
        }
    }

    /// Counts faults of one kind.
    fn fault(&mut self, times: u64, example: impl FnOnce() -> String) {
        self.wrong += times;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }

    fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.wrong += other.wrong;
        let room = EXAMPLES - self.examples.len();
        self.examples.extend(other.examples.into_iter().take(room));
    }
}

/// All checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// True when no check failed.
    pub ok: bool,
    /// What was checked, and how it went.
    pub checks: Vec<Check>,
}

impl Verdict {
    fn new(checks: Vec<Check>) -> Self {
        let ok = checks.iter().all(|check| check.status != Status::Failed);
        Self { ok, checks }
    }

    /// Of a replay that cannot even be opened, if damage is why.
    ///
    /// # Errors
    /// Gives the error back when it is something else.
    pub fn of_failure(error: InspectError) -> Result<Self, InspectError> {
        damage(error).map(|damage| Self::new(vec![Check::new("database", damage)]))
    }
}

/// Damage as a finding, and other errors as they are.
fn damage(error: InspectError) -> Result<Tally, InspectError> {
    match error {
        InspectError::Store(StoreError::Damaged { .. } | StoreError::DamagedLog { .. }) => {
            let mut tally = Tally::default();
            tally.look(Some(|| error.to_string()));
            Ok(tally)
        }
        other => Err(other),
    }
}

/// Checks a replay. Reads all of it.
///
/// # Errors
/// When it cannot be read for another reason than damage, or objects cannot be scored.
pub fn verify(replay: &Replay, options: &Options) -> Result<Verdict, InspectError> {
    let mut checks = vec![Check::new("database", database(replay).or_else(damage)?)];
    checks.extend(match trajectories::check(replay, options.task.as_ref()) {
        Ok(found) => found.checks(replay.record().map(|record| record.config.train.mode)),
        Err(error) => vec![Check::new("trajectories", damage(error)?)],
    });
    checks.push(match scores::check(replay, options) {
        Ok(check) => check,
        Err(error) => Check::new(scores::NAME, damage(error)?),
    });
    Ok(Verdict::new(checks))
}

/// SQLite's structures, references, counts, and the log.
fn database(replay: &Replay) -> Result<Tally, InspectError> {
    // A log that is begun anew just then looks damaged once, not twice.
    check_log(replay.path()).or_else(|_| check_log(replay.path()))?;
    let mut tally = Tally::default();
    for problem in Store::open_read_only(replay.path())?.verify()? {
        tally.fault(1, || problem);
    }
    tally.checked = replay.number("PRAGMA page_count")?.max(0) as u64;
    Ok(tally)
}

/// Numbers may be missing where a repeated place of a round is acknowledged but not stored.
fn gaps_are_fine(mode: Option<Mode>, rounds: &Check) -> bool {
    mode == Some(Mode::Sync) && rounds.status == Status::Ok
}
