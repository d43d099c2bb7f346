//! `modes`: how many of a task's listed modes are found after how many rounds, on tasks that list some.

use super::settings::{conditioning_name, published};
use super::{Experiment, ExperimentError, Findings, FinishedJob, NamedFigure, Options, Variant, spread, spread_by_x};
use crate::metrics::MetricsRow;
use crate::plot::{Axis, Figure, LinePanel, LinePlot, Series};
use crate::policy::Conditioning;
use crate::report::Table;

/// See the module.
pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "modes",
    summary: "Modes found against rounds: logit, layer and unconditional, published settings",
    cost: "TFBind8: 9 runs of 2000 rounds, about a minute of one core each",
    variants,
    analyse,
};

/// The paper compares its method with the usual one and with none.
pub(super) const COMPARED: [Conditioning; 3] = [Conditioning::Logit, Conditioning::Layer, Conditioning::Unconditional];

/// Tasks that list their modes and need no file of others.
const TASKS: &[&str] = &["tfbind8"];

/// Points of a curve.
const REPORTS: u64 = 200;

fn variants(options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    let all = TASKS.iter().flat_map(|task| {
        COMPARED.map(|conditioning| {
            let label = conditioning_name(conditioning);
            Ok(Variant {
                name: format!("{task}-{label}"),
                label,
                config: published(task, conditioning, options, REPORTS)?,
            })
        })
    });
    all.collect()
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
        notes: vec![
            "A mode counts as found when that very object was rolled out. The unconditional policy is trained and \
             explores at β = 1, the others at β from their distributions; what it finds is not at the same β."
                .into(),
        ],
        records: Vec::new(),
    })
}

/// The jobs of each task, in order of their first appearance.
pub(super) fn by_task(jobs: &[FinishedJob]) -> Vec<(&str, Vec<&FinishedJob>)> {
    group(jobs.iter(), |job| job.task())
}

/// The jobs of each label, in order of their first appearance.
pub(super) fn by_label<'a>(jobs: &[&'a FinishedJob]) -> Vec<(&'a str, Vec<&'a FinishedJob>)> {
    group(jobs.iter().copied(), |job| job.label())
}

fn group<'a>(
    jobs: impl Iterator<Item = &'a FinishedJob>,
    key: impl Fn(&'a FinishedJob) -> &'a str,
) -> Vec<(&'a str, Vec<&'a FinishedJob>)> {
    let mut groups: Vec<(&str, Vec<&FinishedJob>)> = Vec::new();
    for job in jobs {
        match groups.iter_mut().find(|(name, _)| *name == key(job)) {
            Some((_, members)) => members.push(job),
            None => groups.push((key(job), vec![job])),
        }
    }
    groups
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
            spread(values).map_or_else(|| "–".into(), |spread| format!("{spread:.digits$}"))
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
