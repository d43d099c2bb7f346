//! Scoring a share of the distinct objects again.

use super::{Check, Options, Tally};
use crate::InspectError;
use crate::replay::Replay;
use rustc_hash::FxHasher;
use std::hash::Hasher;
use thermoflow::env::States;
use thermoflow::protocol::scores_agree;
use thermoflow::task::Task;

/// Objects that are scored at a time.
const AT_ONCE: usize = 1024;

pub(super) const NAME: &str = "scores of objects";

/// Every object's score, and the scores that trajectories state otherwise.
const SCORES: &str = "SELECT x, y FROM objects
    UNION ALL SELECT (SELECT x FROM objects WHERE id = object_id), y FROM trajectories WHERE y IS NOT NULL";

/// Scores again what is drawn.
pub(super) fn check(replay: &Replay, options: &Options) -> Result<Check, InspectError> {
    if let Some(why) = &options.not_rescored {
        return Ok(Check::skipped(NAME, why.clone()));
    }
    let Some(task) = &options.task else {
        let why = "there is no run.toml: --task NAME says which task it was";
        return Ok(Check::skipped(NAME, why));
    };
    let mut tally = Tally::default();
    let mut drawn = Vec::new();
    let prepared = replay.connection().prepare(SCORES);
    let mut statement = prepared.map_err(|error| replay.failed(error))?;
    let mut rows = statement.query([]).map_err(|error| replay.failed(error))?;
    while let Some(row) = rows.next().map_err(|error| replay.failed(error))? {
        let x: String = row.get(0).unwrap_or_default();
        if is_drawn(&x, options.rescore) {
            drawn.push((x, row.get(1).unwrap_or(f32::NAN)));
        }
        if drawn.len() == AT_ONCE {
            rescore(task, &mut drawn, &mut tally)?;
        }
    }
    rescore(task, &mut drawn, &mut tally)?;
    Ok(Check::new(NAME, tally))
}

/// An even share of all objects, always the same ones.
fn is_drawn(x: &str, share: f64) -> bool {
    let mut hasher = FxHasher::default();
    hasher.write(x.as_bytes());
    ((hasher.finish() >> 32) as f64) < share * f64::from(u32::MAX) + share
}

fn rescore(task: &Task, drawn: &mut Vec<(String, f32)>, tally: &mut Tally) -> Result<(), InspectError> {
    let mut objects = States::new(task.env.state_width());
    let mut stated = Vec::new();
    for (x, y) in drawn.drain(..) {
        match task.env.parse_object(&x) {
            Ok(object) => {
                objects.push(&object);
                stated.push((x, y));
            }
            Err(error) => tally.look(Some(|| error.to_string())),
        }
    }
    if stated.is_empty() {
        return Ok(());
    }
    let scores = task.scorer.score(&objects);
    let scores = scores.map_err(|error| InspectError::Input(error.to_string()))?;
    for ((x, y), own) in stated.into_iter().zip(scores) {
        let example = || format!("{x}: y is {y}, scored again it is {own}");
        tally.look((!scores_agree(y, own)).then_some(example));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_drawn_is_the_one_asked_for() {
        let drawn = |share| {
            (0..10_000)
                .filter(|number| is_drawn(&format!("{number:08}"), share))
                .count()
        };
        assert_eq!((drawn(0.0), drawn(1.0)), (0, 10_000));
        assert!((800..1200).contains(&drawn(0.1)), "{}", drawn(0.1));
    }
}
