//! Settings that experiments share.

use super::{ExperimentError, Options};
use crate::config::{BetaKind, RawBeta, RawConfig, RunConfig};
use crate::policy::{Conditioning, LogitScale, Parity};
use clap::ValueEnum;

/// A run of a figure writes so many checkpoints: an interrupted one loses at most a tenth.
const CHECKPOINTS: u64 = 10;

/// All conditionings, the paper's method first.
pub(super) const CONDITIONINGS: [Conditioning; 5] = [
    Conditioning::Logit,
    Conditioning::LogitLayer,
    Conditioning::Layer,
    Conditioning::LayerThermometer,
    Conditioning::Unconditional,
];

/// The published settings of a task, whatever the defaults are, with a change and about `reports` reports.
pub(super) fn settings(
    task: &str,
    options: &Options,
    reports: u64,
    change: impl FnOnce(&mut RawConfig),
) -> Result<RunConfig, ExperimentError> {
    let mut raw = RawConfig::default();
    raw.task.name = Some(task.into());
    raw.policy.parity = Some(Parity::Published);
    raw.policy.logit_scale = Some(LogitScale::Free);
    raw.policy.edge_offset = Some(false);
    change(&mut raw);
    raw.train.rounds = options.rounds.or(raw.train.rounds);
    let mut config = raw.resolve()?;
    config.learner.report_every = (config.train.rounds / reports).max(1);
    config.learner.checkpoint_every = (config.train.rounds / CHECKPOINTS).max(1);
    config.learner.keep_checkpoints = 2;
    Ok(config)
}

/// β between two ends.
pub(super) fn between(kind: BetaKind, [min, max]: [f32; 2]) -> RawBeta {
    RawBeta {
        kind: Some(kind),
        min: Some(min),
        max: Some(max),
        ..RawBeta::default()
    }
}

/// One β.
pub(super) fn constant(value: f32) -> RawBeta {
    RawBeta {
        kind: Some(BetaKind::Constant),
        value: Some(value),
        ..RawBeta::default()
    }
}

/// The name of a choice as configurations have it.
pub(super) fn name_of(choice: impl ValueEnum) -> String {
    let value = choice.to_possible_value();
    value.map(|value| value.get_name().to_owned()).unwrap_or_default()
}
