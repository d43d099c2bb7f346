//! What an actor has made and not yet seen acknowledged. Bounded: when it is full, roll-outs pause.

use super::MAX_BATCH;
use crate::rollout::Trajectory;
use crate::units::Seq;
use std::collections::VecDeque;

/// Trajectories `oldest..next`, of which those before `unsent` were sent on the present connection.
#[derive(Debug)]
pub(super) struct Outbox {
    waiting: VecDeque<Trajectory>,
    oldest: u64,
    unsent: u64,
    capacity: usize,
}

impl Outbox {
    /// Keeps at most `capacity` trajectories.
    pub fn new(capacity: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            oldest: 0,
            unsent: 0,
            capacity,
        }
    }

    /// Number of the oldest trajectory that is not acknowledged.
    pub fn oldest(&self) -> Seq {
        Seq(self.oldest)
    }

    /// How many wait for an acknowledgement.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// True when `count` more fit.
    pub fn has_room(&self, count: usize) -> bool {
        self.waiting.len() + count <= self.capacity
    }

    /// Adds what was rolled out. The caller asked [`Self::has_room`] before it had it rolled out.
    pub fn push(&mut self, batch: Vec<Trajectory>) {
        self.waiting.extend(batch);
    }

    /// Everything below `next` is safe. False, and nothing changes, when that cannot be: it was never sent.
    pub fn acknowledge(&mut self, next: Seq) -> bool {
        if next.0 > self.oldest + self.waiting.len() as u64 {
            return false;
        }
        let done = next.0.saturating_sub(self.oldest);
        self.waiting.drain(..done as usize);
        self.oldest += done;
        self.unsent = self.unsent.max(self.oldest);
        true
    }

    /// Everything is to be sent again: the connection is new, or something was missed.
    pub fn rewind(&mut self) {
        self.unsent = self.oldest;
    }

    /// The next message's worth of what was not sent yet.
    pub fn next_batch(&mut self) -> Option<(Seq, Vec<Trajectory>)> {
        let first = self.unsent;
        let batch: Vec<_> = self
            .waiting
            .iter()
            .skip((first - self.oldest) as usize)
            .take(MAX_BATCH)
            .cloned()
            .collect();
        self.unsent += batch.len() as u64;
        (!batch.is_empty()).then_some((Seq(first), batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::simulation::example_trajectory;

    #[test]
    fn unacknowledged_trajectories_are_kept_and_sent_again() {
        let mut outbox = Outbox::new(4);
        outbox.push((0..3).map(|i| example_trajectory(0, i)).collect());
        assert!(outbox.has_room(1) && !outbox.has_room(2));
        let (first, batch) = outbox.next_batch().unwrap();
        assert_eq!((first, batch.len()), (Seq(0), 3));
        assert!(outbox.next_batch().is_none());

        assert!(outbox.acknowledge(Seq(1)));
        assert!(!outbox.acknowledge(Seq(4)), "never sent");
        assert!(outbox.acknowledge(Seq(0)), "old news");
        assert_eq!((outbox.oldest(), outbox.len()), (Seq(1), 2));
        outbox.rewind();
        let (first, batch) = outbox.next_batch().unwrap();
        assert_eq!((first, batch[0].index, batch.len()), (Seq(1), 1, 2));
    }

    #[test]
    fn a_large_roll_out_is_sent_in_several_messages() {
        let mut outbox = Outbox::new(2 * MAX_BATCH);
        outbox.push((0..MAX_BATCH as u32 + 5).map(|i| example_trajectory(0, i)).collect());
        let sizes: Vec<_> = std::iter::from_fn(|| outbox.next_batch())
            .map(|(first, b)| (first.0, b.len()))
            .collect();
        assert_eq!(sizes, [(0, MAX_BATCH), (MAX_BATCH as u64, 5)]);
    }
}
