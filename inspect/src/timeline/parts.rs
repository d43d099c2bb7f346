//! Counts of a replay in parts that follow each other, and what there was at the end of each.

use crate::InspectError;
use crate::modes::FoundModes;
use crate::replay::{Filter, Plan, Replay};
use crate::sketch::{Quantiles, Sketch};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Objects in the mean of the best.
const BEST: usize = 100;

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

/// Counts of the parts; can be extended as trajectories are added to the replay.
#[derive(Debug, Clone)]
pub struct Parts {
    counts: Vec<Counts>,
    first: FirstSeen,
}

/// Counts of one part.
#[derive(Debug, Clone, Default)]
struct Counts {
    y: Sketch,
    beta: Sketch,
}

impl Counts {
    fn merge(&mut self, other: &Self) {
        self.y.merge(&other.y);
        self.beta.merge(&other.beta);
    }
}

impl Parts {
    /// Nothing counted yet.
    pub fn new(parts: usize) -> Self {
        Self {
            counts: vec![Counts::default(); parts],
            first: FirstSeen::default(),
        }
    }

    /// Counts the trajectories of a plan that pass the filter; `part` says where a batch belongs.
    ///
    /// # Errors
    /// When reading fails.
    pub fn extend(
        &mut self,
        replay: &Replay,
        filter: &Filter,
        plan: &Plan,
        part: impl Fn(i64) -> usize + Send + Sync + 'static,
    ) -> Result<(), InspectError> {
        let parts = self.counts.len();
        replay.fold(
            plan,
            ("batch_id, object_id, beta, y", filter),
            || Self::new(parts),
            move |sum, row| {
                let part = part(row.get(0)?);
                sum.first.see(row.get(1)?, part as u32);
                sum.counts[part].beta.add(row.get(2)?);
                sum.counts[part].y.add(row.get::<Option<f32>>(3)?.unwrap_or(f32::NAN));
                Ok(())
            },
            |more| {
                self.counts
                    .iter_mut()
                    .zip(&more.counts)
                    .for_each(|(counts, more)| counts.merge(more));
                self.first.merge(&more.first);
            },
        )
    }

    /// Makes one part of each two, so that as many come free.
    pub fn halve(&mut self) {
        let parts = self.counts.len();
        let pairs = self.counts.chunks(2).map(|pair| {
            let mut both = pair[0].clone();
            pair[1..].iter().for_each(|other| both.merge(other));
            both
        });
        self.counts = pairs.collect();
        self.counts.resize(parts, Counts::default());
        self.first.halve();
    }

    /// Adds up from part to part. Returns those that hold a trajectory, with their places; `end` is what [`Part::at`] is.
    ///
    /// # Errors
    /// When reading fails.
    pub fn add_up(
        &self,
        replay: &Replay,
        modes: Option<&FoundModes>,
        end: impl Fn(usize) -> f64,
    ) -> Result<Vec<(usize, Part)>, InspectError> {
        let found = self.found(replay, modes)?;
        let mut sum = Sum::default();
        let mut rest = &found[..];
        let mut parts = Vec::new();
        for (place, counts) in self.counts.iter().enumerate() {
            let (here, later) = rest.split_at(rest.partition_point(|found| found.part as usize <= place));
            rest = later;
            here.iter().for_each(|found| sum.add(found));
            if let (Some(y), Some(beta)) = (counts.y.quantiles(), counts.beta.quantiles()) {
                let part = Part {
                    at: end(place),
                    trajectories: counts.beta.count(),
                    distinct: sum.distinct,
                    modes: sum.modes,
                    top100_y: sum.mean_of_best(),
                    y,
                    beta,
                };
                parts.push((place, part));
            }
        }
        Ok(parts)
    }

    /// The objects in order of the part in which they were first seen.
    fn found(&self, replay: &Replay, modes: Option<&FoundModes>) -> Result<Vec<Found>, InspectError> {
        let scores = replay.source().scores();
        let seen = self
            .first
            .0
            .iter()
            .enumerate()
            .filter(|(_, part)| **part != FirstSeen::NEVER);
        let found = seen.map(|(id, part)| {
            let [y, _] = scores.scores(id)?;
            Ok(Found {
                part: *part,
                y,
                is_mode: modes.is_some_and(|modes| modes.objects.contains(&(id as i64))),
            })
        });
        let found: rusqlite::Result<Vec<Found>> = found.collect();
        let mut found = found.map_err(|error| replay.failed(error))?;
        found.sort_unstable_by_key(|found| found.part);
        Ok(found)
    }
}

/// The part in which each object was first seen, by id.
#[derive(Debug, Clone, Default)]
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

    fn halve(&mut self) {
        let seen = self.0.iter_mut().filter(|part| **part != Self::NEVER);
        seen.for_each(|part| *part /= 2);
    }
}

/// An object that passed the filter.
#[derive(Debug, Clone, Copy)]
struct Found {
    part: u32,
    y: f32,
    is_mode: bool,
}

/// What was found so far.
#[derive(Debug, Default)]
struct Sum {
    distinct: u64,
    modes: u64,
    /// The best, the worst of them on top.
    best: BinaryHeap<Reverse<Score>>,
}

impl Sum {
    fn add(&mut self, found: &Found) {
        self.distinct += 1;
        self.modes += u64::from(found.is_mode);
        self.best.push(Reverse(Score(found.y)));
        if self.best.len() > BEST {
            self.best.pop();
        }
    }

    fn mean_of_best(&self) -> f64 {
        self.best.iter().map(|score| f64::from(score.0.0)).sum::<f64>() / self.best.len() as f64
    }
}

/// A score with a total order.
#[derive(Debug, Clone, Copy)]
struct Score(f32);

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
