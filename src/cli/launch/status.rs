//! `thermoflow launch status` and `logs`.

use super::slurm;
use crate::cli::{BadInput, Output};
use serde::Serialize;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use thermoflow::console::print_json;
use thermoflow::launch::queue::{Task, Who};
use thermoflow::launch::{LaunchPaths, Record};
use thermoflow::metrics::MetricsRow;
use thermoflow::metrics::jsonl;

/// Shows who runs where and how training goes
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
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
}

#[derive(Debug, Serialize)]
struct Program {
    name: String,
    job: String,
    state: String,
    live: bool,
    node: String,
    time: String,
    reason: String,
    last_words: String,
}

impl Program {
    fn new(who: Who, task: Task, paths: &LaunchPaths) -> Self {
        Self {
            name: who.to_string(),
            live: task.is_live(),
            last_words: last_lines(&log(paths, who), 1),
            job: task.job,
            state: task.state,
            node: task.node,
            time: task.time,
            reason: task.reason,
        }
    }
}

impl StatusArgs {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let paths = LaunchPaths::new(std::path::absolute(&self.run)?);
        let record = Record::read(&paths)?;
        let tasks = slurm::tasks(&record)?.into_iter();
        let metrics = self.run.join("metrics.jsonl");
        let rows = if metrics.exists() {
            jsonl::read(&metrics)?
        } else {
            Vec::new()
        };
        let status = Status {
            run: self.run,
            id: record.id,
            actors: record.actors,
            programs: tasks.map(|(who, task)| Program::new(who, task, &paths)).collect(),
            progress: rows.into_iter().next_back(),
        };
        if self.json {
            return print_json(&status, out);
        }
        status.print(out)
    }
}

impl Status {
    fn print(&self, out: &mut Output) -> anyhow::Result<()> {
        let live = self
            .programs
            .iter()
            .filter(|program| program.live && program.name != "learner");
        writeln!(
            out,
            "{}: {} of {} actors in the queue",
            self.run.display(),
            live.count(),
            self.actors
        )?;
        if let Some(row) = &self.progress {
            let (round, rows, distinct) = (row.round, row.trajectories, row.distinct);
            writeln!(out, "round {round}, {rows} trajectories, {distinct} distinct objects")?;
        }
        if self.programs.is_empty() {
            writeln!(out, "Slurm knows none of its jobs any more")?;
        }
        for program in &self.programs {
            let Program {
                name,
                job,
                state,
                node,
                time,
                reason,
                last_words,
                ..
            } = program;
            writeln!(
                out,
                "{name:<12} {job:<10} {state:<10} {node:<12} {time:>10} {reason:<12} {last_words}"
            )?;
        }
        Ok(())
    }
}

/// Shows what the programs said last
#[derive(Debug, clap::Args)]
pub struct LogsArgs {
    /// Run directory
    run: PathBuf,
    /// Whose: learner, actor-3 … [default: all]
    who: Option<String>,
    /// Lines of each
    #[arg(short = 'n', long, default_value_t = 20)]
    lines: usize,
}

impl LogsArgs {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let paths = LaunchPaths::new(&self.run);
        Record::read(&paths)?;
        let names = self.names(&paths)?;
        for name in &names {
            if names.len() > 1 {
                writeln!(out, "== {name}")?;
            }
            writeln!(out, "{}", last_lines(&paths.logs().join(name), self.lines))?;
        }
        Ok(())
    }

    /// Names of files.
    fn names(&self, paths: &LaunchPaths) -> anyhow::Result<Vec<String>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(paths.logs())? {
            all.push(entry?.file_name().to_string_lossy().into_owned());
        }
        all.sort();
        let Some(who) = &self.who else { return Ok(all) };
        let found = all
            .iter()
            .find(|name| *name == who || name.strip_suffix(".log") == Some(who));
        let missing = || BadInput(format!("{who:?} said nothing yet; there are {}", all.join(", ")));
        Ok(vec![found.ok_or_else(missing)?.clone()])
    }
}

fn log(paths: &LaunchPaths, who: Who) -> PathBuf {
    let name = match who {
        Who::Learner => "learner.log".into(),
        Who::Actor(_) => who.to_string(),
    };
    paths.logs().join(name)
}

/// The last lines of a file; none when there is no file yet.
fn last_lines(path: &Path, count: usize) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
