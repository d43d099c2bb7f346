//! `thermoflow train`: a learner and its actors on this machine, with live progress.
//!
//! Every program is a child whose standard input is a pipe that only this process holds: when this process ends, however
//! it ends, the pipe closes and the child stops. Closing it is also how a child is asked to stop.

mod children;
mod display;
mod report;
mod supervise;

pub use report::Report;
pub use supervise::{LearnerFailed, Run, Watcher, stop_requests, supervise};

use super::config::Source;
use super::{BadInput, Output};
use anyhow::Context;
use display::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use thermoflow::config::{Mode, RawConfig, RunConfig};
use thermoflow::console::print_json;
use thermoflow::metrics::jsonl;
use thermoflow::plan::{Advice, Readings};
use thermoflow::task::Task;
use thermoflow_watch::Listen;

const EXAMPLES: &str = "\
Examples:
  thermoflow train configs/tfbind8.toml                            published settings, 2 actors
  thermoflow train configs/tfbind8.toml --actors 4 --run-dir runs/a --seed 1
  thermoflow train configs/tfbind8.toml --rounds 50 --set policy.conditioning=\"layer\"
  thermoflow train configs/tfbind8.toml --run-dir runs/a --resume  go on where it stopped

Ctrl-C stops everything and leaves a run that can be resumed; a second Ctrl-C stops at once.";

/// Trains on this machine: a learner and actors, with live progress
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Actor processes (offline training has none)
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=512))]
    actors: u32,
    /// Where the run is kept [default: runs/TASK-NUMBER]
    #[arg(long, value_name = "D")]
    run_dir: Option<PathBuf>,
    /// Seed of all randomness
    #[arg(long)]
    seed: Option<u64>,
    /// Rounds in all
    #[arg(long)]
    rounds: Option<u64>,
    /// Device of the learner (cpu, cpu-torch, cuda, cuda:N, mps) [default: the configuration's learner.device]
    #[arg(long)]
    device: Option<String>,
    /// Device of the actors [default: the configuration's actor.device]
    #[arg(long)]
    actor_device: Option<String>,
    /// File with a key for the links between learner and actors [default: the environment's THERMOFLOW_KEY, else none]
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// Show the learner's metrics to Prometheus at http://ADDRESS:PORT/metrics; a PORT alone is on loopback, port 0 takes a
    /// free one and says so in the log (RUST_LOG=thermoflow_watch=info). Whoever reaches the address may read them: there
    /// is no key, and no secret in them
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<Listen>,
    /// Let actors wait so many milliseconds for every object they score, as a slow oracle would: to see how a run scales
    /// before there is one (thermoflow plan)
    #[arg(long, value_name = "MS")]
    pretend_reward_ms: Option<f64>,
    /// Go on with the run in --run-dir
    #[arg(long, requires = "run_dir")]
    resume: bool,
    /// Print the final numbers as one JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let mut flags = RawConfig {
            seed: self.seed,
            ..RawConfig::default()
        };
        flags.train.rounds = self.rounds;
        flags.learner.device.clone_from(&self.device);
        flags.actor.device.clone_from(&self.actor_device);
        let config = self.source.load(&flags)?;
        Task::load(&config.task).with_context(|| format!("task of {}", self.source.file.display()))?;
        let run_dir = match &self.run_dir {
            Some(dir) => dir.clone(),
            None => free_run_dir(&config.task.name)?,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = Run::new(
            &config,
            self.learner_arguments(&run_dir),
            self.actors,
            self.key_file.clone(),
        )
        .pretending(self.pretend_reward_ms);
        let report = runtime.block_on(async {
            let mut display = Display::new();
            let report = supervise(&run, stop_requests()?, &mut display).await;
            display.end();
            report
        })?;
        self.print(&report, &run_dir, advice(&config, &run_dir), out)
    }

    /// What the learner gets on its command line.
    fn learner_arguments(&self, run_dir: &Path) -> Vec<String> {
        let mut arguments = vec![self.source.file.display().to_string()];
        let mut add = |flag: &str, value: String| arguments.extend([flag.into(), value]);
        add("--run-dir", run_dir.display().to_string());
        self.source.sets.iter().for_each(|set| add("--set", set.clone()));
        self.seed.iter().for_each(|seed| add("--seed", seed.to_string()));
        self.rounds
            .iter()
            .for_each(|rounds| add("--rounds", rounds.to_string()));
        self.device.iter().for_each(|device| add("--device", device.clone()));
        // The path, never what is in it.
        let key_file = self.key_file.iter();
        key_file.for_each(|path| add("--key-file", path.display().to_string()));
        let metrics = self.metrics_listen.iter();
        metrics.for_each(|listen| add("--metrics-listen", listen.to_string()));
        let actors = self
            .actor_device
            .iter()
            .map(|device| format!("actor.device={device:?}"));
        actors.for_each(|set| add("--set", set));
        if self.resume {
            arguments.push("--resume".into());
        }
        arguments
    }

    fn print(&self, report: &Report, run_dir: &Path, advice: Option<Advice>, out: &mut Output) -> anyhow::Result<()> {
        if self.json {
            return print_json(report, out);
        }
        let (run, config) = (run_dir.display(), self.source.file.display());
        write!(out, "{}", report.summary())?;
        if let Some(advice) = advice {
            writeln!(out, "{advice}")?;
        }
        writeln!(out, "\nThe run is in {run}. Next:")?;
        if !report.is_complete() {
            let mut set = String::new();
            self.source.sets.iter().for_each(|s| set += &format!(" --set '{s}'"));
            self.seed.iter().for_each(|s| set += &format!(" --seed {s}"));
            self.rounds.iter().for_each(|r| set += &format!(" --rounds {r}"));
            let key_file = self.key_file.iter();
            key_file.for_each(|path| set += &format!(" --key-file {}", path.display()));
            writeln!(
                out,
                "  thermoflow train {config} --run-dir {run} --resume --actors {}{set}",
                self.actors
            )?;
        }
        writeln!(out, "  thermoflow evaluate --checkpoint {run} --exact")?;
        writeln!(
            out,
            "  thermoflow sample --checkpoint {run} --beta 3 -n 1000 > samples.csv"
        )?;
        writeln!(
            out,
            "  sqlite3 {run}/replay.sqlite 'SELECT x, y FROM objects ORDER BY y DESC LIMIT 10'"
        )?;
        writeln!(out, "  tensorboard --logdir {run}/tensorboard")?;
        Ok(())
    }
}

/// What limited a run of actors and learner that run freely, and which setting to change; None before there are reports.
pub fn advice(config: &RunConfig, run_dir: &Path) -> Option<Advice> {
    let rows = jsonl::read(&run_dir.join("metrics.jsonl")).ok()?;
    let readings = Readings::of_run(&rows, config).filter(|_| config.train.mode == Mode::Async)?;
    Some(Advice::new(&readings, config))
}

/// runs/TASK-1, runs/TASK-2 …: the first that is not there. The learner makes it, and refuses if another was faster.
pub fn free_run_dir(task: &str) -> anyhow::Result<PathBuf> {
    let mut candidates = (1..=9999).map(|number| Path::new("runs").join(format!("{task}-{number}")));
    let free = candidates.find(|dir| !dir.exists());
    free.ok_or_else(|| BadInput(format!("runs/ holds 9999 runs of {task}; name one with --run-dir")).into())
}
