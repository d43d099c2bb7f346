//! `ablation-k`: gradient steps per batch.

use super::{TEMPLATE, findings, variant};
use crate::experiment::{Experiment, ExperimentError, Options, Variant};

/// See the module.
pub(in crate::experiment) const EXPERIMENT: Experiment = Experiment {
    name: "ablation-k",
    summary: "Gradient steps per batch, K = 1, 2, 4, 8; logit",
    cost: "2000 rounds each, one to five minutes of one core",
    variants,
    analyse: |jobs| findings(jobs, "gradient steps per batch", NOTE),
    ..TEMPLATE
};

const NOTE: &str = "All have the same number of rounds, so of objects scored; with K = 8 they take eight times the \
                    gradient steps.";

fn variants(task: &str, options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    let variant = |steps: usize| {
        variant(task, options, [&format!("K = {steps}"), ""], |raw| {
            raw.train.steps = Some(steps)
        })
    };
    [1, 2, 4, 8].into_iter().map(variant).collect()
}
