//! Ablations: one setting is varied, and bars show the modes found, the best scores and the distance to the target. One
//! file each; what they have in common is here.

pub(super) mod beta;
pub(super) mod k;
pub(super) mod layer;
pub(super) mod objective;
pub(super) mod thermometer;

use super::grouping::group;
use super::measured::{Measured, bar, exact, over, records};
use super::settings::settings;
use super::statistics::dash;
use super::{Experiment, ExperimentError, Findings, FinishedJob, NamedFigure, Options, Variant};
use crate::config::RawConfig;
use crate::plot::{Axis, BarPanel, Bars, Figure};
use crate::report::Table;

/// β at which the distance to the target is measured: the ends and the middle of what training draws.
const BETAS: [f32; 3] = [1.0, 2.0, 3.0];
const REPORTS: u64 = 200;
const MODES: &str = "modes_at_end";
const TOP: &str = "top100_y_at_end";

/// What ablations share; each says its own name, what it shows, what it costs, and its variants.
const TEMPLATE: Experiment = Experiment {
    name: "",
    summary: "",
    cost: "",
    seeds: 3,
    tasks: &["tfbind8"],
    more_tasks: &[],
    variants: |_, _| Ok(Vec::new()),
    analyse: |_| Ok(Findings::default()),
};

/// A run with published settings but for `change`; `setting` places its bar, `label` colours it.
fn variant(
    task: &str,
    options: &Options,
    [setting, label]: [&str; 2],
    change: impl FnOnce(&mut RawConfig),
) -> Result<Variant, ExperimentError> {
    let names = format!("{setting} {label}").to_lowercase();
    let words = names
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-");
    let mut variant = Variant::new(&name, label, settings(task, options, REPORTS, change)?);
    variant.setting = setting.into();
    Ok(variant)
}

/// Bars and a table; `setting` is what is varied.
fn findings(jobs: &[FinishedJob], setting: &str, note: &str) -> Result<Findings, ExperimentError> {
    let mut measured = exact(jobs, &BETAS)?;
    measured.iter_mut().for_each(add_ends);
    let figure = NamedFigure {
        name: "bars".into(),
        caption: "Modes found and mean score of the 100 best objects after all rounds, and the exact total variation \
                  to the target at three β (less is better): mean over the seeds; error bars: lowest to highest seed."
            .into(),
        figure: Figure::Bars(bars(&measured, setting)),
    };
    Ok(Findings {
        figures: vec![figure],
        tables: vec![table(&measured)],
        notes: vec![
            note.into(),
            "Settings are the published ones but for what is varied.".into(),
        ],
        records: records(&measured),
    })
}

/// The last report, under names of their own: the CSV has all reports as well.
fn add_ends(measured: &mut Measured) {
    let Some(last) = measured.job.rows.last() else { return };
    let (modes, top) = (last.modes as f64, last.top100_y);
    measured.add(None, MODES, modes);
    if let Some(top) = top {
        measured.add(None, TOP, top);
    }
}

/// What is measured: name in the CSV, β, and name for people.
fn metrics() -> Vec<(&'static str, Option<f64>, String)> {
    let ends = [
        (MODES, None, "modes found".into()),
        (TOP, None, "top-100 mean y".into()),
    ];
    let distances = BETAS.map(|beta| ("tv", Some(f64::from(beta)), format!("total variation, β = {beta}")));
    ends.into_iter().chain(distances).collect()
}

fn bars(measured: &[Measured], setting: &str) -> Bars {
    let series = group(measured, |one| one.job.label());
    let settings = group(measured, |one| &one.job.job.variant.setting);
    let panel = |(metric, beta, label): (&str, Option<f64>, String)| BarPanel {
        title: String::new(),
        y: Axis::linear(label),
        bars: settings
            .iter()
            .map(|(_, members)| {
                let of = |label: &str| -> Vec<&Measured> {
                    members.iter().copied().filter(|one| one.job.label() == label).collect()
                };
                series.iter().map(|(label, _)| bar(&of(label), metric, beta)).collect()
            })
            .collect(),
    };
    Bars {
        x: setting.into(),
        series: series.iter().map(|(label, _)| (*label).to_owned()).collect(),
        groups: settings.iter().map(|(setting, _)| (*setting).to_owned()).collect(),
        panels: metrics().into_iter().map(panel).collect(),
    }
}

fn table(measured: &[Measured]) -> Table {
    let line = |(_, members): (&str, Vec<&Measured>)| {
        let variant = &members[0].job.job.variant;
        let names = [&variant.setting, &variant.label].map(String::as_str);
        let name = names
            .into_iter()
            .filter(|name| !name.is_empty())
            .collect::<Vec<_>>()
            .join(", ");
        let digits = |metric| if metric == MODES { 1 } else { 3 };
        let cells = metrics()
            .into_iter()
            .map(|(metric, beta, _)| dash(over(&members, metric, beta), digits(metric)));
        [name, members.len().to_string()].into_iter().chain(cells).collect()
    };
    let names = metrics().into_iter().map(|(_, _, name)| name);
    Table {
        title: "After all rounds: mean (lowest … highest seed)".into(),
        header: [String::new(), "seeds".into()].into_iter().chain(names).collect(),
        rows: group(measured, |one| &one.job.job.variant.name)
            .into_iter()
            .map(line)
            .collect(),
    }
}
