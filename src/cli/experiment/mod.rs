//! `thermoflow experiment`: a figure of the paper from nothing: all its runs, then numbers, pictures and a report.
//!
//! The library says which runs there are and what is made of them (`thermoflow::experiment`). Here they are run, several
//! at a time, each as `thermoflow train` would run it; what is there already is gone on with.

mod folder;
mod progress;
mod publish;
mod runner;

use super::Output;
use anyhow::{Context, anyhow};
use folder::Folder;
use runner::{End, Outcome};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use thermoflow::console::print_json;
use thermoflow::experiment::{EXPERIMENTS, Experiment, FinishedJob, Options};

const EXAMPLES: &str = "\
Examples:
  thermoflow experiment --list                          all experiments, and what the whole of each costs
  thermoflow experiment modes                           all of it, into experiments/modes
  thermoflow experiment modes --rounds 100 --seeds 2    a small one: fewer rounds, seeds 0 and 1
  thermoflow experiment stability --seeds 0,5 --jobs 4 --out results/stability

Ctrl-C stops all runs, each with a checkpoint; the same command goes on with them. Runs that are finished are not run
again. The folder gets results.csv, table.md, report.html, and every figure as SVG and PNG.";

/// Reproduces a figure of the paper: runs, numbers, pictures, report
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Which one; --list names them
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// A number N of seeds (0 to N − 1), or a list of seeds such as 0,4,7 [default: what --list says, mostly 3]
    #[arg(long, value_parser = parse_seeds)]
    seeds: Option<Seeds>,
    /// Tasks to run it on, by their names [default: the quick ones; --list says which there are]
    #[arg(long = "task", value_name = "NAME[,NAME]", value_delimiter = ',')]
    tasks: Vec<String>,
    /// Rounds of every run [default: those of the paper]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: Option<u64>,
    /// Runs at a time [default: the cores there are]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=512))]
    jobs: Option<u32>,
    /// Where everything is kept [default: experiments/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// List the experiments instead
    #[arg(long)]
    list: bool,
    /// Print one JSON object on the outcome (or, with --list, an array)
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone)]
struct Seeds(Vec<u64>);

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    summary: &'static str,
    seeds: u64,
    runs: usize,
    cost: &'static str,
    tasks: &'static [&'static str],
    more_tasks: &'static [&'static str],
}

#[derive(Serialize)]
struct Summary<'a> {
    experiment: &'a str,
    folder: String,
    runs: &'a [Outcome],
    files: Vec<String>,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let Some(name) = self.name.as_deref().filter(|_| !self.list) else {
            return self.print_list(out);
        };
        let experiment = Experiment::find(name)?;
        let options = Options {
            rounds: self.rounds,
            tasks: self.tasks.clone(),
        };
        let jobs = experiment.jobs(&options, &self.seeds_of(experiment))?;
        let place = self
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from("experiments").join(name));
        let folder = Folder::open(&place, experiment.name, &options)?;
        let runs = folder.plan(jobs)?;

        let parallel = self.parallel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let outcomes = runtime.block_on(runner::run_all(runs, parallel))?;
        let files = self.publish(experiment, &folder, &outcomes)?;
        self.print(experiment, &folder, &outcomes, files, out)?;
        refuse_unfinished(&outcomes)
    }

    fn seeds_of(&self, experiment: &Experiment) -> Vec<u64> {
        let given = self.seeds.as_ref().map(|seeds| seeds.0.clone());
        given.unwrap_or_else(|| (0..experiment.seeds).collect())
    }

    fn parallel(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, |count| count.get());
        self.jobs.map_or_else(cores, |jobs| jobs as usize)
    }

    /// Makes everything of the finished runs; returns the names of the files. Nothing when none is finished or we were
    /// asked to stop.
    fn publish(&self, experiment: &Experiment, folder: &Folder, outcomes: &[Outcome]) -> anyhow::Result<Vec<String>> {
        if outcomes.iter().any(|outcome| outcome.end == End::Stopped) {
            return Ok(Vec::new());
        }
        let finished = outcomes.iter().filter(|outcome| outcome.end == End::Finished);
        let loaded: Result<Vec<_>, _> = finished
            .map(|outcome| FinishedJob::load(outcome.run.job.clone(), &outcome.run.run_dir))
            .collect();
        let (loaded, missing) = (loaded?, outcomes.iter().filter(|o| o.end != End::Finished).count());
        if loaded.is_empty() {
            return Ok(Vec::new());
        }
        let mut findings = (experiment.analyse)(&loaded)?;
        if missing > 0 {
            let note = format!("{missing} of {} runs failed and are missing here.", outcomes.len());
            findings.notes.insert(0, note);
        }
        publish::publish(experiment, folder, &loaded, &findings, &self.command(experiment))
            .with_context(|| format!("the results cannot be written to {}", folder.path().display()))
    }

    /// The command that does this again.
    fn command(&self, experiment: &Experiment) -> String {
        let seeds: Vec<String> = self.seeds_of(experiment).iter().map(u64::to_string).collect();
        let mut command = format!("thermoflow experiment {} --seeds {}", experiment.name, seeds.join(","));
        if seeds.len() == 1 {
            command.push(',');
        }
        self.rounds
            .iter()
            .for_each(|rounds| command += &format!(" --rounds {rounds}"));
        if !self.tasks.is_empty() {
            command += &format!(" --task {}", self.tasks.join(","));
        }
        command
    }

    fn print(
        &self,
        experiment: &Experiment,
        folder: &Folder,
        outcomes: &[Outcome],
        files: Vec<String>,
        out: &mut Output,
    ) -> anyhow::Result<()> {
        let place = folder.path().display();
        if self.json {
            let summary = Summary {
                experiment: experiment.name,
                folder: place.to_string(),
                runs: outcomes,
                files,
            };
            return print_json(&summary, out);
        }
        let count = |end: fn(&End) -> bool| outcomes.iter().filter(|outcome| end(&outcome.end)).count();
        let (finished, stopped) = (count(|end| *end == End::Finished), count(|end| *end == End::Stopped));
        writeln!(out, "{finished} of {} runs are finished.", outcomes.len())?;
        if stopped > 0 {
            writeln!(out, "The same command goes on with the rest:")?;
            writeln!(out, "  {} --out {place}", self.command(experiment))?;
        }
        if !files.is_empty() {
            writeln!(out, "In {place}: {}", files.join(", "))?;
        }
        Ok(())
    }

    fn print_list(&self, out: &mut Output) -> anyhow::Result<()> {
        let listed: Result<Vec<_>, _> = EXPERIMENTS.iter().map(|experiment| Listed::new(experiment)).collect();
        let listed = listed?;
        if self.json {
            return print_json(&listed, out);
        }
        for experiment in listed {
            experiment.print(out)?;
        }
        Ok(())
    }
}

impl Listed {
    fn new(experiment: &Experiment) -> anyhow::Result<Self> {
        let seeds: Vec<u64> = (0..experiment.seeds).collect();
        Ok(Self {
            name: experiment.name,
            summary: experiment.summary,
            seeds: experiment.seeds,
            runs: experiment.jobs(&Options::default(), &seeds)?.len(),
            cost: experiment.cost,
            tasks: experiment.tasks,
            more_tasks: experiment.more_tasks,
        })
    }

    fn print(&self, out: &mut Output) -> std::io::Result<()> {
        let Self {
            name,
            summary,
            cost,
            seeds,
            runs,
            tasks,
            more_tasks,
        } = self;
        writeln!(out, "{name}\n    {summary}")?;
        writeln!(out, "    whole: {runs} runs ({seeds} seeds), {cost}")?;
        write!(out, "    tasks: {}", tasks.join(", "))?;
        if !more_tasks.is_empty() {
            write!(out, "; with --task also {}", more_tasks.join(", "))?;
        }
        writeln!(out, "\n")
    }
}

/// A failed run is a failure of the whole, after everything was made of the others.
fn refuse_unfinished(outcomes: &[Outcome]) -> anyhow::Result<()> {
    let failed = outcomes.iter().filter_map(|outcome| match &outcome.end {
        End::Failed(error) => Some(format!(
            "{}: {error} (see {})",
            outcome.run.job.name(),
            outcome.run.log.display()
        )),
        _ => None,
    });
    let failed: Vec<String> = failed.collect();
    match failed.len() {
        0 => Ok(()),
        count => Err(anyhow!(
            "{count} of {} runs failed: {}",
            outcomes.len(),
            failed.join("; ")
        )),
    }
}

/// Reads `3` (three seeds) or `0,4,7`.
fn parse_seeds(text: &str) -> Result<Seeds, String> {
    const ALLOWED: &str = "a number from 1 to 1000, or different seeds such as 0,4,7 (for a single one: 4,)";
    let number = |part: &str| part.trim().parse::<u64>().map_err(|_| format!("allowed is {ALLOWED}"));
    let seeds: Vec<u64> = if text.contains(',') {
        let parts = text.strip_suffix(',').unwrap_or(text).split(',');
        parts.map(number).collect::<Result<_, _>>()?
    } else {
        (0..number(text)?.min(1001)).collect()
    };
    let distinct: std::collections::BTreeSet<_> = seeds.iter().collect();
    // A seed is a number of TOML, which are signed.
    let fit = seeds.iter().all(|&seed| i64::try_from(seed).is_ok());
    if (1..=1000).contains(&seeds.len()) && distinct.len() == seeds.len() && fit {
        Ok(Seeds(seeds))
    } else {
        Err(format!("allowed is {ALLOWED}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_list() {
        let read = |text: &str| parse_seeds(text).map(|seeds| seeds.0);
        assert_eq!(read("3").unwrap(), [0, 1, 2]);
        assert_eq!(read("4, 0").unwrap(), [4, 0]);
        assert_eq!(read("4,").unwrap(), [4]);
        for wrong in ["0", "", ",", "1,1", "-1", "x", "5000", "18446744073709551615,1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
