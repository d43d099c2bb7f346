//! Several runs side by side.

use crate::InspectError;
use crate::replay::{Filter, Replay};
use crate::summary::Summary;
use crate::timeline::{Over, Timeline};
use crate::top::{best_and_mean, top};
use serde::Serialize;

/// Objects in the mean of the best.
pub(crate) const BEST: usize = 100;

/// What is compared.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// A name that no other has.
    pub name: String,
    /// At a glance.
    pub summary: Summary,
    /// How it went.
    pub timeline: Timeline,
    /// The best y.
    pub best_y: Option<f64>,
    /// Mean y of the best 100 distinct x.
    pub top100_y: Option<f64>,
}

/// Reads runs, each with the same condition; `condition` is checked against each.
///
/// # Errors
/// When reading fails, or a condition does not fit.
pub fn compare(
    replays: &[Replay],
    condition: Option<&str>,
    axis: (Over, usize),
) -> Result<Vec<Compared>, InspectError> {
    let names = names(replays);
    replays
        .iter()
        .zip(names)
        .map(|(replay, name)| {
            let filter = Filter::new(condition, replay)?;
            let task = replay.task_or_warning()?;
            let (best_y, top100_y) = best_and_mean(&top(replay, &filter, BEST, None)?);
            Ok(Compared {
                name,
                summary: Summary::read(replay, &filter)?,
                timeline: Timeline::read(replay, &filter, task.as_ref(), axis)?,
                best_y,
                top100_y,
            })
        })
        .collect()
}

/// Names of directories, or whole paths where two directories have one name.
fn names(replays: &[Replay]) -> Vec<String> {
    let short: Vec<String> = replays.iter().map(Replay::name).collect();
    let is_unique = |name: &String| short.iter().filter(|other| *other == name).count() == 1;
    let names = replays.iter().zip(&short).map(|(replay, name)| {
        if is_unique(name) {
            name.clone()
        } else {
            replay.root().unwrap_or(replay.path()).display().to_string()
        }
    });
    names.collect()
}
