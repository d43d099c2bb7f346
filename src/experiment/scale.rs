//! `scale`: a positive scale on log β beside the published scaler: how close the policy comes to the target from small β
//! to large.

use super::gridworld::trained_well;
use super::grouping::group;
use super::measured::{Measured, curves, exact, over, records, table_over_beta};
use super::settings::{between, settings};
use super::statistics::dash;
use super::{Experiment, ExperimentError, Findings, FinishedJob, NamedFigure, Options, Variant};
use crate::config::BetaKind;
use crate::plot::{Axis, Figure, LinePanel, LinePlot};
use crate::policy::{Conditioning, LogitScale, Parity};
use crate::report::Table;

/// See the module.
pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "scale",
    summary: "The published scale of logits beside a positive one of log β: exact distance to the target, β 0.5 to 50",
    cost: "2000 rounds each on TFBind8, 4000 on gridworld, about a minute of one core",
    seeds: 5,
    tasks: &["tfbind8", "gridworld"],
    more_tasks: &[],
    variants,
    analyse,
};

/// β at which the distance is measured; training draws between the ends.
const BETAS: [f32; 7] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
const REPORTS: u64 = 200;
/// Name of the mean over all β in the CSV.
const MEAN_TV: &str = "mean_tv";

fn variants(task: &str, options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    let variant = |(name, label, scale, offset): (&str, &str, LogitScale, bool)| {
        let config = settings(task, options, REPORTS, |raw| {
            if task == "gridworld" {
                trained_well(raw);
            }
            raw.policy.conditioning = Some(Conditioning::Logit);
            raw.policy.parity = Some(Parity::Improved);
            raw.policy.logit_scale = Some(scale);
            raw.policy.edge_offset = Some(offset);
            let beta = between(BetaKind::LogUniform, [BETAS[0], BETAS[BETAS.len() - 1]]);
            (raw.train.explore, raw.train.beta) = (beta.clone(), beta);
        })?;
        Ok(Variant::new(name, label, config))
    };
    let scales = [
        ("free", "published scaler", LogitScale::Free, false),
        ("positive", "positive, of log β", LogitScale::Positive, false),
        ("free-offset", "published scaler, offset", LogitScale::Free, true),
        ("positive-offset", "positive, offset", LogitScale::Positive, true),
    ];
    scales.into_iter().map(variant).collect()
}

fn analyse(jobs: &[FinishedJob]) -> Result<Findings, ExperimentError> {
    let mut measured = exact(jobs, &BETAS)?;
    measured.iter_mut().for_each(add_mean);
    let tasks = group(&measured, |one| one.job.task());
    let figure = NamedFigure {
        name: "distance".into(),
        caption: "Exact total variation to the target over β: the mean over the seeds, and the range from the lowest \
                  to the highest seed. Policies explore and train at β log-uniform from 0.5 to 50."
            .into(),
        figure: Figure::Lines(LinePlot {
            panels: tasks.iter().map(|(task, members)| panel(task, members)).collect(),
        }),
    };
    Ok(Findings {
        figures: vec![figure],
        tables: tasks.iter().map(|(task, members)| table(task, members)).collect(),
        notes: vec![
            "All variants are logit policies without the published clamp on logits; they differ in how T(β) \
             comes from β, and in the offset. The published scaler sees β itself and may give any number; the positive one is the \
             exponential of a network of log β. With an offset, logits are g + T(β)·f: the second score g does not \
             depend on β."
                .into(),
        ],
        records: records(&measured),
    })
}

fn add_mean(measured: &mut Measured) {
    let all: Vec<f64> = measured
        .records
        .iter()
        .filter(|r| r.metric == "tv")
        .map(|r| r.value)
        .collect();
    measured.add(None, MEAN_TV, all.iter().sum::<f64>() / all.len() as f64);
}

fn panel(task: &str, measured: &[&Measured]) -> LinePanel {
    LinePanel {
        title: task.into(),
        x: Axis::log("β"),
        y: Axis {
            range: Some([0.0, 1.0]),
            ..Axis::linear("exact total variation")
        },
        series: curves(measured, "tv", &BETAS.map(f64::from)),
        references: Vec::new(),
    }
}

fn table(task: &str, measured: &[&Measured]) -> Table {
    let title = format!("{task}: exact total variation, mean (lowest … highest seed)");
    let mut table = table_over_beta(title, measured, "tv", &BETAS.map(f64::from), 3);
    table.header.push("mean over β".into());
    for (row, (_, members)) in table
        .rows
        .iter_mut()
        .zip(super::measured::by_label(measured.iter().copied()))
    {
        row.push(dash(over(&members, MEAN_TV, None), 3));
    }
    table
}
