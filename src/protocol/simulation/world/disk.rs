//! What survives any crash: the replay, checkpoints, the versions that may have been published.
//!
//! Invariant: a transaction is there as a whole or not at all.

use super::World;
use crate::protocol::fleet::Commit;
use crate::rollout::Trajectory;
use crate::units::{Incarnation, Seq};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

/// Checkpoints that are kept.
const KEPT: usize = 3;

#[derive(Default)]
pub(super) struct Disk {
    pub rows: BTreeMap<(Incarnation, Seq), Trajectory>,
    pub places: HashSet<(u64, u32)>,
    /// The round after each checkpoint, and whether it can be read; the newest last.
    checkpoints: Vec<(u64, bool)>,
    /// Async mode: versions below this may have been published.
    pub reserved: u64,
    /// Nothing can be written until then.
    pub full_until: Duration,
}

impl Disk {
    /// The next trajectory of each incarnation.
    pub fn known(&self) -> HashMap<Incarnation, Seq> {
        let keys = self.rows.keys();
        keys.map(|&(incarnation, seq)| (incarnation, Seq(seq.0 + 1))).collect()
    }

    /// The round after the newest checkpoint that can be read.
    pub fn next_round(&self) -> u64 {
        let good = self.checkpoints.iter().rev().find(|(_, good)| *good);
        good.map_or(0, |&(round, _)| round)
    }

    pub fn write_checkpoint(&mut self, round: u64) {
        self.checkpoints.push((round, true));
        if self.checkpoints.len() > KEPT {
            self.checkpoints.remove(0);
        }
    }

    /// The newest checkpoint can no longer be read; an earlier one is left.
    pub fn damage_checkpoint(&mut self) {
        let good = self.checkpoints.iter().filter(|(_, good)| *good).count();
        if good > 1
            && let Some(newest) = self.checkpoints.last_mut()
        {
            newest.1 = false;
        }
    }
}

impl World {
    /// One transaction. False when there is no space: then nothing of it is there.
    pub(super) fn write(&mut self, group: &[Commit]) -> bool {
        if self.now < self.disk.full_until {
            return false;
        }
        for commit in group {
            for (seq, trajectory) in &commit.rows {
                self.check_row(commit.incarnation, *seq, trajectory);
                self.disk.places.insert((trajectory.round, trajectory.index));
                self.disk.rows.insert((commit.incarnation, *seq), trajectory.clone());
            }
        }
        true
    }
}
