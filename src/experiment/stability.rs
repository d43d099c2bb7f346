//! `stability`: the loss in training, for the paper's method, the usual one and none.

use super::grouping::{by_label, by_task};
use super::modes::compared;
use super::statistics::dash;
use super::{
    Experiment, ExperimentError, Findings, FinishedJob, NamedFigure, Options, Record, Variant, mean_of_last, spread,
    spread_by_x,
};
use crate::plot::{Axis, Figure, LinePanel, LinePlot, Series};
use crate::report::Table;

/// See the module.
pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "stability",
    summary: "Loss curves of logit, layer and unconditional, mean and band over seeds",
    cost: "2000 rounds each on TFBind8, about a minute of one core",
    seeds: 3,
    tasks: &["tfbind8"],
    more_tasks: &["rna1", "qm9str", "sehstr"],
    variants,
    analyse,
};

/// Reports of a run at least; every round is reported where there are fewer rounds.
const REPORTS: u64 = 2000;

/// A point of the curve is the mean of this share of all reports.
const WINDOW_SHARE: usize = 50;

fn variants(task: &str, options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    compared(task, options, REPORTS)
}

/// How many reports a point of the curve is the mean of.
fn window(jobs: &[FinishedJob]) -> usize {
    let longest = jobs.iter().map(|job| job.rows.len()).max();
    (longest.unwrap_or(0) / WINDOW_SHARE).max(1)
}

fn analyse(jobs: &[FinishedJob]) -> Result<Findings, ExperimentError> {
    let window = window(jobs);
    let panels = by_task(jobs).into_iter().map(|(task, jobs)| panel(task, &jobs, window));
    let figure = NamedFigure {
        name: "loss".into(),
        caption: format!(
            "Trajectory-balance loss of the online batch (nats²). Each run is smoothed with the mean of its last \
             {window} reports; line: mean over the seeds, band: lowest to highest seed."
        ),
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
        records: jobs.iter().filter_map(last_tenth).collect(),
    })
}

fn notes(jobs: &[FinishedJob]) -> Vec<String> {
    let text = "The loss is measured on the batch that was just rolled out, before the step on it, so it also depends \
                on what each policy explores. The unconditional policy learns one β only: its loss is that of an \
                easier problem.";
    std::iter::once(text.into()).chain(EXPERIMENT.left_out(jobs)).collect()
}

/// The online losses of a run.
fn losses(job: &FinishedJob) -> Vec<(f64, f64)> {
    let rows = job.rows.iter();
    rows.filter_map(|row| Some((row.round as f64, row.loss_online?)))
        .collect()
}

fn panel(task: &str, jobs: &[&FinishedJob], window: usize) -> LinePanel {
    let series = by_label(jobs).into_iter().map(|(label, jobs)| {
        let curves: Vec<_> = jobs.iter().map(|job| mean_of_last(window, &losses(job))).collect();
        Series {
            name: label.into(),
            points: spread_by_x(&curves),
            dots: false,
        }
    });
    LinePanel {
        title: task.into(),
        x: Axis::linear("round"),
        y: Axis::log("loss (nats²)"),
        series: series.collect(),
        references: Vec::new(),
    }
}

/// Mean loss over the last tenth of a run.
fn last_tenth(job: &FinishedJob) -> Option<Record> {
    let losses = losses(job);
    let last = &losses[losses.len() - losses.len().div_ceil(10)..];
    Some(Record {
        variant: job.job.variant.name.clone(),
        seed: Some(job.job.seed),
        round: Some(job.rows.last()?.round),
        beta: None,
        metric: "loss_online_last_tenth".into(),
        value: last.iter().map(|(_, loss)| loss).sum::<f64>() / last.len() as f64,
    })
}

fn table(task: &str, jobs: &[&FinishedJob]) -> Table {
    let row = |(label, jobs): (&str, Vec<&FinishedJob>)| {
        let values = jobs.iter().filter_map(|job| last_tenth(job)).map(|record| record.value);
        let loss = dash(spread(values), 3);
        let skipped: u64 = jobs
            .iter()
            .filter_map(|job| job.rows.last())
            .map(|row| row.skipped_steps)
            .sum();
        vec![label.to_owned(), jobs.len().to_string(), loss, skipped.to_string()]
    };
    Table {
        title: format!("{task}: loss over the last tenth of the rounds, mean (lowest … highest seed)"),
        header: ["", "seeds", "loss (nats²)", "skipped steps"]
            .map(String::from)
            .to_vec(),
        rows: by_label(jobs).into_iter().map(row).collect(),
    }
}
