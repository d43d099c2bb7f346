//! `thermoflow reward`: raw scores of given objects.

use super::{BadInput, Output};
use anyhow::Context;
use serde::Serialize;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use thermoflow::config::{self, RawConfig, RunConfig};
use thermoflow::console::Rows;
use thermoflow::console::policy::Files;
use thermoflow::env::States;
use thermoflow::task::Task;

const EXAMPLES: &str = "\
Examples:
  thermoflow reward --task tfbind8 GATTACAA 20330100
  thermoflow reward --task tfbind8 --input objects.txt > scores.csv
  shuf -n 5 objects.txt | thermoflow reward --task tfbind8 --json
  thermoflow reward --task tfbind8 --table SIX6_REF_R2_8mers.txt GATTACAA
  thermoflow reward --config configs/sequence-program.toml GATTACA GG

Objects are letters of the task's alphabet, or the letters' numbers (0123 for ACGT). The first line that is no object
ends the command; lines before it have been printed. An object that cannot be scored has an empty y (null in JSON).";

/// Prints the raw score y of objects as CSV `x,y`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The task with its published settings, see `thermoflow tasks`
    #[arg(long, required_unless_present = "config", conflicts_with = "config")]
    task: Option<String>,
    /// The task of a configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    files: Files,
    /// File with one object a line; `-` or nothing: standard input
    #[arg(long, value_name = "FILE", conflicts_with = "objects")]
    input: Option<PathBuf>,
    /// Print a JSON object per line: {"x": …, "y": …}
    #[arg(long)]
    json: bool,
    /// Objects, instead of a file
    #[arg(value_name = "OBJECT")]
    objects: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    x: &'a str,
    /// None when the object could not be scored.
    y: Option<f32>,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let task = self.task()?;
        let rows = Rows::new(out, self.json, &["x", "y"])?;
        let object = States::new(task.env.state_width());
        let mut printer = Printer { task, rows, object };
        let from_file = self.input.as_deref().filter(|&path| path != Path::new("-"));
        match from_file {
            _ if !self.objects.is_empty() => self.objects.iter().try_for_each(|object| printer.print(object))?,
            None => printer.print_lines(std::io::stdin().lock(), "standard input")?,
            Some(path) => {
                let file = File::open(path).map_err(|error| BadInput(error.to_string()));
                let file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
                printer.print_lines(BufReader::new(file), &path.display().to_string())?;
            }
        }
        printer.rows.finish()
    }

    fn task(&self) -> anyhow::Result<Task> {
        let mut config = match (&self.config, &self.task) {
            (Some(file), _) => config::load(file, &[], &RawConfig::default())?,
            (None, name) => RunConfig::published(name.as_deref().unwrap_or_default())?,
        };
        self.files.name_in(&mut config)?;
        Ok(Task::load(&config.task)?)
    }
}

/// Scores objects one at a time, so that what comes before a mistake is printed.
struct Printer<'a> {
    task: Task,
    rows: Rows<'a>,
    object: States,
}

impl Printer<'_> {
    fn print_lines(&mut self, input: impl BufRead, name: &str) -> anyhow::Result<()> {
        for (index, line) in input.lines().enumerate() {
            let place = || format!("{name}, line {}", index + 1);
            let line = line.map_err(|error| BadInput(error.to_string())).with_context(place)?;
            self.print(line.trim()).with_context(place)?;
        }
        Ok(())
    }

    fn print(&mut self, text: &str) -> anyhow::Result<()> {
        self.object.clear();
        self.object.push(&self.task.env.parse_object(text)?);
        let scores = self.task.scorer.score(&self.object)?;
        let y = Some(scores[0]).filter(|y| y.is_finite());
        self.rows.write(&Row { x: text, y })
    }
}
