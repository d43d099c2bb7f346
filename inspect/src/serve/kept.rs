//! Answers that are kept and grow with the replay: each request reads on for a moment from where the last one ended.

use super::run::{Run, lock, trajectories};
use crate::InspectError;
use crate::batches::Batch;
use crate::replay::{Filter, Replay};
use lru::LruCache;
use serde::Serialize;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a request reads on before it answers with what there is.
const PATIENCE: Duration = Duration::from_millis(250);

/// Trajectories that are read before the first look at the clock, so that the first answer comes soon; then twice as many
/// each time, up to a number that takes less than [`PATIENCE`].
const SLICE: [u64; 2] = [1 << 16, 1 << 19];

/// Something that is counted in order of commit.
pub trait Grow: Send {
    /// Counts what passes of batches that follow those that were counted.
    ///
    /// # Errors
    /// When reading fails; then nothing was counted.
    fn extend(&mut self, replay: &Replay, filter: &Filter, batches: &[Batch]) -> Result<(), InspectError>;

    /// Whether to begin anew, because what was decided in the beginning no longer fits. `then` and `now` are all batches.
    fn is_outgrown(&self, _then: Extent, _now: Extent) -> bool {
        false
    }
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Trajectories.
    pub trajectories: u64,
    /// Lives of actors.
    pub actors: usize,
}

impl Extent {
    fn of(batches: &[Batch]) -> Self {
        Self {
            trajectories: trajectories(batches),
            actors: batches.iter().map(|batch| batch.actor as usize).max().unwrap_or(0),
        }
    }
}

/// An answer from the first `read` of `total` trajectories.
#[derive(Debug, Serialize)]
pub struct Answer<T> {
    /// Trajectories that were looked at.
    pub read: u64,
    /// Trajectories that there are.
    pub total: u64,
    /// What is known of them.
    pub answer: T,
}

/// Those that were asked for last.
pub struct Kept<G>(Mutex<LruCache<String, One<G>>>);

/// One of them; None before it was begun.
type One<G> = Arc<Mutex<Option<Growing<G>>>>;

struct Growing<G> {
    replay: Replay,
    filter: Filter,
    began: Extent,
    /// Batches that were counted.
    batches: usize,
    grown: G,
}

impl<G: Grow> Kept<G> {
    /// Keeps so many.
    pub fn new(count: usize) -> Self {
        let count = NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
        Self(Mutex::new(LruCache::new(count)))
    }

    /// Reads on, and answers. `key` tells what is counted, besides the condition; `make` begins, `answer` says what is
    /// known (also given all batches that were counted).
    ///
    /// # Errors
    /// When the condition is wrong or reading fails.
    pub fn ask<T>(
        &self,
        run: &Run,
        (key, condition): (&str, Option<&str>),
        make: impl Fn(&Replay, &[Batch]) -> Result<G, InspectError>,
        answer: impl FnOnce(&G, &Replay, &[Batch]) -> Result<T, InspectError>,
    ) -> Result<Answer<T>, InspectError> {
        let key = format!("{key}\n{}", condition.unwrap_or_default());
        let kept = lock(&self.0).get_or_insert(key, Arc::default).clone();
        let mut kept = lock(&kept);
        // Now that nobody else counts: what was counted is among these.
        let all = run.batches()?;
        let now = Extent::of(&all);
        let outgrown = |growing: &Growing<G>| growing.grown.is_outgrown(growing.began, now);
        // So that a page that was just opened soon has something of everything.
        let patience = if kept.is_none() { Duration::ZERO } else { PATIENCE };
        if kept.as_ref().is_none_or(outgrown) {
            let replay = run.replay()?;
            *kept = Some(Growing {
                filter: Filter::new(condition, &replay)?,
                grown: make(&replay, &all)?,
                began: now,
                batches: 0,
                replay,
            });
        }
        let growing = kept.as_mut().expect("it was made above");
        growing.read_on(&all, patience)?;
        let counted = &all[..growing.batches];
        Ok(Answer {
            read: trajectories(counted),
            total: now.trajectories,
            answer: answer(&growing.grown, &growing.replay, counted)?,
        })
    }
}

impl<G: Grow> Growing<G> {
    /// Counts on, for a while and at least a little.
    fn read_on(&mut self, all: &[Batch], patience: Duration) -> Result<(), InspectError> {
        let began = Instant::now();
        let [mut least, most] = SLICE;
        while self.batches < all.len() {
            let slice = slice(&all[self.batches..], least);
            self.grown.extend(&self.replay, &self.filter, slice)?;
            self.batches += slice.len();
            least = most.min(2 * least);
            if began.elapsed() >= patience {
                break;
            }
        }
        Ok(())
    }
}

/// The first batches with at least so many trajectories.
fn slice(batches: &[Batch], least: u64) -> &[Batch] {
    let mut count = 0;
    let end = batches.iter().position(|batch| {
        count += batch.count;
        count >= least
    });
    &batches[..end.map_or(batches.len(), |end| end + 1)]
}
