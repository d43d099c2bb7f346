//! What the store knows without asking the database: actors and objects with their rows. Only a memory; the database
//! decides.
//!
//! Invariant: between commits nothing here is ahead of the database. A commit that fails forgets everything.

use crate::units::Incarnation;
use hashbrown::HashMap;

/// Most objects remembered, 100 bytes each with short names. When there are more, all are forgotten: the database is
/// asked for those that come again.
const OBJECTS: usize = 1 << 20;

/// What is known about an actor with committed trajectories.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActorEntry {
    /// Its row.
    pub id: i64,
    /// Highest committed seq.
    pub through: Option<i64>,
}

/// What is known about an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct ObjectEntry {
    /// Its row.
    pub id: i64,
    /// The score that its row holds.
    pub y: f32,
    /// The log R that its row holds.
    pub log_reward: f32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Known {
    actors: HashMap<Incarnation, ActorEntry>,
    objects: HashMap<Box<str>, ObjectEntry>,
    /// Rows of the objects that this commit saw again, once per trajectory.
    seen: Vec<i64>,
}

impl Known {
    /// An actor by its incarnation.
    pub fn actor(&self, incarnation: Incarnation) -> Option<ActorEntry> {
        self.actors.get(&incarnation).copied()
    }

    /// Remembers an actor.
    pub fn add_actor(&mut self, incarnation: Incarnation, entry: ActorEntry) {
        self.actors.insert(incarnation, entry);
    }

    /// A trajectory of a remembered actor was written.
    pub fn committed(&mut self, incarnation: Incarnation, seq: i64) {
        if let Some(entry) = self.actors.get_mut(&incarnation) {
            entry.through = entry.through.max(Some(seq));
        }
    }

    /// An object by its name.
    pub fn object(&self, x: &str) -> Option<ObjectEntry> {
        self.objects.get(x).copied()
    }

    /// Remembers an object.
    pub fn add_object(&mut self, x: &str, entry: ObjectEntry) {
        if self.objects.len() >= OBJECTS {
            self.objects.clear();
        }
        self.objects.insert(x.into(), entry);
    }

    /// Counts an object once more; returns it.
    pub fn see(&mut self, object: ObjectEntry) -> ObjectEntry {
        self.seen.push(object.id);
        object
    }

    /// How many times each object was counted since the last call, by rising row.
    pub fn take_seen(&mut self) -> Vec<(i64, i64)> {
        self.seen.sort_unstable();
        let counts = self
            .seen
            .chunk_by(|a, b| a == b)
            .map(|same| (same[0], same.len() as i64));
        let counts = counts.collect();
        self.seen.clear();
        counts
    }

    /// After a commit that failed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}
