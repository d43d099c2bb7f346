//! Offline mode: replayed training on a given data set, no actors (METHOD.md, offline generalization).

use super::{End, Training};
use thermoflow::trainer::StepReport;

/// Rounds until all are done or it is asked to stop.
pub(super) fn run(training: &mut Training) -> anyhow::Result<End> {
    while training.state.round < training.config.train.rounds {
        if training.is_stopped() {
            return Ok(End::Stopped);
        }
        training.state.replay_draws = training.state.round;
        let replay = training.replay()?;
        training.round_done(StepReport::default(), replay)?;
    }
    Ok(End::Complete)
}
