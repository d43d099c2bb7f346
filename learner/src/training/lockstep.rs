//! Sync mode: the published algorithm (METHOD.md, One online round), reproducible round by round.
//!
//! Invariant: the weights of round r have version r, and a round's randomness is named by r; so a run that was stopped
//! and resumed does the same as one that was not.

use super::{End, FromTrainer, ToTrainer, Training};
use anyhow::ensure;
use thermoflow::units::PolicyVersion;

/// Rounds until all are done or it is asked to stop.
pub(super) fn run(training: &mut Training) -> anyhow::Result<End> {
    while training.state.round < training.config.train.rounds {
        let round = training.state.round;
        if training.is_stopped() || !start(training, round) {
            return Ok(End::Stopped);
        }
        let Some(ToTrainer::Round(received, trajectories)) = training.receive() else {
            return Ok(End::Stopped);
        };
        ensure!(
            received == round,
            "round {received} came while round {round} was under way"
        );

        let online = training.online(&trajectories)?;
        training.trainer.remember(&trajectories)?;
        training.state.trajectories += trajectories.len() as u64;
        let versions = trajectories.iter().map(|t| t.policy_version);
        training.recorder.staleness(PolicyVersion(round), versions);
        // Numbered by the round, so that a round without enough x to replay does not shift the later ones.
        training.state.replay_draws = round;
        let replay = training.replay()?;
        training.round_done(online, replay)?;
    }
    Ok(End::Complete)
}

fn start(training: &mut Training, round: u64) -> bool {
    training.publish(PolicyVersion(round)) && training.outbox.send(FromTrainer::StartRound(round)).is_ok()
}
