//! `modes`: how many of a task's listed modes are found after how many rounds, on tasks that list some.

use super::grouping::{by_label, by_task};
use super::settings::{name_of, settings};
use super::statistics::dash;
use super::{Experiment, ExperimentError, Findings, FinishedJob, NamedFigure, Options, Variant, spread, spread_by_x};
use crate::metrics::MetricsRow;
use crate::plot::{Axis, Figure, LinePanel, LinePlot, Series};
use crate::policy::Conditioning;
use crate::report::Table;
use crate::task::Task;

/// See the module.
pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "modes",
    summary: "Modes found against rounds: logit, layer and unconditional, published settings",
    cost: "2000 rounds each on TFBind8, about a minute of one core",
    seeds: 3,
    tasks: &["tfbind8"],
    more_tasks: &["rna1", "qm9str", "sehstr"],
    variants,
    analyse,
};

/// The paper compares its method with the usual one and with none.
const COMPARED: [Conditioning; 3] = [Conditioning::Logit, Conditioning::Layer, Conditioning::Unconditional];

/// Points of a curve.
const REPORTS: u64 = 200;

fn variants(task: &str, options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    let variants = compared(task, options, REPORTS)?;
    if Task::load(&variants[0].config.task)?.modes.is_empty() {
        return Err(ExperimentError::NoModes(task.into()));
    }
    Ok(variants)
}

/// The paper's method, the usual one and none, with published settings.
pub(super) fn compared(task: &str, options: &Options, reports: u64) -> Result<Vec<Variant>, ExperimentError> {
    let variant = |conditioning| {
        let label = name_of(conditioning);
        let config = settings(task, options, reports, |raw| {
            raw.policy.conditioning = Some(conditioning)
        })?;
        Ok(Variant::new(&label, &label, config))
    };
    COMPARED.into_iter().map(variant).collect()
}

fn analyse(jobs: &[FinishedJob]) -> Result<Findings, ExperimentError> {
    let panels = by_task(jobs).into_iter().map(|(task, jobs)| panel(task, &jobs));
    let figure = NamedFigure {
        name: "modes".into(),
        caption: "Listed modes found, against rounds: the mean over the seeds, and the range from the lowest to the \
                  highest seed. A round is a batch rolled out and a batch replayed."
            .into(),
        figure: Figure::Lines(LinePlot {
            panels: panels.collect(),
        }),
    };
    Ok(Findings {
        figures: vec![figure],
        tables: by_task(jobs)
            .into_iter()
            .map(|(task, jobs)| table(task, &jobs))
            .collect(),
        notes: notes(jobs),
        records: Vec::new(),
    })
}

fn notes(jobs: &[FinishedJob]) -> Vec<String> {
    let text = "A mode counts as found when that very object was rolled out. The unconditional policy is trained and \
                explores at β = 1, the others at β from their distributions; what it finds is not at the same β.";
    std::iter::once(text.into()).chain(EXPERIMENT.left_out(jobs)).collect()
}

fn panel(task: &str, jobs: &[&FinishedJob]) -> LinePanel {
    let curve = |job: &&FinishedJob| -> Vec<(f64, f64)> {
        let reported = job.rows.iter().map(|row| (row.round as f64, row.modes as f64));
        std::iter::once((0.0, 0.0)).chain(reported).collect()
    };
    let series = by_label(jobs).into_iter().map(|(label, jobs)| Series {
        name: label.into(),
        points: spread_by_x(&jobs.iter().map(curve).collect::<Vec<_>>()),
        dots: false,
    });
    LinePanel {
        title: task.into(),
        x: Axis::linear("round"),
        y: Axis::linear("modes found"),
        series: series.collect(),
        references: Vec::new(),
    }
}

fn table(task: &str, jobs: &[&FinishedJob]) -> Table {
    let row = |(label, jobs): (&str, Vec<&FinishedJob>)| {
        let of = |number: fn(&MetricsRow) -> f64, digits: usize| {
            let values = jobs.iter().filter_map(|job| job.rows.last()).map(number);
            dash(spread(values), digits)
        };
        vec![
            label.to_owned(),
            jobs.len().to_string(),
            of(|row| row.modes as f64, 1),
            of(|row| row.top100_y.unwrap_or(f64::NAN), 4),
            of(|row| row.mean_y.unwrap_or(f64::NAN), 4),
            of(|row| row.distinct as f64, 0),
        ]
    };
    let rounds = jobs.iter().filter_map(|job| job.rows.last()).map(|row| row.round).max();
    Table {
        title: format!(
            "{task}, after {} rounds: mean (lowest … highest seed)",
            rounds.unwrap_or(0)
        ),
        header: ["", "seeds", "modes", "top-100 mean y", "mean y", "distinct x"]
            .map(String::from)
            .to_vec(),
        rows: by_label(jobs).into_iter().map(row).collect(),
    }
}
