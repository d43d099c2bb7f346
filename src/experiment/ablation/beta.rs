//! `ablation-beta`: where β is drawn from, for exploring and for training on replayed objects.

use super::{TEMPLATE, findings, variant};
use crate::config::{BetaKind, RawBeta};
use crate::experiment::settings::{between, constant};
use crate::experiment::{Experiment, ExperimentError, Options, Variant};

/// See the module.
pub(in crate::experiment) const EXPERIMENT: Experiment = Experiment {
    name: "ablation-beta",
    summary: "Distributions of β from 1 to 3, for exploring and for replayed training; logit",
    cost: "2000 rounds each, about a minute of one core",
    variants,
    analyse: |jobs| findings(jobs, "distribution of β", NOTE),
    ..TEMPLATE
};

const NOTE: &str = "One of the two distributions is varied, the other is uniform; that both are uniform is one run and \
                    so one bar. Constant is β = 2; annealing goes from 1 to 3 with the rounds, its inverse back. \
                    \"exp-weighted\" is what the published code calls loguniform, \"log-uniform\" what it calls \
                    expuniform.";

/// The published range.
const RANGE: [f32; 2] = [1.0, 3.0];

/// All distributions but the uniform one. Short names: they stand side by side below the bars.
fn others() -> [(&'static str, RawBeta); 6] {
    [
        ("constant", constant(2.0)),
        ("normal", between(BetaKind::Normal, RANGE)),
        ("log-uniform", between(BetaKind::LogUniform, RANGE)),
        ("exp-weighted", between(BetaKind::ExpWeighted, RANGE)),
        ("annealing", between(BetaKind::Annealing, RANGE)),
        ("inverse", between(BetaKind::AnnealingInverse, RANGE)),
    ]
}

fn variants(task: &str, options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    let uniform = || between(BetaKind::Uniform, RANGE);
    let run = |names: [&str; 2], [explore, beta]: [RawBeta; 2]| {
        variant(task, options, names, |raw| {
            (raw.train.explore, raw.train.beta) = (explore, beta)
        })
    };
    let mut variants = vec![run(["uniform", "exploring"], [uniform(), uniform()])?];
    for (name, other) in others() {
        variants.push(run([name, "exploring"], [other.clone(), uniform()])?);
        variants.push(run([name, "training"], [uniform(), other])?);
    }
    Ok(variants)
}
