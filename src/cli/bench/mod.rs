//! `thermoflow bench`: how fast this machine rolls out and trains, on one core unless told, and how fast it takes in what
//! actors send (a program of its own, because the learner's parts are needed).

mod weights;

use super::config::Source;
use super::{BadInput, Output, sibling};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thermoflow::config::{self, RawConfig, RunConfig};
use thermoflow::console::print_json;
use thermoflow::libtorch;
use thermoflow::rollout::{RollRequest, Trajectory};
use thermoflow::rounds::Rounds;
use thermoflow::task::Task;
use thermoflow::units::PolicyVersion;

const EXAMPLES: &str = "\
Examples:
  thermoflow bench round                                whole rounds, published settings: 64 trajectories each
  thermoflow bench train --batch 256 --json             one gradient step on trajectories that were just rolled out
  thermoflow bench rollout --batch 4096                 roll-outs only, one policy version, many β
  thermoflow bench weights --hidden 128,1024            weights on the wire: bytes and time in each format
  thermoflow bench ingest --actors 1000 --json          from actors' messages to the disk
  thermoflow bench replay --make 10000000               questions to a replay, and what they cost a learner
  thermoflow bench round --set policy.conditioning=\"layer\" --device cpu-torch";

/// Measures trajectories per second
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What to measure.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Roll-outs with one policy version, at β from P_exp, on one core
    Rollout(Compute),
    /// Gradient steps on trajectories that were rolled out by the weights before the step
    Train(Compute),
    /// Whole rounds: roll-out, replay, both gradient steps
    Round(Compute),
    /// Weights on the wire: bytes and time in each format of `learner.weights`
    Weights(weights::Args),
    /// From the messages of simulated actors to the disk (starts the program thermoflow-bench-ingest)
    #[command(disable_help_flag = true)]
    Ingest(sibling::Args),
    /// Questions to a replay, and what a reader costs the learner (starts the program thermoflow-replay)
    #[command(disable_help_flag = true)]
    Replay(sibling::Args),
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        match self.what {
            What::Rollout(compute) => compute.run(Work::Rollout, out),
            What::Train(compute) => compute.run(Work::Train, out),
            What::Round(compute) => compute.run(Work::Round, out),
            What::Weights(arguments) => arguments.run(out),
            What::Ingest(arguments) => arguments.run("thermoflow-bench-ingest"),
            What::Replay(arguments) => arguments.after("bench").run("thermoflow-replay"),
        }
    }
}

/// What is to be computed.
#[derive(Debug, clap::Args)]
struct Compute {
    /// Trajectories rolled out per round [default: the configuration's; replayed ones come on top]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: Option<u32>,
    /// Seconds to measure, after a warm-up of a quarter of that
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Threads of libtorch (the built-in kernels use one)
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Where to compute: cpu, cpu-torch, cuda, cuda:N, mps
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Configuration file [default: TFBind8 with the published settings]
    #[arg(long, value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Set a key of the configuration: a dotted path and a TOML value (may be given more than once)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Print one JSON object instead of a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Work {
    Rollout,
    Train,
    Round,
}

#[derive(Debug, Serialize)]
struct Report {
    work: Work,
    device: String,
    conditioning: thermoflow::policy::Conditioning,
    batch: usize,
    threads: usize,
    repetitions: u64,
    trajectories: u64,
    seconds: f64,
    milliseconds_per_repetition: f64,
    trajectories_per_second: f64,
}

impl Compute {
    fn run(self, work: Work, out: &mut Output) -> anyhow::Result<()> {
        if !(self.seconds > 0.0 && self.seconds <= 3600.0) {
            return Err(BadInput(format!(
                "--seconds is {}; allowed is more than 0, up to 3600",
                self.seconds
            ))
            .into());
        }
        let config = self.configuration()?;
        libtorch::set_threads(self.threads);
        let task = Task::load(&config.task)?;
        let mut bench = Bench {
            rounds: Rounds::new(&config, &task)?,
            work,
            round: 0,
        };
        bench.warm_up(&config, Duration::from_secs_f64(self.seconds / 4.0))?;

        let (mut repetitions, mut trajectories, mut spent) = (0, 0, Duration::ZERO);
        let progress = indicatif::ProgressBar::new((self.seconds * 1000.0) as u64);
        while spent.as_secs_f64() < self.seconds {
            let (count, took) = bench.once(&config)?;
            trajectories += count;
            spent += took;
            repetitions += 1;
            progress.set_position(spent.as_millis() as u64);
        }
        progress.finish_and_clear();
        let seconds = spent.as_secs_f64();
        let report = Report {
            work,
            device: config.learner.device.clone(),
            conditioning: config.policy.conditioning,
            batch: config.train.batch,
            threads: self.threads,
            repetitions,
            trajectories,
            seconds,
            milliseconds_per_repetition: seconds * 1e3 / repetitions as f64,
            trajectories_per_second: trajectories as f64 / seconds,
        };
        self.print(&report, out)
    }

    fn configuration(&self) -> anyhow::Result<RunConfig> {
        let mut sets = self.sets.clone();
        if let Some(batch) = self.batch {
            sets.push(format!("train.batch={batch}"));
        }
        sets.push(format!("actor.device={:?}", self.device));
        sets.push(format!("learner.device={:?}", self.device));
        configuration(self.config.as_deref(), sets)
    }

    fn print(&self, report: &Report, out: &mut Output) -> anyhow::Result<()> {
        if self.json {
            return print_json(report, out);
        }
        let name = format!("{:?}", report.work).to_lowercase();
        writeln!(
            out,
            "{name}: {:.0} trajectories/s ({:.3} ms each for {} repetitions of {} trajectories, {}, {:?})",
            report.trajectories_per_second,
            report.milliseconds_per_repetition,
            report.repetitions,
            report.trajectories / report.repetitions,
            report.device,
            report.conditioning,
        )?;
        Ok(())
    }
}

/// The configuration of a file, or of TFBind8 with the published settings.
fn configuration(file: Option<&Path>, sets: Vec<String>) -> anyhow::Result<RunConfig> {
    let flags = RawConfig::default();
    match file {
        Some(file) => Source {
            file: file.to_owned(),
            sets,
        }
        .load(&flags),
        None => {
            let published = "[task]\nname = \"tfbind8\"\n";
            let place = Path::new("published settings");
            Ok(config::from_text(place, published, &sets, &flags)?)
        }
    }
}

struct Bench {
    rounds: Rounds,
    work: Work,
    round: u64,
}

impl Bench {
    /// Rounds until caches and clocks are warm; ends with weights loaded into the roller.
    fn warm_up(&mut self, config: &RunConfig, time: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < time {
            self.rounds.round()?;
        }
        self.rounds
            .roller
            .load(PolicyVersion(0), self.rounds.trainer.parameters())?;
        self.once(config)?;
        Ok(())
    }

    /// Does the work once: how many trajectories, in which time. What is not to be measured is not timed.
    fn once(&mut self, config: &RunConfig) -> anyhow::Result<(u64, Duration)> {
        self.round += 1;
        match self.work {
            Work::Rollout => {
                let start = Instant::now();
                let rolled = self.roll(config)?;
                Ok((rolled.len() as u64, start.elapsed()))
            }
            Work::Train => {
                self.rounds
                    .roller
                    .load(PolicyVersion(self.round), self.rounds.trainer.parameters())?;
                let rolled = self.roll(config)?;
                let start = Instant::now();
                self.rounds.trainer.train_online(&rolled, 0.0)?;
                Ok((rolled.len() as u64, start.elapsed()))
            }
            Work::Round => {
                let start = Instant::now();
                let report = self.rounds.round()?;
                let replayed = report.replay.map_or(0, |_| config.replay.batch);
                Ok(((config.train.batch + replayed) as u64, start.elapsed()))
            }
        }
    }

    fn roll(&mut self, config: &RunConfig) -> anyhow::Result<Vec<Trajectory>> {
        let request = RollRequest {
            round: self.round,
            indices: 0..config.train.batch as u32,
            progress: 0.0,
        };
        Ok(self.rounds.roller.roll(&request)?)
    }
}
