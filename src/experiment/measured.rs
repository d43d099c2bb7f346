//! Numbers of runs that were measured after them, and tables, curves and bars of these numbers over the seeds.

use super::grouping::group;
use super::statistics::{dash, spread};
use super::{AtBeta, ExperimentError, FinishedJob, Record, Spread, Trained};
use crate::exact::{Enumerated, ExactMetrics};
use crate::plot::{Bar, Point, Series};
use crate::report::Table;
use crate::task::Task;

/// Numbers of one run.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    /// The run.
    pub(super) job: &'a FinishedJob,
    /// What was measured.
    pub(super) records: Vec<Record>,
}

impl<'a> Measured<'a> {
    /// A run of which nothing was measured yet.
    pub(super) fn new(job: &'a FinishedJob) -> Self {
        let records = Vec::new();
        Self { job, records }
    }

    /// Adds a number.
    pub(super) fn add(&mut self, beta: Option<f64>, metric: impl Into<String>, value: f64) {
        self.records.push(Record {
            variant: self.job.job.variant.name.clone(),
            seed: Some(self.job.job.seed),
            round: self.job.rows.last().map(|row| row.round),
            beta,
            metric: metric.into(),
            value,
        });
    }

    /// Adds all exact metrics at a β.
    pub(super) fn add_exact(&mut self, metrics: &ExactMetrics) {
        let all = serde_json::to_value(metrics).expect("metrics are plain data");
        let numbers = all.as_object().into_iter().flatten();
        for (name, value) in numbers.filter(|(name, _)| *name != "beta") {
            if let Some(value) = value.as_f64() {
                self.add(Some(metrics.beta), name.as_str(), value);
            }
        }
    }

    /// A number, if it was measured.
    pub(super) fn value(&self, metric: &str, beta: Option<f64>) -> Option<f64> {
        let found = self.records.iter().find(|r| r.metric == metric && r.beta == beta);
        found.map(|record| record.value)
    }
}

/// Runs `measure` on the trained policy of every job; jobs of one task share the enumeration of its objects.
pub(super) fn measure_all<'a>(
    jobs: &'a [FinishedJob],
    mut measure: impl FnMut(&mut Measured<'a>, &mut Trained, &Enumerated) -> Result<(), ExperimentError>,
) -> Result<Vec<Measured<'a>>, ExperimentError> {
    let mut known: Vec<(&str, Enumerated)> = Vec::new();
    let all = jobs.iter().map(|job| {
        if !known.iter().any(|(task, _)| *task == job.task()) {
            let task = Task::load(&job.job.variant.config.task)?;
            known.push((job.task(), Enumerated::new(&task)?));
        }
        let (_, all) = known.iter().find(|(task, _)| *task == job.task()).expect("just added");
        let mut measured = Measured::new(job);
        measure(&mut measured, &mut job.trained()?, all)?;
        Ok(measured)
    });
    all.collect()
}

/// Every job's exact metrics at each β.
pub(super) fn exact<'a>(jobs: &'a [FinishedJob], betas: &[f32]) -> Result<Vec<Measured<'a>>, ExperimentError> {
    measure_all(jobs, |measured, trained, all| {
        let exact: Vec<AtBeta> = trained.exact(all, betas)?;
        exact.iter().for_each(|at| measured.add_exact(&at.metrics));
        Ok(())
    })
}

/// All numbers, for the CSV.
pub(super) fn records(measured: &[Measured]) -> Vec<Record> {
    measured.iter().flat_map(|one| one.records.iter().cloned()).collect()
}

/// The runs of each label.
pub(super) fn by_label<'a>(
    measured: impl IntoIterator<Item = &'a Measured<'a>>,
) -> Vec<(&'a str, Vec<&'a Measured<'a>>)> {
    group(measured, |one| one.job.label())
}

/// A number over the runs that have it.
pub(super) fn over(measured: &[&Measured], metric: &str, beta: Option<f64>) -> Option<Spread> {
    spread(measured.iter().filter_map(|one| one.value(metric, beta)))
}

/// The number as a bar over the seeds; no bar where no run has it.
pub(super) fn bar(measured: &[&Measured], metric: &str, beta: Option<f64>) -> Bar {
    let found = over(measured, metric, beta);
    found.map_or(Bar::NONE, |Spread { mean, low, high }| Bar { value: mean, low, high })
}

/// A curve for each label of a number over β.
pub(super) fn curves(measured: &[&Measured], metric: &str, betas: &[f64]) -> Vec<Series> {
    let point = |members: &[&Measured], beta: f64| {
        let Spread { mean, low, high } = over(members, metric, Some(beta))?;
        let (x, y) = (beta, mean);
        Some(Point { x, y, low, high })
    };
    let series = by_label(measured.iter().copied())
        .into_iter()
        .map(|(label, members)| Series {
            name: label.into(),
            points: betas.iter().filter_map(|&beta| point(&members, beta)).collect(),
            dots: true,
        });
    series.collect()
}

/// A table with a line for each label and a column for each β.
pub(super) fn table_over_beta(
    title: String,
    measured: &[&Measured],
    metric: &str,
    betas: &[f64],
    digits: usize,
) -> Table {
    let line = |(label, members): (&str, Vec<&Measured>)| {
        let cells = betas
            .iter()
            .map(|&beta| dash(over(&members, metric, Some(beta)), digits));
        std::iter::once(label.to_owned()).chain(cells).collect()
    };
    let header = betas.iter().map(|beta| format!("β = {beta}"));
    Table {
        title,
        header: std::iter::once(String::new()).chain(header).collect(),
        rows: by_label(measured.iter().copied()).into_iter().map(line).collect(),
    }
}
