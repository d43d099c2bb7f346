//! `thermoflow replay compare`: runs side by side.

use super::draw::{Picture, save};
use super::text::{Table, count, percent, seconds, sparkline};
use super::timeline::Axis;
use crate::compare::{Compared, compare};
use crate::figure;
use crate::groups::number;
use crate::replay::Replay;
use std::io::Write;
use std::path::PathBuf;
use thermoflow::console::{Output, print_json};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay compare runs/a runs/b
  thermoflow replay compare runs/* --where \"beta > 2\" --out compared.png";

/// Compares runs: what was found, how fast, and how each went
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Run directories, or files replay.sqlite
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    runs: Vec<PathBuf>,
    /// Only trajectories for which this SQL condition is true
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    #[command(flatten)]
    axis: Axis,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    picture: Picture,
}

/// A line of the table: its name, and what it says of a run.
type Line = (&'static str, fn(&Compared) -> Option<String>);

const LINES: [Line; 12] = [
    ("task", |run| run.summary.task.clone()),
    ("trajectories", |run| Some(count(run.summary.trajectories))),
    ("distinct x", |run| Some(count(run.summary.distinct))),
    ("duplicates", |run| Some(percent(run.summary.duplicates))),
    ("modes", |run| {
        run.summary
            .modes
            .map(|modes| format!("{} of {}", count(modes.found), count(modes.known)))
    }),
    ("best y", |run| run.best_y.map(number)),
    ("mean y of the best 100", |run| run.top100_y.map(number)),
    ("time", |run| {
        run.summary
            .span
            .as_ref()
            .map(|span| seconds((span.last_us - span.first_us) as f64 / 1e6))
    }),
    ("trajectories/s", |run| {
        run.summary.span.as_ref().map(|span| number(span.per_second.round()))
    }),
    ("actors", |run| Some(count(run.summary.actors.len() as u64))),
    ("staleness, median", |run| {
        run.summary.staleness.map(|staleness| number(staleness.p50))
    }),
    ("too stale", |run| Some(percent(run.summary.too_stale))),
];

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let open = |run: &PathBuf| {
            let mut replay = Replay::open(run)?;
            replay.show_progress();
            Ok(replay)
        };
        let replays: Vec<Replay> = self.runs.iter().map(open).collect::<anyhow::Result<_>>()?;
        let axis = (self.axis.over, self.axis.parts.into());
        let compared = compare(&replays, self.condition.as_deref(), axis)?;
        if let Some(path) = &self.picture.out {
            let timelines = compared.iter().map(|run| (run.name.clone(), run.timeline.clone()));
            save(&figure::timelines(&timelines.collect::<Vec<_>>()), path)?;
            if !self.json {
                return Ok(writeln!(out, "{}", path.display())?);
            }
        }
        if self.json {
            return print_json(&compared, out);
        }
        print(&compared, out)
    }
}

fn print(compared: &[Compared], out: &mut Output) -> anyhow::Result<()> {
    let names: Vec<&str> = [""]
        .into_iter()
        .chain(compared.iter().map(|run| run.name.as_str()))
        .collect();
    let mut table = Table::new(&names);
    for (name, value) in LINES {
        let cells = compared.iter().map(|run| value(run).unwrap_or_else(|| "–".into()));
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    let tasks: Vec<_> = compared.iter().filter_map(|run| run.summary.task.as_deref()).collect();
    write!(out, "{table}")?;
    if tasks.windows(2).any(|pair| pair[0] != pair[1]) {
        writeln!(
            out,
            "\nthese are runs of different tasks: scores and modes are not the same thing"
        )?;
    }
    writeln!(out, "\nmean y of the best 100 so far, on one scale")?;
    let all = || {
        compared
            .iter()
            .flat_map(|run| run.timeline.parts.iter().map(|part| part.top100_y))
    };
    let (low, high) = (
        all().fold(f64::INFINITY, f64::min),
        all().fold(f64::NEG_INFINITY, f64::max),
    );
    let mut curves = Table::facts();
    for run in compared {
        let height = |y: f64| (1.0 + 99.0 * (y - low) / (high - low).max(1e-12)).round() as u64;
        let heights: Vec<u64> = run.timeline.parts.iter().map(|part| height(part.top100_y)).collect();
        curves.row([run.name.clone(), sparkline(&heights)]);
    }
    Ok(write!(out, "{curves}")?)
}
