//! How a run went: what was found by when, and at which β.

use crate::InspectError;
use crate::batches::{self, Batch};
use crate::modes::FoundModes;
use crate::replay::{Filter, Plan, Replay, for_each};
use crate::sketch::{Quantiles, Sketch};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use thermoflow::task::Task;

/// Objects in the mean of the best.
const BEST: usize = 100;

/// What is to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// Rounds (sync mode), or actors' own counts of batches (async mode)
    Rounds,
    /// Seconds since the first trajectory
    Time,
    /// Trajectories in order of commit
    Trajectories,
}

impl Over {
    /// Its name and unit, for axes.
    pub fn label(self) -> &'static str {
        match self {
            Self::Rounds => "round",
            Self::Time => "time (s)",
            Self::Trajectories => "trajectories",
        }
    }
}

/// A run in equal parts.
#[derive(Debug, Clone, Serialize)]
pub struct Timeline {
    /// What [`Part::at`] is.
    pub over: Over,
    /// Whether [`Part::modes`] means anything: the task lists modes.
    pub has_modes: bool,
    /// In order; those without a trajectory are left out.
    pub parts: Vec<Part>,
}

/// One part, and what there was at its end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Part {
    /// Its end.
    pub at: f64,
    /// Trajectories in it.
    pub trajectories: u64,
    /// Distinct x so far.
    pub distinct: u64,
    /// Listed modes found so far.
    pub modes: u64,
    /// Mean y of the best 100 distinct x so far.
    pub top100_y: f64,
    /// y of its trajectories.
    pub y: Quantiles,
    /// β of its trajectories.
    pub beta: Quantiles,
}

/// Counts of one part.
#[derive(Debug, Clone, Default)]
struct Counts {
    y: Sketch,
    beta: Sketch,
}

impl Timeline {
    /// Reads a replay in `parts` parts.
    ///
    /// # Errors
    /// When reading fails.
    pub fn read(
        replay: &Replay,
        filter: &Filter,
        task: Option<&Task>,
        (over, parts): (Over, usize),
    ) -> Result<Self, InspectError> {
        let axis = Axis::new(&batches::read(replay, 0)?, over, parts);
        let start = || (vec![Counts::default(); parts], FirstSeen::default());
        let (mut counts, mut first) = start();
        replay.fold(
            &Plan::all(replay)?,
            ("batch_id, object_id, beta, y", filter),
            start,
            |(counts, first), _, rows| {
                for_each(rows, |row| {
                    let part = axis.part(row.get(0)?);
                    first.see(row.get(1)?, part as u32);
                    counts[part].beta.add(row.get(2)?);
                    counts[part].y.add(row.get::<_, Option<f32>>(3)?.unwrap_or(f32::NAN));
                    Ok(())
                })
            },
            |(more, seen)| {
                for (counts, more) in counts.iter_mut().zip(&more) {
                    counts.beta.merge(&more.beta);
                    counts.y.merge(&more.y);
                }
                first.merge(&seen);
            },
        )?;
        let modes = FoundModes::look_up(replay, task)?;
        let found = Found::sorted(replay, &first, modes.as_ref())?;
        Ok(Self {
            over,
            has_modes: modes.is_some(),
            parts: accumulate(&axis, &counts, &found),
        })
    }
}

/// Which part a batch belongs to.
#[derive(Debug)]
struct Axis {
    /// By batch id.
    part_of: Vec<u32>,
    start: f64,
    width: f64,
}

impl Axis {
    fn new(batches: &[Batch], over: Over, parts: usize) -> Self {
        let mut before = 0;
        let start_us = batches.iter().map(|batch| batch.received_us).min().unwrap_or(0);
        let places: Vec<f64> = batches
            .iter()
            .map(|batch| {
                before += batch.count;
                match over {
                    Over::Rounds => batch.round as f64,
                    Over::Time => (batch.received_us - start_us) as f64 / 1e6,
                    Over::Trajectories => before as f64,
                }
            })
            .collect();
        let low = places.iter().copied().fold(f64::INFINITY, f64::min).min(f64::MAX);
        let high = places.iter().copied().fold(low, f64::max);
        let width = ((high - low) / parts as f64).max(f64::MIN_POSITIVE);
        let mut part_of = vec![0; batches.last().map_or(0, |batch| batch.id as usize + 1)];
        for (batch, place) in batches.iter().zip(places) {
            part_of[batch.id as usize] = (((place - low) / width) as u32).min(parts as u32 - 1);
        }
        Self {
            part_of,
            start: low,
            width,
        }
    }

    /// A batch that came after these were read belongs to the last part.
    fn part(&self, batch: i64) -> usize {
        let part = self.part_of.get(batch as usize).or(self.part_of.last());
        part.map_or(0, |part| *part as usize)
    }

    fn end(&self, part: usize) -> f64 {
        self.start + self.width * (part + 1) as f64
    }
}

/// The part in which each object was first seen, by id.
#[derive(Debug, Default)]
struct FirstSeen(Vec<u32>);

impl FirstSeen {
    const NEVER: u32 = u32::MAX;

    fn see(&mut self, object: i64, part: u32) {
        let object = object as usize;
        if self.0.len() <= object {
            self.0.resize(object + 1, Self::NEVER);
        }
        self.0[object] = self.0[object].min(part);
    }

    fn merge(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), Self::NEVER);
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(part, other)| *part = (*part).min(*other));
    }

    fn part(&self, object: i64) -> Option<u32> {
        self.0.get(object as usize).copied().filter(|part| *part != Self::NEVER)
    }
}

/// An object that passed the filter.
#[derive(Debug, Clone, Copy)]
struct Found {
    part: usize,
    y: f64,
    is_mode: bool,
}

impl Found {
    /// The objects in order of the part in which they were first seen.
    fn sorted(replay: &Replay, first: &FirstSeen, modes: Option<&FoundModes>) -> Result<Vec<Self>, InspectError> {
        let scores = replay.rows("SELECT id, y FROM objects", |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found = scores.into_iter().filter_map(|(id, y): (i64, f64)| {
            Some(Self {
                part: first.part(id)? as usize,
                y,
                is_mode: modes.is_some_and(|modes| modes.objects.contains(&id)),
            })
        });
        let mut found: Vec<Self> = found.collect();
        found.sort_unstable_by_key(|found| found.part);
        Ok(found)
    }
}

/// Walks through the parts and adds up.
fn accumulate(axis: &Axis, counts: &[Counts], found: &[Found]) -> Vec<Part> {
    // The best so far, the worst of them on top; scores of floats in an order of whole numbers.
    let mut best: BinaryHeap<Reverse<Score>> = BinaryHeap::new();
    let (mut distinct, mut modes) = (0, 0);
    let mut parts = Vec::new();
    let mut rest = found;
    for (place, counts) in counts.iter().enumerate() {
        let (here, later) = rest.split_at(rest.partition_point(|found| found.part <= place));
        rest = later;
        distinct += here.len() as u64;
        modes += here.iter().filter(|found| found.is_mode).count() as u64;
        for found in here {
            best.push(Reverse(Score(found.y)));
            if best.len() > BEST {
                best.pop();
            }
        }
        let (Some(y), Some(beta)) = (counts.y.quantiles(), counts.beta.quantiles()) else {
            continue;
        };
        parts.push(Part {
            at: axis.end(place),
            trajectories: counts.beta.count(),
            distinct,
            modes,
            top100_y: best.iter().map(|score| score.0.0).sum::<f64>() / best.len() as f64,
            y,
            beta,
        });
    }
    parts
}

/// A score with a total order.
#[derive(Debug, Clone, Copy)]
struct Score(f64);

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Score {}
