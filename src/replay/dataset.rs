//! The distinct objects found so far, in memory, ordered by reward, so that a replay draw does not scan. What was
//! trained on and by whom is the store's business.
//!
//! Invariant: everything here depends only on the order of insertions, never on hashing, so a refilled data set draws
//! what the lost one would have drawn.

use crate::config::ReplayConfig;
use crate::env::{StateIndex, States, hamming};
use crate::random::Stream;
use crate::task::modes::Modes;
use indexset::BTreeSet;
use std::sync::Arc;

/// How many of the best objects the statistics look at.
pub const TOP: usize = 100;

/// Number of a distinct object: 0, 1, 2 … in order of first insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

/// An object of the data set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object<'a> {
    /// The complete state, `[state_width]`.
    pub state: &'a [u8],
    /// Raw score.
    pub y: f32,
    /// log R, nats.
    pub log_reward: f32,
}

/// Sorts by falling number, then by rising id: the best come first, ties in order of insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u64);

impl Rank {
    fn new(number: f32, id: u32) -> Self {
        // The usual map of floats to integers of the same order (as in `f32::total_cmp`), then turned round.
        let bits = number.to_bits();
        let rising = if bits >> 31 == 1 { !bits } else { bits | (1 << 31) };
        Self(u64::from(!rising) << 32 | u64::from(id))
    }

    fn id(self) -> ObjectId {
        ObjectId(self.0 as u32)
    }
}

/// Distinct objects with their scores. Memory per object: the state, 16 bytes of numbers and about 5 of hash table.
#[derive(Debug, Clone)]
pub struct Dataset {
    prioritized: bool,
    top_share: f64,
    min_objects: usize,
    modes: Arc<Modes>,
    index: StateIndex,
    /// (y, log R) by id.
    scores: Vec<(f32, f32)>,
    by_reward: BTreeSet<Rank>,
    /// The best [`TOP`] by y, best first.
    top: Vec<Rank>,
    modes_found: usize,
    insertions: u64,
    sum_y: f64,
}

impl Dataset {
    /// An empty data set of states of `state_width` bytes.
    pub fn new(state_width: usize, config: &ReplayConfig, modes: Arc<Modes>) -> Self {
        Self {
            prioritized: config.prioritized,
            top_share: config.top_share,
            min_objects: config.min_objects,
            modes,
            index: StateIndex::new(state_width),
            scores: Vec::new(),
            by_reward: BTreeSet::new(),
            top: Vec::with_capacity(TOP + 1),
            modes_found: 0,
            insertions: 0,
            sum_y: 0.0,
        }
    }

    /// Adds a complete object; true when it is new. An object that is there keeps its first scores.
    pub fn insert(&mut self, object: &[u8], y: f32, log_reward: f32) -> bool {
        self.insertions += 1;
        self.sum_y += f64::from(y);
        let (id, new) = self.index.insert(object);
        if new {
            self.scores.push((y, log_reward));
            self.by_reward.insert(Rank::new(log_reward, id));
            self.modes_found += usize::from(self.modes.contains(object));
            let rank = Rank::new(y, id);
            let place = self.top.partition_point(|better| *better < rank);
            if place < TOP {
                self.top.insert(place, rank);
                self.top.truncate(TOP);
            }
        }
        new
    }

    /// Number of distinct objects.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// True when there is no object.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// An object by its number.
    ///
    /// # Panics
    /// When there is no such object: numbers come from this data set.
    pub fn object(&self, id: ObjectId) -> Object<'_> {
        let (y, log_reward) = self.scores[id.0 as usize];
        Object {
            state: self.index.states().row(id.0 as usize),
            y,
            log_reward,
        }
    }

    /// The distinct objects in order of first insertion.
    pub fn objects(&self) -> &States {
        self.index.states()
    }

    /// Draws `n` objects, distinct ones where there are enough: half (rounded down) uniformly from the best `top_share`, the others uniformly
    /// from the rest; all uniformly when not prioritised. None while there are fewer than `min_objects` (or none at all).
    ///
    /// Objects of the best half come first.
    pub fn draw(&self, n: usize, stream: &mut Stream) -> Option<Vec<ObjectId>> {
        if self.is_empty() || self.len() < self.min_objects {
            return None;
        }
        let best = if self.prioritized { self.best_count() } else { 0 };
        let rest = self.len() - best;
        // When everything counts as best there is no rest to draw from.
        let from_best = if rest == 0 {
            n
        } else {
            n / 2 * usize::from(self.prioritized)
        };
        let mut places = stream.choose(from_best, best);
        places.extend(stream.choose(n - from_best, rest).into_iter().map(|place| best + place));
        let drawn = places
            .into_iter()
            .map(|place| self.by_reward.get_index(place).expect("a place below len").id());
        Some(drawn.collect())
    }

    /// ⌈top_share·len⌉, at least 1; whole products stay whole despite rounding (0.1·70 is above 7 in floating point).
    fn best_count(&self) -> usize {
        let share = (self.top_share * self.len() as f64 - 1e-9).ceil() as usize;
        share.clamp(1, self.len())
    }

    /// How many insertions there were, repeated objects included.
    pub fn insertions(&self) -> u64 {
        self.insertions
    }

    /// Number of listed modes among the objects.
    pub fn modes_found(&self) -> usize {
        self.modes_found
    }

    /// Mean y of everything inserted, repeated objects included; None before the first insertion.
    pub fn mean_y(&self) -> Option<f64> {
        (self.insertions > 0).then(|| self.sum_y / self.insertions as f64)
    }

    /// Mean y of the best [`TOP`] distinct objects by y (of all when there are fewer).
    pub fn top_mean_y(&self) -> Option<f64> {
        let sum: f64 = self.top.iter().map(|rank| f64::from(self.object(rank.id()).y)).sum();
        (!self.top.is_empty()).then(|| sum / self.top.len() as f64)
    }

    /// Mean pairwise Hamming distance of the best [`TOP`] distinct objects by y; None with fewer than two. Computed
    /// anew on each call.
    pub fn top_diversity(&self) -> Option<f64> {
        let rows: Vec<&[u8]> = self.top.iter().map(|rank| self.object(rank.id()).state).collect();
        let pairs = rows.len() * rows.len().saturating_sub(1) / 2;
        let differences = rows
            .iter()
            .enumerate()
            .flat_map(|(i, a)| rows[..i].iter().map(move |b| hamming(a, b)));
        let sum: usize = differences.sum();
        (pairs > 0).then(|| sum as f64 / pairs as f64)
    }
}

#[cfg(test)]
mod tests;
