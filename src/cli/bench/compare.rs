//! `thermoflow bench compare`: every work that others have measured, measured here, beside their figures.

use super::child::Child;
use super::works::{REFERENCE_GFLOPS, Reference, WORKS, Work};
use super::{Given, check_seconds};
use crate::cli::{BadInput, Output};
use anyhow::Context;
use clap::builder::PossibleValuesParser;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use thermoflow::console::check::native_speed;
use thermoflow::console::print_json;
use thermoflow::durable;
use thermoflow::process;
use thermoflow::report::Table;
use thermoflow::task::blocks::BlockDataError;
use thermoflow::task::{Task, TaskError};

const EXAMPLES: &str = "\
Examples:
  thermoflow bench compare                                   all of it, in a minute
  thermoflow bench compare --only gfnx-16 gfnx-256
  thermoflow bench compare --seconds 20 --save here.json     longer, and kept …
  thermoflow bench compare --with here.json                  … to be shown beside those of another machine

Machines are compared by their products of f32 matrices: a ratio is corrected as if this one did 63 GFLOP/s on a core, as the one did
on which the references were measured. QM9str and sEHstr need the authors' data (thermoflow data import).";

/// What to compare.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Seconds of each measurement
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Only these
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = PossibleValuesParser::new(WORKS.iter().map(|work| work.name)))]
    only: Vec<String>,
    /// Keep what was measured
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Show what was kept, of this or another machine, beside it
    #[arg(long, value_name = "FILE", num_args = 1..)]
    with: Vec<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// What was measured on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Comparison {
    machine: String,
    /// f32 products of matrices on one core.
    gflops: f64,
    reference_gflops: f64,
    seconds: f64,
    rows: Vec<Row>,
}

/// One work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    name: String,
    about: String,
    command: String,
    /// What is not here that it takes; then nothing was measured.
    needs: Option<String>,
    /// Trajectories a second.
    here: Option<f64>,
    who: String,
    /// Trajectories a second; measured here where there is no figure.
    reference: Option<f64>,
    ratio: Option<f64>,
    /// As if this machine were as fast as that of the reference.
    corrected: Option<f64>,
    /// The ratio that is wanted.
    at_least: Option<f64>,
    reached: Option<bool>,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        check_seconds(self.seconds)?;
        let others = self
            .with
            .iter()
            .map(|path| read(path))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let is_asked_for = |work: &&Work| self.only.is_empty() || self.only.iter().any(|name| name == work.name);
        let works: Vec<&Work> = WORKS.iter().filter(is_asked_for).collect();
        let gflops = native_speed().gflops.context("a speed has been measured")?;
        let bar = indicatif::ProgressBar::new(works.len() as u64);
        let style =
            indicatif::ProgressStyle::with_template("{bar:24} {pos} of {len} · {msg}").expect("a fixed template");
        bar.set_style(style);
        let mut rows = Vec::new();
        for work in works {
            bar.set_message(work.name);
            rows.push(Row::measure(work, self.seconds, gflops)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let comparison = Comparison {
            machine: process::machine(),
            gflops,
            reference_gflops: REFERENCE_GFLOPS,
            seconds: self.seconds,
            rows,
        };
        if let Some(path) = &self.save {
            let json = serde_json::to_vec_pretty(&comparison)?;
            durable::replace(path, &json).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        if self.json {
            return print_json(&serde_json::json!({ "here": comparison, "with": others }), out);
        }
        write!(out, "{}", comparison.text(&others))?;
        Ok(())
    }
}

/// What was kept.
fn read(path: &Path) -> anyhow::Result<Comparison> {
    let bytes = std::fs::read(path).map_err(|error| BadInput(format!("{} cannot be read: {error}", path.display())))?;
    let comparison = serde_json::from_slice(&bytes);
    let none =
        |error: serde_json::Error| BadInput(format!("{} is none of `bench compare --save`: {error}", path.display()));
    Ok(comparison.map_err(none)?)
}

impl Row {
    fn measure(work: &Work, seconds: f64, gflops: f64) -> anyhow::Result<Self> {
        let ours = work.ours();
        let mut row = Self {
            name: work.name.into(),
            about: work.about.into(),
            command: ours.command(),
            needs: lacks(&ours)?,
            here: None,
            who: work.reference.who().into(),
            reference: None,
            ratio: None,
            corrected: None,
            at_least: work.at_least,
            reached: None,
        };
        // The reference's own figure stands even where nothing can be measured.
        if let Reference::Published { per_second, .. } = work.reference {
            row.reference = Some(per_second);
        }
        if row.needs.is_some() {
            return Ok(row);
        }
        let here = rate(&ours, seconds)?;
        let (reference, correction) = match work.reference {
            Reference::Published { per_second, .. } => (per_second, REFERENCE_GFLOPS / gflops),
            Reference::Here { command, cores, .. } => (rate(&Child::new(command, cores), seconds)?, 1.0),
        };
        Ok(row.with_rates(here, reference, correction))
    }

    fn with_rates(mut self, here: f64, reference: f64, correction: f64) -> Self {
        let corrected = here / reference * correction;
        self.here = Some(here);
        self.reference = Some(reference);
        self.ratio = Some(here / reference);
        self.corrected = Some(corrected);
        self.reached = self.at_least.map(|wanted| corrected >= wanted);
        self
    }
}

fn rate(child: &Child, seconds: f64) -> anyhow::Result<f64> {
    let report = child.run(seconds)?;
    report["trajectories_per_second"]
        .as_f64()
        .with_context(|| format!("`{}` says no trajectories_per_second", child.command()))
}

/// What a bench lacks here: cores, or data that users import.
fn lacks(child: &Child) -> anyhow::Result<Option<String>> {
    let config = child.config().context("every work names its configuration")?;
    match Task::load(&Given::default().load(config, Vec::new())?.task) {
        Err(TaskError::DataFile(error @ BlockDataError::NotImported { .. })) => Ok(Some(format!("data: {error}"))),
        loaded => {
            loaded?;
            Ok(child.lacks())
        }
    }
}

impl Comparison {
    /// Calibration, the table, and what is missing.
    fn text(&self, others: &[Self]) -> String {
        let mut text = format!(
            "Calibration: {:.1} GFLOP/s in products of f32 matrices on one core ({}); the references: {REFERENCE_GFLOPS}.\n",
            self.gflops, self.machine
        );
        for (number, other) in (1..).zip(others) {
            text += &format!("[{number}]: {:.1} GFLOP/s ({}).\n", other.gflops, other.machine);
        }
        text += &format!("\n{}", self.table(others).markdown());
        for row in &self.rows {
            if let Some(needs) = &row.needs {
                text += &format!("\n{} needs {needs}\n", row.name);
            }
        }
        text
    }

    fn table(&self, others: &[Self]) -> Table {
        let names = ["work", "here", "reference", "ratio", "corrected", "wanted"];
        let mut header = names.map(str::to_owned).to_vec();
        for number in 1..=others.len() {
            header.extend([format!("[{number}]"), format!("[{number}] corrected")]);
        }
        header.push("command".into());
        let rows = self.rows.iter().map(|row| {
            let mut cells = row.cells();
            for other in others {
                let theirs = other.rows.iter().find(|theirs| theirs.name == row.name);
                cells.push(per_second(theirs.and_then(|row| row.here)));
                cells.push(times(theirs.and_then(|row| row.corrected)));
            }
            cells.push(format!("`{}`", row.command));
            cells
        });
        Table {
            title: "Trajectories a second".into(),
            rows: rows.collect(),
            header,
        }
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let here = match &self.needs {
            Some(needs) => format!("needs {}", needs.split(':').next().unwrap_or_default()),
            None => per_second(self.here),
        };
        let wanted = match (self.at_least, self.reached) {
            (Some(wanted), Some(false)) => format!("≥ {wanted:.1}, missed"),
            (Some(wanted), _) => format!("≥ {wanted:.1}"),
            (None, _) => "–".into(),
        };
        vec![
            self.about.clone(),
            here,
            format!("{} {}", self.who, per_second(self.reference)),
            times(self.ratio),
            times(self.corrected),
            wanted,
        ]
    }
}

/// A rate to three digits.
fn per_second(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".into(), |rate| format!("{rate:.*}/s", usize::from(rate < 100.0)))
}

fn times(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".into(), |ratio| format!("{ratio:.2} ×"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(needs: Option<&str>) -> Row {
        Row {
            name: "a".into(),
            about: "some work".into(),
            command: "thermoflow bench round".into(),
            needs: needs.map(str::to_owned),
            here: None,
            who: "they".into(),
            reference: Some(50.0),
            ratio: None,
            corrected: None,
            at_least: Some(2.0),
            reached: None,
        }
    }

    fn comparison(row: Row) -> Comparison {
        Comparison {
            machine: "a machine".into(),
            gflops: 126.0,
            reference_gflops: REFERENCE_GFLOPS,
            seconds: 1.0,
            rows: vec![row],
        }
    }

    #[test]
    fn a_machine_of_twice_the_speed_has_to_be_twice_as_fast() {
        let row = row(None).with_rates(190.0, 50.0, 0.5);
        assert_eq!(
            (row.ratio, row.corrected, row.reached),
            (Some(3.8), Some(1.9), Some(false))
        );
        let text = comparison(row.clone()).text(&[comparison(row.with_rates(210.0, 50.0, 0.5))]);
        for part in [
            "Calibration: 126.0 GFLOP/s",
            "references: 63.",
            "[1]: 126.0 GFLOP/s (a machine)",
            "| some work | 190/s | they 50.0/s | 3.80 × | 1.90 × | ≥ 2.0, missed | 210/s | 2.10 × | `thermoflow bench round` |",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }

    #[test]
    fn what_cannot_be_measured_is_shown_with_what_it_needs() {
        let text = comparison(row(Some("data: it is not there"))).text(&[]);
        assert!(text.contains("| some work | needs data | they 50.0/s |"), "{text}");
        assert!(text.ends_with("\na needs data: it is not there\n"), "{text}");
    }
}
