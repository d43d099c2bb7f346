//! `thermoflow reward`: raw scores of given objects.

use super::{BadInput, Output};
use anyhow::Context;
use serde::Serialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use thermoflow::env::States;
use thermoflow::task::{Task, TaskKind};

const EXAMPLES: &str = "\
Examples:
  thermoflow reward --task tfbind8 GATTACAA 20330100
  thermoflow reward --task tfbind8 --input objects.txt > scores.csv
  shuf -n 5 objects.txt | thermoflow reward --task tfbind8 --json
  thermoflow reward --task tfbind8 --table SIX6_REF_R2_8mers.txt GATTACAA

Objects are letters of the task's alphabet, or the letters' numbers (0123 for ACGT). The first line that is no object
ends the command; lines before it have been printed.";

/// Prints the raw score y of objects as CSV `x,y`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The task, see `thermoflow tasks`
    #[arg(long)]
    task: String,
    /// Score table to use instead of the built-in one
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
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
    y: f32,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let mut config = TaskKind::find(&self.task)?.config();
        config.table = self.table;
        let mut printer = Printer::new(Task::load(&config)?, self.json, out)?;
        if !self.objects.is_empty() {
            return self.objects.iter().try_for_each(|object| printer.print(object));
        }
        match self.input.as_deref().filter(|&path| path != Path::new("-")) {
            None => printer.print_lines(std::io::stdin().lock(), "standard input"),
            Some(path) => {
                let file = File::open(path).map_err(|error| BadInput(error.to_string()));
                let file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
                printer.print_lines(BufReader::new(file), &path.display().to_string())
            }
        }
    }
}

/// Scores objects one at a time, so that what comes before a mistake is printed.
struct Printer<'a> {
    task: Task,
    json: bool,
    out: &'a mut Output,
    object: States,
}

impl<'a> Printer<'a> {
    fn new(task: Task, json: bool, out: &'a mut Output) -> anyhow::Result<Self> {
        if !json {
            writeln!(out, "x,y")?;
        }
        let object = States::new(task.env.state_width());
        Ok(Self {
            task,
            json,
            out,
            object,
        })
    }

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
        let row = Row { x: text, y: scores[0] };
        if self.json {
            serde_json::to_writer(&mut *self.out, &row)?;
            writeln!(self.out)?;
            return Ok(());
        }
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(&mut *self.out);
        Ok(csv.serialize(row)?)
    }
}
