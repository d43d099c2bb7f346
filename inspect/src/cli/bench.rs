//! `thermoflow bench replay`: arguments, and the report as a table. Hidden in `thermoflow replay`, whose program it is.

use super::text::{Table, bytes, count, percent};
use crate::InspectError;
use crate::bench::{Report, Settings, make, make_apart, measure, poll, write};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thermoflow::console::{Output, print_json};

const EXAMPLES: &str = "\
Examples:
  thermoflow bench replay                                    a million made-up trajectories
  thermoflow bench replay --make 10000000 --dir /big --json  ten million, on another disk
  thermoflow bench replay --make 10000000 --out /big/run     makes them and measures nothing
  thermoflow bench replay /big/run                           a replay that is there; it stays as it is";

/// Measures how long questions to a replay take, how much memory they need, and what a reader costs the learner
#[derive(Debug, clap::Args)]
#[command(
    hide = true,
    after_help = EXAMPLES,
    override_usage = "thermoflow bench replay [OPTIONS] [RUN]"
)]
pub struct Args {
    /// Run directory, or a replay.sqlite, to be measured; without it one is made
    #[arg(value_name = "RUN", conflicts_with = "make")]
    run: Option<PathBuf>,
    /// Trajectories to make: TFBind8's, as an asynchronous run with 8 actors would leave them
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    make: u64,
    /// Keep what is made here and measure nothing: a file if it ends in .sqlite, else a run directory
    #[arg(long, value_name = "PLACE", conflicts_with = "run")]
    out: Option<PathBuf>,
    /// Names what is made; the same seed gives the same trajectories
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How often everything is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// How long the writer writes each time
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS", value_parser = seconds)]
    seconds: f64,
    /// Where things are written for the time of the bench: three times the replay's size
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// What this process is to another one of the bench
    #[arg(long, hide = true, requires = "run")]
    part: Option<Part>,
}

/// Processes beside the one that measures.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Part {
    /// Commits as fast as it can
    Write,
    /// Asks for a summary of what is new, again and again
    PollNew,
    /// Asks for a summary of everything, again and again
    PollAll,
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (0.1..=600.0).contains(&number) {
        return Ok(number);
    }
    Err("allowed is 0.1 to 600".into())
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        match (&self.run, &self.out) {
            (Some(run), None) if self.part.is_some() => self.part(run, out),
            (Some(run), None) => self.measure(run, &self.scratch()?, out),
            (None, Some(place)) => self.make(place),
            (None, None) => {
                // In a process of its own too: what this one had at most would count for all that it starts.
                let scratch = self.scratch()?;
                let place = scratch.path().join("run");
                let progress = bar("{spinner} making {human_len} trajectories, {elapsed}");
                progress.set_length(self.make);
                progress.enable_steady_tick(Duration::from_millis(100));
                make_apart(&place, self.make, self.seed)?;
                progress.finish_and_clear();
                self.measure(&place, &scratch, out)
            }
            (Some(_), Some(_)) => unreachable!("clap refuses this"),
        }
    }

    fn part(&self, run: &Path, out: &mut Output) -> anyhow::Result<()> {
        let time = Duration::from_secs_f64(self.seconds);
        match self.part {
            Some(Part::Write) => print_json(&write(run, self.seed, time)?, out),
            Some(Part::PollNew) => print_json(&poll(run, true, out)?, out),
            Some(Part::PollAll) | None => print_json(&poll(run, false, out)?, out),
        }
    }

    fn scratch(&self) -> anyhow::Result<tempfile::TempDir> {
        let made = tempfile::tempdir_in(&self.dir).map_err(|source| InspectError::Write {
            path: self.dir.clone(),
            source,
        });
        Ok(made?)
    }

    fn make(&self, place: &Path) -> anyhow::Result<()> {
        let template = "{bar:32} {human_pos} of {human_len} trajectories, {per_sec}, {eta} left";
        let progress = bar(template);
        progress.set_length(self.make);
        make(place, self.make, self.seed, &progress)?;
        progress.finish_and_clear();
        Ok(())
    }

    fn measure(&self, run: &Path, scratch: &tempfile::TempDir, out: &mut Output) -> anyhow::Result<()> {
        let progress = bar("{bar:32} {pos} of {len}: {msg}");
        let settings = Settings {
            place: run.into(),
            scratch: scratch.path().into(),
            runs: self.runs,
            seconds: self.seconds,
        };
        let report = measure(&settings, &progress)?;
        progress.finish_and_clear();
        if self.json {
            return print_json(&report, out);
        }
        print(&report, out)
    }
}

fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("a fixed template");
    ProgressBar::no_length().with_style(style)
}

fn print(report: &Report, out: &mut Output) -> anyhow::Result<()> {
    writeln!(
        out,
        "{} trajectories, {}: {:.1} bytes each\n",
        count(report.trajectories),
        bytes(report.bytes),
        report.bytes_per_trajectory
    )?;
    let mut table = Table::new(&["question", "s", "median", "CPU s", "trajectories/s", "peak memory"]);
    for question in &report.questions {
        table.row([
            question.question.into(),
            format!("{:.2}", question.seconds),
            format!("{:.2}", question.median_seconds),
            format!("{:.2}", question.cpu_seconds),
            count(question.trajectories_per_second as u64),
            bytes(question.peak_bytes),
        ]);
    }
    writeln!(out, "{table}")?;
    let mut table = Table::new(&["writer beside", "trajectories/s", "loss", "answers", "s per answer"]);
    let none = || String::from("–");
    table.row([
        "nobody".into(),
        count(report.writer.alone as u64),
        none(),
        none(),
        none(),
    ]);
    for beside in &report.writer.beside {
        table.row([
            format!("a reader of {}", beside.reader),
            count(beside.rate as u64),
            percent(beside.loss),
            count(beside.answers),
            format!("{:.3}", beside.seconds_per_answer),
        ]);
    }
    Ok(write!(out, "{table}")?)
}
