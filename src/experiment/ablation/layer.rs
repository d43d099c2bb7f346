//! `ablation-layer`: where β enters the policy.

use super::{TEMPLATE, findings, variant};
use crate::experiment::settings::{CONDITIONINGS, name_of};
use crate::experiment::{Experiment, ExperimentError, Options, Variant};

/// See the module.
pub(in crate::experiment) const EXPERIMENT: Experiment = Experiment {
    name: "ablation-layer",
    summary: "Where β enters: the logits, a layer, a layer as thermometer code, or logits and layer",
    cost: "2000 rounds each, about a minute of one core",
    variants,
    analyse: |jobs| findings(jobs, "conditioning", NOTE),
    ..TEMPLATE
};

const NOTE: &str = "Explored and trained at β uniform from 1 to 3.";

fn variants(task: &str, options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    let conditional = CONDITIONINGS
        .into_iter()
        .filter(|conditioning| conditioning.is_conditional());
    let variants = conditional.map(|conditioning| {
        variant(task, options, [&name_of(conditioning), ""], |raw| {
            raw.policy.conditioning = Some(conditioning)
        })
    });
    variants.collect()
}
