//! Async mode: what training does next. Received trajectories are let in one roll-out's worth at a time and trained on
//! under the samples-per-insert limiter. No clock, no channel and no tensors: the training thread does what it says, and
//! so does the simulation that plans a run.
//!
//! Invariant: training neither runs ahead of nor falls behind the ratio by more than the error band. When it falls behind,
//! it stops receiving.

use crate::config::RunConfig;
use crate::replay::{Limiter, LimiterError, LimiterState};
use std::collections::VecDeque;

/// What training is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// One online batch ([`Pacing::online`]), then replayed training while [`Pacing::replay_is_due`], then weights when
    /// [`Pacing::publishes`].
    Round,
    /// Let in what [`Pacing::next_batch`] gives.
    Insert,
    /// Wait for trajectories, and hand them to [`Pacing::received`].
    Receive,
    /// One replay batch: too little has come for an online batch, and more may not come before some of it is replayed.
    Replay,
}

/// Trajectories on their way into training, and how far it is; `T` stands for a trajectory.
#[derive(Debug)]
pub struct Pacing<T> {
    limiter: Limiter,
    /// Trajectories per roll-out, which are let in together.
    insert: usize,
    /// Trajectories per online batch.
    online: usize,
    /// Samples of an online batch: each trajectory counts once per gradient step on it.
    online_cost: u64,
    /// Samples of a replay batch; 0 when replayed training is off.
    replay_cost: u64,
    steps: usize,
    /// Gradient steps between publications of weights.
    publish_every: u64,
    /// Gradient steps when weights were last published.
    published: u64,
    /// Received, and not yet let in by the limiter: what is committed together may be more than one roll-out.
    backlog: VecDeque<T>,
    /// Let in, fresh enough, and not yet trained on.
    pending: VecDeque<T>,
}

impl<T> Pacing<T> {
    /// Goes on from what was counted and from the gradient steps done.
    ///
    /// # Errors
    /// A configuration under which the two sides could wait for each other; checked ones are not like that.
    pub fn new(config: &RunConfig, state: LimiterState, gradient_steps: u64) -> Result<Self, LimiterError> {
        let mut limiter = config.limiter()?;
        limiter.restore(state);
        let steps = config.train.steps;
        Ok(Self {
            limiter,
            insert: config.actor.batch,
            online: config.train.batch,
            online_cost: (config.train.batch * steps) as u64,
            replay_cost: (config.replay.batch * steps) as u64,
            steps,
            publish_every: config.learner.publish_every,
            published: gradient_steps,
            backlog: VecDeque::new(),
            pending: VecDeque::new(),
        })
    }

    /// What to do next.
    pub fn turn(&self) -> Turn {
        if self.pending.len() >= self.online && self.limiter.can_sample(self.online_cost) {
            Turn::Round
        } else if !self.limiter.can_insert(self.insert as u64) {
            Turn::Replay
        } else if self.backlog.is_empty() {
            Turn::Receive
        } else {
            Turn::Insert
        }
    }

    /// Takes what was received.
    pub fn received(&mut self, batch: impl IntoIterator<Item = T>) {
        self.backlog.extend(batch);
    }

    /// One roll-out's worth of what was received, to be counted and remembered, then handed to [`Self::insert`].
    pub fn next_batch(&mut self) -> Vec<T> {
        let count = self.insert.min(self.backlog.len());
        self.backlog.drain(..count).collect()
    }

    /// Lets a batch in; those that are fresh wait to be trained on online. With a ratio so low that not all can be
    /// trained on, the newest are.
    pub fn insert(&mut self, batch: Vec<T>, is_fresh: impl Fn(&T) -> bool) {
        let count = batch.len();
        self.limiter.inserted(count as u64);
        self.pending.extend(batch.into_iter().filter(is_fresh));
        let surplus = self.pending.len().saturating_sub(2 * self.online.max(count));
        self.pending.drain(..surplus);
    }

    /// The next online batch, counted as trained on.
    pub fn online(&mut self) -> Vec<T> {
        self.limiter.sampled(self.online_cost);
        self.pending.drain(..self.online.min(self.pending.len())).collect()
    }

    /// True while a whole replay batch is due, counting what waits to be trained on online as spoken for.
    pub fn replay_is_due(&self) -> bool {
        let spoken_for = (self.pending.len() * self.steps) as f64;
        self.replay_cost > 0 && self.limiter.balance() - spoken_for >= self.replay_cost as f64
    }

    /// Counts a replay batch: done, or skipped while there are too few x, so that the ratio cannot stop everything.
    pub fn replayed(&mut self, done: bool) {
        let cost = self.replay_cost.max(self.steps as u64);
        if done {
            self.limiter.sampled(cost);
        } else {
            self.limiter.skipped(cost);
        }
    }

    /// True, and noted, when weights are to be published after so many gradient steps.
    pub fn publishes(&mut self, gradient_steps: u64) -> bool {
        let due = gradient_steps >= self.published + self.publish_every;
        if due {
            self.published = gradient_steps;
        }
        due
    }

    /// What has been counted.
    pub fn state(&self) -> LimiterState {
        self.limiter.state()
    }

    /// How many wait to be trained on online.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;
    use crate::protocol::example::example_config;

    /// Two samples per insert of 4, online and replay batches of 6.
    fn pacing() -> Pacing<u64> {
        let mut config = example_config(Mode::Async);
        config.learner.publish_every = 3;
        Pacing::new(&config, LimiterState::default(), 0).unwrap()
    }

    #[test]
    fn what_comes_is_let_in_by_roll_outs_and_trained_on_in_batches() {
        let mut pacing = pacing();
        assert_eq!(pacing.turn(), Turn::Receive);
        pacing.received(0..9);
        let mut rounds = 0;
        while pacing.turn() != Turn::Receive {
            match pacing.turn() {
                Turn::Insert => {
                    let batch = pacing.next_batch();
                    assert!(batch.len() <= 4);
                    pacing.insert(batch, |_| true);
                }
                Turn::Round => {
                    assert_eq!(pacing.online().len(), 6);
                    rounds += 1;
                }
                turn => panic!("{turn:?}"),
            }
        }
        assert_eq!((rounds, pacing.pending(), pacing.state().inserted), (1, 3, 9));
        // 18 samples are due, 6 were taken and 3 are spoken for.
        assert!(pacing.replay_is_due());
        pacing.replayed(true);
        assert!(!pacing.replay_is_due());
    }

    #[test]
    fn what_is_stale_counts_and_is_not_trained_on() {
        let mut pacing = pacing();
        pacing.received(0..4);
        let batch = pacing.next_batch();
        pacing.insert(batch, |&number| number >= 3);
        assert_eq!((pacing.pending(), pacing.state().inserted), (1, 4));
    }

    #[test]
    fn replay_makes_room_when_nothing_can_be_trained_on_online() {
        let mut pacing = pacing();
        while pacing.turn() != Turn::Replay {
            pacing.received(0..4);
            let batch = pacing.next_batch();
            pacing.insert(batch, |_| false);
        }
        while pacing.turn() == Turn::Replay {
            pacing.replayed(false);
        }
        assert_eq!((pacing.turn(), pacing.state().skipped), (Turn::Receive, 12));
    }

    #[test]
    fn weights_are_published_every_so_many_steps() {
        let mut pacing = pacing();
        let published: Vec<u64> = (1..8).filter(|&steps| pacing.publishes(steps)).collect();
        assert_eq!(published, [3, 6]);
    }
}
