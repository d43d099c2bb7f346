//! `ablation-objective`: every objective, with the paper's conditioning and the usual one.

use super::{TEMPLATE, findings, variant};
use crate::experiment::settings::name_of;
use crate::experiment::{Experiment, ExperimentError, Options, Variant};
use crate::objective::{KINDS, Objective};
use crate::policy::Conditioning;

/// See the module.
pub(in crate::experiment) const EXPERIMENT: Experiment = Experiment {
    name: "ablation-objective",
    summary: "Objectives: trajectory, detailed and sub-trajectory balance, VarGrad, MaxEnt; logit and layer",
    cost: "2000 rounds each, about a minute of one core",
    variants,
    analyse: |jobs| findings(jobs, "objective", NOTE),
    ..TEMPLATE
};

const NOTE: &str = "VarGrad draws one β for every 8 trajectories, which it needs for its estimate of log Z, so it sees \
                    fewer β than the others in as many rounds. MaxEnt is trajectory balance with a uniform backward \
                    policy.";

fn variants(task: &str, options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    let mut variants = Vec::new();
    for kind in KINDS {
        let objective = Objective::find(kind.name).expect("the list has it");
        for conditioning in [Conditioning::Logit, Conditioning::Layer] {
            let names = [kind.name, &name_of(conditioning)];
            variants.push(variant(task, options, names, |raw| {
                raw.train.objective = Some(objective);
                raw.policy.conditioning = Some(conditioning);
            })?);
        }
    }
    Ok(variants)
}
