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
    /// Holds what an earlier life left: trajectories `oldest`, `oldest + 1` … It takes no more before it has a capacity.
    pub fn new(oldest: Seq, left: Vec<Trajectory>) -> Self {
        Self {
            waiting: left.into(),
            oldest: oldest.0,
            unsent: oldest.0,
            capacity: 0,
        }
    }

    /// Keeps at most `capacity` trajectories from now on.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Number of the next trajectory to be added.
    pub fn next(&self) -> Seq {
        Seq(self.oldest + self.waiting.len() as u64)
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
        if next > self.next() {
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

    /// The next message's worth of what was not sent yet. An earlier life, with another configuration, may have left more
    /// than the learner takes unacknowledged.
    pub fn next_batch(&mut self) -> Option<(Seq, Vec<Trajectory>)> {
        let first = self.unsent;
        let sent = (first - self.oldest) as usize;
        let batch: Vec<_> = self
            .waiting
            .iter()
            .take(self.capacity)
            .skip(sent)
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
        let mut outbox = Outbox::new(Seq(0), Vec::new());
        assert!(!outbox.has_room(1), "before it is known how much the learner takes");
        outbox.set_capacity(4);
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
        let mut outbox = Outbox::new(Seq(0), Vec::new());
        outbox.set_capacity(2 * MAX_BATCH);
        outbox.push((0..MAX_BATCH as u32 + 5).map(|i| example_trajectory(0, i)).collect());
        let sizes: Vec<_> = std::iter::from_fn(|| outbox.next_batch())
            .map(|(first, b)| (first.0, b.len()))
            .collect();
        assert_eq!(sizes, [(0, MAX_BATCH), (MAX_BATCH as u64, 5)]);
    }

    #[test]
    fn what_an_earlier_life_left_goes_first_and_never_more_than_the_learner_takes() {
        let left = (0..5).map(|i| example_trajectory(0, i)).collect();
        let mut outbox = Outbox::new(Seq(7), left);
        outbox.set_capacity(3);
        assert!(!outbox.has_room(1));
        assert_eq!((outbox.oldest(), outbox.next()), (Seq(7), Seq(12)));
        let (first, batch) = outbox.next_batch().unwrap();
        assert_eq!((first, batch.len()), (Seq(7), 3));
        assert!(outbox.next_batch().is_none());
        assert!(outbox.acknowledge(Seq(10)));
        let (first, batch) = outbox.next_batch().unwrap();
        assert_eq!((first, batch.len()), (Seq(10), 2));
        assert!(outbox.acknowledge(Seq(12)) && outbox.has_room(3));
    }
}
