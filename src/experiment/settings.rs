//! Settings that experiments share.

use super::{ExperimentError, Options};
use crate::config::{RawConfig, RunConfig};
use crate::policy::Conditioning;
use clap::ValueEnum;

/// A run of a figure writes so many checkpoints: an interrupted one loses at most a tenth.
const CHECKPOINTS: u64 = 10;

/// The published settings of a task with this conditioning, with about `reports` reports.
pub(super) fn published(
    task: &str,
    conditioning: Conditioning,
    options: &Options,
    reports: u64,
) -> Result<RunConfig, ExperimentError> {
    let mut raw = RawConfig::default();
    raw.task.name = Some(task.into());
    raw.policy.conditioning = Some(conditioning);
    raw.train.rounds = options.rounds;
    let mut config = raw.resolve()?;
    config.learner.report_every = (config.train.rounds / reports).max(1);
    config.learner.checkpoint_every = (config.train.rounds / CHECKPOINTS).max(1);
    config.learner.keep_checkpoints = 2;
    Ok(config)
}

/// The name of a conditioning as configurations have it.
pub(super) fn conditioning_name(conditioning: Conditioning) -> String {
    let value = conditioning.to_possible_value();
    value.map(|value| value.get_name().to_owned()).unwrap_or_default()
}
