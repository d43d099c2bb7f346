//! What distributions are split by: β, actor, policy version. Decides the groups before the trajectories are read.

use crate::InspectError;
use crate::replay::{Replay, Values};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// Bins of a number, at most.
const BINS: f64 = 8.0;

/// Distinct values that are groups of their own, at most.
const VALUES: usize = 10;

/// Places in the replay where β is looked at beforehand, and trajectories at each.
const LOOKS: (usize, i64) = (128, 32);

/// Beyond this ratio of the largest to the smallest, bins grow by factors.
const WIDE: f64 = 30.0;

/// What to split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Inverse temperature
    Beta,
    /// Who sampled it
    Actor,
    /// Weights it was sampled with
    Version,
}

/// Groups of trajectories.
#[derive(Debug, Clone)]
pub struct Groups {
    column: &'static str,
    /// In order.
    pub names: Vec<String>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    All,
    /// Group i lies between edges i − 1 and i; the outermost are open.
    Edges(Vec<f64>),
    /// By actor number.
    Actors(FxHashMap<i64, usize>),
}

impl Groups {
    /// One group of all.
    pub fn all() -> Self {
        Self {
            column: "0",
            names: vec!["all".into()],
            kind: Kind::All,
        }
    }

    /// The groups of a replay.
    ///
    /// # Errors
    /// When reading fails.
    pub fn new(replay: &Replay, by: Option<By>) -> Result<Self, InspectError> {
        match by {
            None => Ok(Self::all()),
            Some(By::Beta) => Ok(Self::of_numbers("beta", look_at_betas(replay)?)),
            Some(By::Version) => {
                let versions = "SELECT DISTINCT policy_version FROM batches ORDER BY 1";
                Ok(Self::of_numbers(
                    "policy_version",
                    replay.rows(versions, |row| row.get(0))?,
                ))
            }
            Some(By::Actor) => Self::actors(replay),
        }
    }

    /// A group per name; an actor that was started again is the same.
    fn actors(replay: &Replay) -> Result<Self, InspectError> {
        let found: Vec<(i64, String)> = replay.rows("SELECT id, name FROM actors ORDER BY id", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let mut names: Vec<String> = Vec::new();
        let mut of_name: FxHashMap<String, usize> = FxHashMap::default();
        let groups = found.into_iter().map(|(id, name)| {
            let group = *of_name.entry(name.clone()).or_insert_with(|| {
                names.push(name);
                names.len() - 1
            });
            (id, group)
        });
        let groups = groups.collect();
        Ok(Self {
            column: "actor_id",
            names,
            kind: Kind::Actors(groups),
        })
    }

    /// A group per value when they are few, else bins.
    fn of_numbers(column: &'static str, mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        let (edges, names) = if values.len() <= VALUES {
            let edges = values.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect();
            (edges, values.iter().map(|value| number(*value)).collect())
        } else {
            let edges = edges(values[0], values[values.len() - 1]);
            let names = edges
                .windows(2)
                .map(|pair| format!("{}–{}", number(pair[0]), number(pair[1])));
            // What lies beyond what was looked at belongs to the outermost bins.
            (edges[1..edges.len() - 1].to_vec(), names.collect())
        };
        Self {
            column,
            names: if values.is_empty() { vec!["all".into()] } else { names },
            kind: Kind::Edges(edges),
        }
    }

    /// What to ask the view `replay` for.
    pub fn column(&self) -> &'static str {
        self.column
    }

    /// The group of a row whose column `place` is [`Self::column`].
    pub fn of(&self, row: &Values<'_>, place: usize) -> rusqlite::Result<usize> {
        match &self.kind {
            Kind::All => Ok(0),
            Kind::Edges(edges) => {
                let value: f64 = row.get(place)?;
                // Edges are few, and no two rows go the same way through them: counting has no branch to guess.
                Ok(edges.iter().map(|edge| usize::from(*edge <= value)).sum())
            }
            // An actor that came after the names were read.
            Kind::Actors(groups) => Ok(groups.get(&row.get(place)?).copied().unwrap_or(0)),
        }
    }
}

/// β of trajectories here and there.
fn look_at_betas(replay: &Replay) -> Result<Vec<f64>, InspectError> {
    let (looks, each) = LOOKS;
    let batches = replay.number("SELECT count(*) FROM batches")?;
    let stride = (batches / looks as i64).max(1);
    let sql = format!(
        "SELECT t.beta FROM batches b
         JOIN trajectories t ON t.actor_id = b.actor_id AND t.seq BETWEEN b.first_seq AND min(b.last_seq, b.first_seq + {each})
         WHERE b.id % {stride} = 0"
    );
    replay.rows(&sql, |row| row.get(0))
}

/// Round numbers from at most `low` to at least `high`, few steps; by factors when the range is wide.
pub fn edges(low: f64, high: f64) -> Vec<f64> {
    if low > 0.0 && high / low > WIDE {
        let edges: Vec<f64> = (low.log10().floor() as i32..=high.log10().ceil() as i32)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)))
            .collect();
        let first = edges.partition_point(|edge| *edge <= low).saturating_sub(1);
        let last = edges.partition_point(|edge| *edge < high).min(edges.len() - 1);
        return edges[first..=last].to_vec();
    }
    let step = if high > low {
        round_step((high - low) / BINS)
    } else {
        1.0
    };
    let first = (low / step).floor() as i64;
    let last = ((high / step).ceil() as i64).max(first + 1);
    (first..=last).map(|place| place as f64 * step).collect()
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `least`.
pub fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.max(f64::MIN_POSITIVE).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|digit| digit * power);
    steps
        .into_iter()
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// A number as short as it is clear.
pub fn number(value: f64) -> String {
    if value == value.round() && value.abs() < 1e15 {
        return format!("{value}");
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_round_and_hold_everything() {
        assert_eq!(edges(1.02, 4.98), [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0]);
        assert_eq!(
            edges(0.0, 2000.0),
            [0.0, 250.0, 500.0, 750.0, 1000.0, 1250.0, 1500.0, 1750.0, 2000.0]
        );
        assert_eq!(edges(0.13, 40.0), [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(edges(3.0, 3.0).len(), 2);
    }

    #[test]
    fn few_values_are_groups_of_their_own() {
        let groups = Groups::of_numbers("beta", vec![2.0, 0.5, 2.0, 1.0]);
        assert_eq!(groups.names, ["0.5", "1", "2"]);
        assert!(matches!(groups.kind, Kind::Edges(edges) if edges == [0.75, 1.5]));
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.5, 2.0, 0.123456, -12.3456, 1234.56, 0.001].map(number);
        assert_eq!(texts, ["0.5", "2", "0.1235", "-12.35", "1235", "0.001"]);
    }
}
