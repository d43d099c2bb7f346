//! `thermoflow launch status`.

use super::logs::last_lines;
use super::queue;
use crate::cli::{Output, train};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use thermoflow::console::print_json;
use thermoflow::launch::queue::{Task, Who};
use thermoflow::launch::{LaunchPaths, Record};
use thermoflow::metrics::MetricsRow;
use thermoflow::metrics::jsonl;
use thermoflow::plan::Advice;
use thermoflow::run_dir::RunRecord;

/// Shows who runs where and how training goes
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run directory
    run: PathBuf,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Status {
    run: PathBuf,
    id: String,
    /// Actors that there should be.
    actors: u32,
    programs: Vec<Program>,
    /// The last report.
    progress: Option<MetricsRow>,
    /// What limits it, where actors and learner run freely.
    advice: Option<Advice>,
}

#[derive(Debug, Serialize)]
struct Program {
    name: String,
    /// Actors in it.
    actors: u32,
    job: String,
    state: String,
    live: bool,
    node: String,
    time: String,
    reason: String,
    /// Trajectories per second by the last report.
    rate: Option<f64>,
    last_words: String,
}

impl Program {
    fn new(who: Who, task: Task, record: &Record, paths: &LaunchPaths, progress: Option<&MetricsRow>) -> Self {
        Self {
            actors: match who {
                Who::Learner => 0,
                Who::Actor(_) => record.plan.actors_per_task,
            },
            rate: rate(who, progress).filter(|_| task.is_live()),
            name: who.to_string(),
            live: task.is_live(),
            last_words: last_lines(&paths.log(who), 1),
            job: task.job,
            state: task.state,
            node: task.node,
            time: task.time,
            reason: task.reason,
        }
    }
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let paths = LaunchPaths::new(std::path::absolute(&self.run)?);
        let record = Record::read(&paths)?;
        let tasks = queue::of(&record, &paths)?.tasks()?.into_iter();
        let metrics = self.run.join("metrics.jsonl");
        let rows = if metrics.exists() {
            jsonl::read(&metrics)?
        } else {
            Vec::new()
        };
        let progress = rows.into_iter().next_back();
        let programs = tasks.map(|(who, task)| Program::new(who, task, &record, &paths, progress.as_ref()));
        let programs = programs.collect();
        let config = RunRecord::read(&self.run).ok().map(|run| run.config);
        let status = Status {
            advice: config.and_then(|config| train::advice(&config, &self.run)),
            run: self.run,
            id: record.id,
            actors: record.actors,
            programs,
            progress,
        };
        if self.json {
            return print_json(&status, out);
        }
        status.print(out)
    }
}

impl Status {
    fn print(&self, out: &mut Output) -> anyhow::Result<()> {
        let live = self.programs.iter().filter(|program| program.live);
        let there: u32 = live.map(|program| program.actors).sum();
        writeln!(
            out,
            "{}: {there} of {} actors are there",
            self.run.display(),
            self.actors
        )?;
        if let Some(row) = &self.progress {
            let (round, rows, distinct) = (row.round, row.trajectories, row.distinct);
            writeln!(out, "round {round}, {rows} trajectories, {distinct} distinct objects")?;
        }
        if let Some(advice) = &self.advice {
            writeln!(out, "{advice}")?;
        }
        if self.programs.is_empty() {
            writeln!(out, "none of its programs is known any more")?;
        }
        for program in &self.programs {
            let Program {
                name,
                job,
                state,
                node,
                time,
                reason,
                rate,
                last_words,
                ..
            } = program;
            let rate = rate.map_or_else(String::new, |rate| format!("{rate:.0}/s"));
            writeln!(
                out,
                "{name:<12} {job:<10} {state:<10} {node:<12} {time:>10} {rate:>8} {reason:<12} {last_words}"
            )?;
        }
        Ok(())
    }
}

/// Trajectories per second of a program: the learner's are everybody's.
fn rate(who: Who, progress: Option<&MetricsRow>) -> Option<f64> {
    let row = progress?;
    if who == Who::Learner {
        return row.trajectories_per_second;
    }
    // An actor that was started again is another of the same name; the one that is heard counts.
    let actors = row.actors.iter().filter(|actor| actor.present && who.has(&actor.name));
    let rates = actors.filter_map(|actor| actor.trajectories_per_second);
    rates.reduce(|sum, rate| sum + rate)
}
