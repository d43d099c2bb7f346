//! How a run went: what was found by when, and at which β.

mod course;
mod parts;

pub use course::{Course, Stage};
pub use parts::{Part, Parts};

use crate::InspectError;
use crate::batches::{self, Batch};
use crate::modes::FoundModes;
use crate::replay::{Filter, Plan, Replay};
use serde::Serialize;
use std::sync::Arc;
use thermoflow::task::Task;

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
        let axis = Arc::new(Axis::new(&batches::read(replay, 0)?, over, parts));
        let mut counted = Parts::new(parts);
        let places = axis.clone();
        counted.extend(replay, filter, &Plan::all(replay)?, move |batch| places.part(batch))?;
        let modes = FoundModes::look_up(replay, task)?;
        let parts = counted.add_up(replay, modes.as_ref(), |part| axis.end(part))?;
        Ok(Self {
            over,
            has_modes: modes.is_some(),
            parts: parts.into_iter().map(|(_, part)| part).collect(),
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
