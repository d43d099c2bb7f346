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
        if free.pending.len() < training.config.train.batch {
            let Some(ToTrainer::Batch(batch)) = training.receive() else {
                return Ok(End::Stopped);
            };
            free.take(training, batch)?;
            continue;
        }
        free.round(training)?;
    }
    Ok(End::Complete)
}

struct Free {
    limiter: Limiter,
    /// Received, fresh enough, and not yet trained on.
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
            pending: VecDeque::new(),
            published: training.state.gradient_steps,
        })
    }

    /// Counts and remembers what was received; what is too stale is not trained on.
    fn take(&mut self, training: &mut Training, batch: Vec<Trajectory>) -> anyhow::Result<()> {
        let newest = training.state.policy_version;
        training
            .recorder
            .staleness(newest, batch.iter().map(|t| t.policy_version));
        training.trainer.remember(&batch)?;
        training.state.trajectories += batch.len() as u64;
        let oldest = newest.0.saturating_sub(training.config.learner.max_staleness);
        let fresh = batch.into_iter().filter(|t| t.policy_version.0 >= oldest);
        let before = self.pending.len();
        self.pending.extend(fresh);
        self.limiter.inserted((self.pending.len() - before) as u64);
        training.state.limiter = self.limiter.state();
        Ok(())
    }

    /// One online batch, then replayed training while it is due.
    fn round(&mut self, training: &mut Training) -> anyhow::Result<()> {
        let steps = training.config.train.steps;
        let batch: Vec<Trajectory> = self.pending.drain(..training.config.train.batch).collect();
        let online = training.trainer.train_online(&batch)?;
        training.state.gradient_steps += steps as u64;
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
        let steps = training.config.train.steps;
        let cost = training.config.replay.batch * steps;
        let mut last = None;
        while cost > 0 && self.limiter.balance() - (self.pending.len() * steps) as f64 >= cost as f64 {
            match training.replay()? {
                Some(report) => {
                    self.limiter.sampled(cost as u64);
                    last = Some(report);
                }
                None => self.limiter.skipped(cost as u64),
            }
        }
        Ok(last)
    }
}
