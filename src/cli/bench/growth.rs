//! `thermoflow bench growth`: the same bench at one size after the other, as a table and a picture.

use super::child::{Child, allowed_cores};
use super::compute::Work;
use super::{PUBLISHED, check_seconds, fleet};
use crate::cli::{BadInput, Output};
use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use thermoflow::console::print_json;
use thermoflow::durable;
use thermoflow::plot::{self, Axis, Figure, LinePanel, LinePlot, Point, Series};
use thermoflow::report::Table;

const EXAMPLES: &str = "\
Examples:
  thermoflow bench growth --over batch                            rounds of 16 to 4096 trajectories
  thermoflow bench growth --over hidden --of train --out hidden.svg
  thermoflow bench growth --over length --of rollout              RNA strings of 4 to 32 letters
  thermoflow bench growth --over actors --values 1,2,4 --seconds 20
  thermoflow bench growth --over cores                            a learner and actors held to 1, 2, … cores (taskset)";

/// A PNG has so many pixels for one of the SVG.
const PNG_SCALE: f32 = 2.0;

/// Stands for what a bench does not say.
const NOT_SAID: &str = "–";

/// Width of the longest bar, characters.
const BAR: f64 = 24.0;

/// What grows.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What becomes larger
    #[arg(long)]
    over: Over,
    /// What is measured; actors and cores always work as a fleet [default: round]
    #[arg(long)]
    of: Option<Work>,
    /// The sizes [default: some from small to large]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    values: Vec<usize>,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Configuration file; those of configs/bench are known without the file [default: TFBind8 with the published settings; over
    /// length RNA strings, over actors and cores TFBind8 running freely]
    #[arg(long, value_name = "CONFIG")]
    config: Option<String>,
    /// Set a key of the configuration: a dotted path and a TOML value (may be given more than once)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Draw it, as PNG or SVG by the ending
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Over {
    /// Trajectories rolled out per round, with as many replayed
    Batch,
    /// Hidden and embedding size
    Hidden,
    /// Letters of a string
    Length,
    /// Actor processes beside the learner
    Actors,
    /// Cores, with a process on each: the learner and, from two on, an actor less
    Cores,
}

#[derive(Debug, Serialize)]
struct Report {
    over: Over,
    points: Vec<Size>,
}

/// One size, and what the bench said of it.
#[derive(Debug, Serialize)]
struct Size {
    value: usize,
    command: String,
    #[serde(flatten)]
    report: Value,
}

impl Over {
    fn values(self) -> Vec<usize> {
        match self {
            Self::Batch => vec![16, 64, 256, 1024, 4096],
            Self::Hidden => vec![32, 64, 128, 256, 512, 1024],
            Self::Length => vec![4, 8, 16, 32],
            Self::Actors => vec![1, 2, 4, 8],
            Self::Cores => {
                let here = allowed_cores().len();
                let powers = std::iter::successors(Some(1), |cores| Some(2 * cores));
                powers.take_while(|cores| *cores <= here).collect()
            }
        }
    }

    fn is_of_processes(self) -> bool {
        matches!(self, Self::Actors | Self::Cores)
    }

    /// The axis, and the first column.
    fn label(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Hidden => "hidden size",
            Self::Length => "letters",
            Self::Actors => "actors",
            Self::Cores => "cores",
        }
    }
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        check_seconds(self.seconds)?;
        self.check()?;
        let values = if self.values.is_empty() {
            self.over.values()
        } else {
            self.values.clone()
        };
        for &value in &values {
            if let Some(what) = self.child(value).lacks() {
                return Err(BadInput(format!("--values has {value}, which takes {what}")).into());
            }
        }
        let bar = indicatif::ProgressBar::new(values.len() as u64);
        let mut points = Vec::new();
        for value in values {
            let child = self.child(value);
            points.push(Size {
                value,
                command: child.command(),
                report: child.run(self.seconds)?,
            });
            bar.inc(1);
        }
        bar.finish_and_clear();
        let report = Report {
            over: self.over,
            points,
        };
        if let Some(path) = &self.out {
            draw(&report, path)?;
        }
        if self.json {
            return print_json(&report, out);
        }
        Ok(write!(out, "{}", report.table().markdown())?)
    }

    fn check(&self) -> Result<(), BadInput> {
        let of = self.of.filter(|_| self.over.is_of_processes());
        if let Some(of) = of {
            return Err(BadInput(format!(
                "--of {} is computed by one process: over {} a whole run is measured, without --of",
                of.name(),
                self.over.label()
            )));
        }
        if self.values.contains(&0) {
            return Err(BadInput("--values has a 0; allowed are sizes from 1 up".into()));
        }
        let ending = self.out.as_ref().map(|path| ending(path));
        match ending {
            None | Some("svg" | "png") => Ok(()),
            Some(other) => Err(BadInput(format!("--out ends in {other:?}; allowed are .svg and .png"))),
        }
    }

    /// The bench of one size.
    fn child(&self, value: usize) -> Child {
        let (bench, config) = match self.over {
            Over::Actors | Over::Cores => ("fleet", fleet::ASYNC),
            _ => (self.of.unwrap_or(Work::Round).name(), PUBLISHED),
        };
        let mut arguments = vec![bench.to_owned()];
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        add("--config", self.config.clone().unwrap_or_else(|| config.into()));
        if self.over == Over::Length && self.config.is_none() {
            add("--set", "task.name=\"rna1\"".into());
        }
        // What is not said of a file is as it says.
        let replays_as_many = self.over == Over::Batch && self.config.is_none();
        match self.over {
            Over::Batch => add("--batch", value.to_string()),
            Over::Hidden => add("--set", format!("policy.hidden={value}")),
            Over::Length => add("--set", format!("task.length={value}")),
            Over::Actors => add("--actors", value.to_string()),
            Over::Cores => add("--actors", value.saturating_sub(1).max(1).to_string()),
        }
        if replays_as_many {
            add("--set", format!("replay.batch={value}"));
        }
        self.sets.iter().for_each(|set| add("--set", set.clone()));
        Child {
            arguments,
            cores: (self.over == Over::Cores).then_some(value),
        }
    }
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

impl Size {
    fn number(&self, key: &str) -> Option<f64> {
        self.report[key].as_f64()
    }

    fn rate(&self) -> f64 {
        self.number("trajectories_per_second").unwrap_or_default()
    }

    /// What was measured, in the legend.
    fn name(&self) -> String {
        format!("bench {}", self.report["work"].as_str().unwrap_or_default())
    }
}

impl Report {
    fn table(&self) -> Table {
        let header = [
            self.over.label(),
            "trajectories/s",
            "ms each",
            "MFLOP a trajectory",
            "GFLOP/s",
            "of the machine",
            "memory, MiB",
            "",
        ];
        let fastest = self.points.iter().map(Size::rate).fold(f64::MIN_POSITIVE, f64::max);
        let row = |point: &Size| {
            let number = |key: &str, unit: f64, digits: usize| {
                let value = point.number(key);
                value.map_or_else(|| NOT_SAID.into(), |value| format!("{:.digits$}", value / unit))
            };
            vec![
                point.value.to_string(),
                number("trajectories_per_second", 1.0, 0),
                number("milliseconds_per_repetition", 1.0, 2),
                number("flops_per_trajectory", 1e6, 3),
                number("gflops", 1.0, 1),
                point
                    .number("share_of_machine")
                    .map_or_else(|| NOT_SAID.into(), |share| format!("{:.0} %", 100.0 * share)),
                number("peak_memory_bytes", f64::from(1 << 20), 0),
                "▇".repeat((BAR * point.rate() / fastest).round() as usize),
            ]
        };
        let rows: Vec<Vec<String>> = self.points.iter().map(row).collect();
        // A fleet does not say all of it.
        let said = |column: &usize| rows.iter().any(|row| row[*column] != NOT_SAID);
        let columns: Vec<usize> = (0..header.len()).filter(said).collect();
        let only = |row: &Vec<String>| columns.iter().map(|&column| row[column].clone()).collect();
        Table {
            title: format!("Speed over {}", self.over.label()),
            header: columns.iter().map(|&column| header[column].to_owned()).collect(),
            rows: rows.iter().map(only).collect(),
        }
    }

    fn figure(&self) -> Figure {
        let points = self
            .points
            .iter()
            .map(|point| Point::bare(point.value as f64, point.rate()));
        let panel = LinePanel {
            x: Axis::log(self.over.label()),
            y: Axis::log("trajectories a second"),
            series: vec![Series {
                name: self.points.first().map_or_else(String::new, |point| point.name()),
                points: points.collect(),
                dots: true,
            }],
            ..LinePanel::default()
        };
        Figure::Lines(LinePlot { panels: vec![panel] })
    }
}

fn draw(report: &Report, path: &Path) -> anyhow::Result<()> {
    let svg = report.figure().svg()?;
    let bytes = match ending(path) {
        "png" => plot::png(&svg, PNG_SCALE)?,
        _ => svg.into_bytes(),
    };
    durable::replace(path, &bytes).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(over: Over) -> Args {
        Args {
            over,
            of: None,
            values: Vec::new(),
            seconds: 1.0,
            config: None,
            sets: vec!["seed=3".into()],
            out: None,
            json: false,
        }
    }

    #[test]
    fn a_size_is_a_command_that_a_person_can_repeat() {
        let command = |over, value| args(over).child(value).command();
        assert_eq!(
            command(Over::Batch, 64),
            "thermoflow bench round --config configs/bench/tfbind8.toml --batch 64 --set replay.batch=64 --set seed=3"
        );
        assert!(command(Over::Length, 8).contains("--set task.name=\"rna1\" --set task.length=8"));
        assert!(
            command(Over::Actors, 3)
                .starts_with("thermoflow bench fleet --config configs/bench/tfbind8-async.toml --actors 3")
        );
        let pinned = args(Over::Cores).child(1);
        assert_eq!((pinned.cores, pinned.arguments[4].as_str()), (Some(1), "1"));
    }

    #[test]
    fn the_table_has_a_bar_in_proportion_and_only_what_was_said() {
        let size = |value, rate| Size {
            value,
            command: String::new(),
            report: serde_json::json!({ "trajectories_per_second": rate, "gflops": 1.5 }),
        };
        let report = Report {
            over: Over::Batch,
            points: vec![size(16, 50.0), size(64, 100.0)],
        };
        let table = report.table();
        assert_eq!(table.header, ["batch", "trajectories/s", "GFLOP/s", ""]);
        assert_eq!(table.rows[0][..3], ["16", "50", "1.5"]);
        assert_eq!(table.rows[0][3].chars().count(), 12);
        assert!(report.figure().svg().unwrap().contains("trajectories a second"));
    }
}
