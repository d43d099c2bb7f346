//! What is kept for the page's answers, and how it grows.

use super::kept::{Extent, Grow};
use crate::InspectError;
use crate::batches::{Batch, Counted};
use crate::groups::By;
use crate::histogram::Tally;
use crate::replay::{Filter, Plan, Replay};
use crate::scatter::Sample;
use crate::summary::Summary;
use crate::timeline::Course;
use crate::top;

/// Groups of β are chosen by looking at what there is: again when there is twice as much.
fn has_doubled(then: Extent, now: Extent) -> bool {
    now.trajectories >= 2 * then.trajectories.max(1)
}

/// For a summary: y and log R by β, and with a filter what passes.
pub struct Betas {
    pub tally: Tally,
    pub passing: Option<Counted>,
}

impl Betas {
    pub fn new(replay: &Replay, is_filtered: bool) -> Result<Self, InspectError> {
        Ok(Self {
            tally: Summary::tally(replay)?,
            passing: is_filtered.then(Counted::default),
        })
    }
}

impl Grow for Betas {
    fn extend(&mut self, replay: &Replay, filter: &Filter, batches: &[Batch]) -> Result<(), InspectError> {
        let plan = Plan::of(batches);
        let mut tally = self.tally.clone();
        tally.extend(replay, filter, &plan)?;
        if let Some(passing) = &mut self.passing {
            passing.extend(replay, filter, &plan)?;
        }
        self.tally = tally;
        Ok(())
    }

    fn is_outgrown(&self, then: Extent, now: Extent) -> bool {
        has_doubled(then, now)
    }
}

/// For a histogram.
pub struct Counts {
    pub tally: Tally,
    pub by: Option<By>,
}

impl Grow for Counts {
    fn extend(&mut self, replay: &Replay, filter: &Filter, batches: &[Batch]) -> Result<(), InspectError> {
        self.tally.extend(replay, filter, &Plan::of(batches))
    }

    fn is_outgrown(&self, then: Extent, now: Extent) -> bool {
        match self.by {
            None => false,
            Some(By::Actor) => now.actors != then.actors,
            Some(By::Beta | By::Version) => has_doubled(then, now),
        }
    }
}

impl Grow for Sample {
    fn extend(&mut self, replay: &Replay, filter: &Filter, batches: &[Batch]) -> Result<(), InspectError> {
        Self::extend(self, replay, filter, &Plan::of(batches))
    }
}

impl Grow for Course {
    fn extend(&mut self, replay: &Replay, filter: &Filter, batches: &[Batch]) -> Result<(), InspectError> {
        Self::extend(self, replay, filter, batches)
    }
}

impl Grow for top::Passing {
    fn extend(&mut self, replay: &Replay, filter: &Filter, batches: &[Batch]) -> Result<(), InspectError> {
        Self::extend(self, replay, filter, &Plan::of(batches))
    }
}
