//! How a run goes on: parts in order of commit, of which there are never too many however long it runs.

use super::{Part, Parts};
use crate::InspectError;
use crate::batches::Batch;
use crate::modes::FoundModes;
use crate::replay::{Filter, Plan, Replay};
use serde::Serialize;

/// Parts, at most; when there would be more, each two become one.
const MOST: usize = 200;

/// Counts of a replay in parts of equally many batches.
#[derive(Debug, Clone)]
pub struct Course {
    /// Batches in a part, a power of two.
    each: i64,
    parts: Parts,
}

/// A part, and where the whole run was at its end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stage {
    /// The highest round.
    pub round: i64,
    /// Seconds since the first trajectory.
    pub seconds: f64,
    /// Trajectories, whether they pass the filter or not.
    pub trajectories_so_far: u64,
    /// What passes the filter.
    #[serde(flatten)]
    pub part: Part,
}

impl Course {
    /// Nothing counted yet, of a replay of so many batches so far.
    pub fn new(batches: usize) -> Self {
        let each = (batches as i64 / MOST as i64 + 1).max(1) as u64;
        Self {
            each: each.next_power_of_two() as i64,
            parts: Parts::new(MOST),
        }
    }

    /// Counts what passes of batches that follow those that were counted.
    ///
    /// # Errors
    /// When reading fails.
    pub fn extend(&mut self, replay: &Replay, filter: &Filter, batches: &[Batch]) -> Result<(), InspectError> {
        let last = batches.last().map_or(0, |batch| batch.id);
        while self.part(last) >= MOST {
            self.parts.halve();
            self.each *= 2;
        }
        let each = self.each;
        self.parts.extend(replay, filter, &Plan::of(batches), move |batch| {
            place(batch, each).min(MOST - 1)
        })
    }

    /// What there was part by part; `batches` are all of the replay.
    ///
    /// # Errors
    /// When reading fails.
    pub fn stages(
        &self,
        replay: &Replay,
        batches: &[Batch],
        modes: Option<&FoundModes>,
    ) -> Result<Vec<Stage>, InspectError> {
        let mut stages = Vec::new();
        let mut rest = batches.iter().peekable();
        let start_us = batches.first().map_or(0, |batch| batch.received_us);
        let (mut round, mut last_us, mut count) = (0, start_us, 0);
        for (place, part) in self.parts.add_up(replay, modes, |place| place as f64)? {
            while let Some(batch) = rest.next_if(|batch| self.part(batch.id) <= place) {
                round = round.max(batch.round);
                last_us = last_us.max(batch.received_us);
                count += batch.count;
            }
            stages.push(Stage {
                round,
                seconds: (last_us - start_us) as f64 / 1e6,
                trajectories_so_far: count,
                part,
            });
        }
        Ok(stages)
    }

    fn part(&self, batch: i64) -> usize {
        place(batch, self.each)
    }
}

/// Ids of batches begin with 1.
fn place(batch: i64, each: i64) -> usize {
    ((batch - 1).max(0) / each) as usize
}
