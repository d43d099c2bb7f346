//! Async mode: actors and learner run freely; the limiter keeps trained to received trajectories near
//! `samples_per_insert`. A round is one online batch.
//!
//! Invariant: training neither runs ahead of nor falls behind the ratio by more than the error band. When it falls
//! behind it stops receiving; the channel fills, acknowledgements stay out, and actors pause.

use super::{End, ToTrainer, Training};
use std::collections::VecDeque;
use thermoflow::replay::Limiter;
use thermoflow::rollout::Trajectory;
use thermoflow::trainer::StepReport;

/// Trains until all rounds are done or it is asked to stop.
pub(super) fn run(training: &mut Training) -> anyhow::Result<End> {
    let mut free = Free::new(training)?;
    let version = training.state.policy_version.next();
    if !training.publish(version) {
        return Ok(End::Stopped);
    }
    while training.state.round < training.config.train.rounds {
        if training.is_stopped() {
            return Ok(End::Stopped);
        }
        if free.may_train(training) {
            free.round(training)?;
        } else if free.limiter.can_insert(training.config.actor.batch as u64) {
            if free.backlog.is_empty() {
                let Some(ToTrainer::Batch(batch)) = training.receive() else {
                    return Ok(End::Stopped);
                };
                free.backlog.extend(batch);
            }
            free.take(training)?;
        } else {
            // Too little has come for an online batch, and more may not come before some of it is replayed.
            free.replay_once(training)?;
        }
    }
    Ok(End::Complete)
}

struct Free {
    limiter: Limiter,
    /// Received, and not yet let in by the limiter: what is committed together may be more than one roll-out.
    backlog: VecDeque<Trajectory>,
    /// Let in, fresh enough, and not yet trained on.
    pending: VecDeque<Trajectory>,
    /// Gradient steps when weights were last published.
    published: u64,
}

impl Free {
    fn new(training: &Training) -> anyhow::Result<Self> {
        let mut limiter = training.config.limiter()?;
        limiter.restore(training.state.limiter);
        Ok(Self {
            limiter,
            backlog: VecDeque::new(),
            pending: VecDeque::new(),
            published: training.state.gradient_steps,
        })
    }

    /// True when an online batch is there and the ratio allows it.
    fn may_train(&self, training: &Training) -> bool {
        let train = &training.config.train;
        self.pending.len() >= train.batch && self.limiter.can_sample((train.batch * train.steps) as u64)
    }

    /// Lets in one roll-out's worth of what was received: counts and remembers it, and queues it for online training
    /// unless it is too stale. With a ratio so low that not all can be trained on, the newest are.
    fn take(&mut self, training: &mut Training) -> anyhow::Result<()> {
        let count = training.config.actor.batch.min(self.backlog.len());
        let batch: Vec<Trajectory> = self.backlog.drain(..count).collect();
        let newest = training.state.policy_version;
        let versions = batch.iter().map(|t| t.policy_version);
        training.recorder.staleness(newest, versions);
        training.trainer.remember(&batch)?;
        training.state.trajectories += batch.len() as u64;
        self.limiter.inserted(batch.len() as u64);
        let oldest = newest.0.saturating_sub(training.config.learner.max_staleness);
        self.pending
            .extend(batch.into_iter().filter(|t| t.policy_version.0 >= oldest));
        let surplus = self
            .pending
            .len()
            .saturating_sub(2 * training.config.train.batch.max(count));
        self.pending.drain(..surplus);
        training.state.limiter = self.limiter.state();
        Ok(())
    }

    /// One online batch, then replayed training while it is due.
    fn round(&mut self, training: &mut Training) -> anyhow::Result<()> {
        let steps = training.config.train.steps;
        let batch: Vec<Trajectory> = self.pending.drain(..training.config.train.batch).collect();
        let online = training.online(&batch)?;
        self.limiter.sampled((batch.len() * steps) as u64);
        let replay = self.replay(training)?;
        training.state.limiter = self.limiter.state();
        training.round_done(online, replay)?;
        if training.state.gradient_steps >= self.published + training.config.learner.publish_every {
            self.published = training.state.gradient_steps;
            let version = training.state.policy_version.next();
            training.publish(version);
        }
        Ok(())
    }

    /// Replay batches until no whole one is due, counting what waits to be trained on online as spoken for.
    fn replay(&mut self, training: &mut Training) -> anyhow::Result<Option<StepReport>> {
        let train = &training.config.train;
        let (steps, cost) = (train.steps, training.config.replay.batch * train.steps);
        let mut last = None;
        while cost > 0 && self.limiter.balance() - (self.pending.len() * steps) as f64 >= cost as f64 {
            last = self.replay_once(training)?.or(last);
        }
        Ok(last)
    }

    /// One replay batch; counted as skipped while there are too few x, so that the ratio cannot stop everything.
    fn replay_once(&mut self, training: &mut Training) -> anyhow::Result<Option<StepReport>> {
        let cost = (training.config.replay.batch.max(1) * training.config.train.steps) as u64;
        let report = training.replay()?;
        match report {
            Some(_) => self.limiter.sampled(cost),
            None => self.limiter.skipped(cost),
        }
        training.state.limiter = self.limiter.state();
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{config, setup};
    use super::*;
    use thermoflow::config::Mode;
    use thermoflow::protocol::weights;
    use thermoflow::rollout::{RollRequest, Roller};
    use thermoflow::units::PolicyVersion;

    #[test]
    fn what_is_too_stale_is_counted_and_remembered_but_not_trained_on() {
        let mut config = config(Mode::Async, 1);
        config.learner.max_staleness = 4;
        let dir = tempfile::tempdir().unwrap();
        let ends = setup(&config, dir.path());
        let mut roller = Roller::new(&config, &ends.setup.task, 0).unwrap();
        let mut training = Training::new(ends.setup).unwrap();
        training.state.policy_version = PolicyVersion(9);
        let mut free = Free::new(&training).unwrap();

        assert!(training.publish(PolicyVersion(9)));
        let Ok(super::super::FromTrainer::Publish { data, .. }) = ends.from.recv() else {
            panic!("weights")
        };
        let parameters = weights::from_bytes(&roller.layout(), &data).unwrap();
        for (version, trained_on) in [(4, 0), (5, 32), (9, 64)] {
            roller.load(PolicyVersion(version), &parameters).unwrap();
            let rolled = roller.roll(&RollRequest {
                round: version,
                indices: 0..32,
                progress: 0.0,
            });
            free.backlog.extend(rolled.unwrap());
            free.take(&mut training).unwrap();
            assert_eq!(free.pending.len(), trained_on, "after those of version {version}");
        }
        assert_eq!(training.state.trajectories, 96);
    }
}
