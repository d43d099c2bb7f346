//! Async mode: actors and learner run freely; [`Pacing`] keeps trained to received trajectories near
//! `samples_per_insert`. A round is one online batch.
//!
//! When training falls behind it stops receiving; the channel fills, acknowledgements stay out, and actors pause.

use super::{End, ToTrainer, Training};
use thermoflow::flow::{Pacing, Turn};
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
        match free.pacing.turn() {
            Turn::Round => free.round(training)?,
            Turn::Insert => free.insert(training)?,
            Turn::Receive => {
                let Some(ToTrainer::Batch(batch)) = training.receive() else {
                    return Ok(End::Stopped);
                };
                free.pacing.received(batch);
            }
            Turn::Replay => {
                free.replay_once(training)?;
            }
        }
    }
    Ok(End::Complete)
}

struct Free {
    pacing: Pacing<Trajectory>,
}

impl Free {
    fn new(training: &Training) -> anyhow::Result<Self> {
        let (config, state) = (&training.config, &training.state);
        let pacing = Pacing::new(config, state.limiter, state.gradient_steps)?;
        Ok(Self { pacing })
    }

    /// Lets in one roll-out's worth of what was received: counts and remembers it, and queues it for online training
    /// unless it is too stale.
    fn insert(&mut self, training: &mut Training) -> anyhow::Result<()> {
        let batch = self.pacing.next_batch();
        let newest = training.state.policy_version;
        let versions = batch.iter().map(|t| t.policy_version);
        training.recorder.staleness(newest, versions);
        training.trainer.remember(&batch)?;
        training.state.trajectories += batch.len() as u64;
        let oldest = newest.0.saturating_sub(training.config.learner.max_staleness);
        self.pacing.insert(batch, |t| t.policy_version.0 >= oldest);
        training.state.limiter = self.pacing.state();
        Ok(())
    }

    /// One online batch, then replayed training while it is due.
    fn round(&mut self, training: &mut Training) -> anyhow::Result<()> {
        let batch = self.pacing.online();
        let online = training.online(&batch)?;
        let mut replay = None;
        while self.pacing.replay_is_due() {
            replay = self.replay_once(training)?.or(replay);
        }
        training.state.limiter = self.pacing.state();
        training.round_done(online, replay)?;
        if self.pacing.publishes(training.state.gradient_steps) {
            let version = training.state.policy_version.next();
            training.publish(version);
        }
        Ok(())
    }

    /// One replay batch, unless there are too few x.
    fn replay_once(&mut self, training: &mut Training) -> anyhow::Result<Option<StepReport>> {
        let report = training.replay()?;
        self.pacing.replayed(report.is_some());
        training.state.limiter = self.pacing.state();
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
            free.pacing.received(rolled.unwrap());
            free.insert(&mut training).unwrap();
            assert_eq!(free.pacing.pending(), trained_on, "after those of version {version}");
        }
        assert_eq!(training.state.trajectories, 96);
    }
}
