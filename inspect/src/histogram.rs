//! Distributions: how often each value of y, log R, staleness … was seen, all together or by β, actor or version.

use crate::InspectError;
use crate::groups::{By, Groups, round_step};
use crate::replay::{Filter, Plan, Replay};
use crate::sketch::{Quantiles, Sketch};
pub use crate::tally::Tally;
use serde::{Deserialize, Serialize};

/// What can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Raw score
    Y,
    /// log R, nats
    #[value(name = "log_reward")]
    LogReward,
    /// Versions behind at receipt
    Staleness,
    /// Steps of the trajectory
    Length,
    /// Inverse temperature
    Beta,
    /// log P_F when it was sampled, nats
    #[value(name = "log_pf")]
    LogPf,
}

impl Quantity {
    /// Its column of the view `replay`.
    pub fn column(self) -> &'static str {
        match self {
            Self::Y => "y",
            Self::LogReward => "log_reward",
            Self::Staleness => "staleness",
            Self::Length => "length",
            Self::Beta => "beta",
            Self::LogPf => "log_pf",
        }
    }

    /// Its name and unit, for axes.
    pub fn label(self) -> &'static str {
        match self {
            Self::Y => "y",
            Self::LogReward => "log R (nats)",
            Self::Staleness => "staleness (versions)",
            Self::Length => "length (steps)",
            Self::Beta => "β",
            Self::LogPf => "log P_F (nats)",
        }
    }

    fn is_whole(self) -> bool {
        matches!(self, Self::Staleness | Self::Length)
    }
}

/// How often values were seen.
#[derive(Debug, Clone, Serialize)]
pub struct Histogram {
    /// Of what.
    pub of: Quantity,
    /// Split by what.
    pub by: Option<By>,
    /// Ends of the bins, rising; `[bins + 1]`.
    pub edges: Vec<f64>,
    /// Groups that have any.
    pub groups: Vec<Group>,
}

/// One group's part.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// Its name: a β, a range, an actor.
    pub name: String,
    /// Trajectories.
    pub count: u64,
    /// Trajectories per bin.
    pub counts: Vec<u64>,
    /// Of the values themselves, not of the bins.
    pub quantiles: Quantiles,
}

impl Histogram {
    /// Counts the trajectories that pass the filter, in about `bins` bins of a round width.
    ///
    /// # Errors
    /// When reading fails.
    pub fn count(
        replay: &Replay,
        filter: &Filter,
        (of, by): (Quantity, Option<By>),
        bins: usize,
    ) -> Result<Self, InspectError> {
        let mut tally = Tally::new(Groups::new(replay, by)?, &[of]);
        tally.extend(replay, filter, &Plan::all(replay)?)?;
        Ok(Self::new(&tally, by, bins))
    }

    /// The histogram of a tally of one quantity.
    pub fn new(tally: &Tally, by: Option<By>, bins: usize) -> Self {
        let of = tally.quantities[0];
        let edges = bin_edges(&tally.sketches, of, bins);
        let groups = tally
            .groups
            .names
            .iter()
            .zip(&tally.sketches)
            .filter_map(|(name, sketch)| {
                Some(Group {
                    name: name.clone(),
                    count: sketch.count(),
                    counts: sketch.bins(&edges),
                    quantiles: sketch.quantiles()?,
                })
            });
        Self {
            of,
            by,
            groups: groups.collect(),
            edges,
        }
    }
}

/// Round ends of bins that hold everything; whole numbers lie in the middle of theirs.
fn bin_edges(sketches: &[Sketch], of: Quantity, bins: usize) -> Vec<f64> {
    let ends = sketches.iter().filter_map(Sketch::ends);
    let Some([low, high]) = ends.reduce(|[a, b], [c, d]| [a.min(c), b.max(d)]) else {
        return Vec::new();
    };
    let (step, shift) = if of.is_whole() {
        (round_step((high - low) / bins as f64).round().max(1.0), 0.5)
    } else {
        (round_step((high - low).max(1e-9) / bins as f64), 0.0)
    };
    let first = ((low + shift) / step).floor() as i64;
    let last = (((high + shift) / step).ceil() as i64).max(first + 1);
    (first..=last).map(|place| place as f64 * step - shift).collect()
}
