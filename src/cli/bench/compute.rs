//! `thermoflow bench {rollout,train,round}`: one core's arithmetic, in this process.

use super::meter::{Speed, Spent, Until, measure};
use super::{Given, PUBLISHED, check_seconds};
use crate::cli::Output;
use serde::Serialize;
use std::io::Write;
use std::time::Instant;
use thermoflow::config::RunConfig;
use thermoflow::console::print_json;
use thermoflow::libtorch;
use thermoflow::rollout::{RollRequest, Trajectory};
use thermoflow::rounds::Rounds;
use thermoflow::task::Task;
use thermoflow::units::PolicyVersion;

/// What is to be computed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Trajectories rolled out per round [default: the configuration's; replayed ones come on top]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: Option<u32>,
    /// Seconds to measure, after a warm-up of a quarter of that
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Do it so many times instead, after a warm-up of once: the same work on every machine, for tools that count instructions
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    repetitions: Option<u64>,
    /// Threads of gradient steps
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Where to compute: cpu, cpu-torch, cuda, cuda:N, mps
    #[arg(long, default_value = "cpu")]
    device: String,
    #[command(flatten)]
    given: Given,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Roll-outs with one policy version
    Rollout,
    /// A gradient step on what was just rolled out
    Train,
    /// Whole rounds
    Round,
}

impl Work {
    /// Its subcommand.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rollout => "rollout",
            Self::Train => "train",
            Self::Round => "round",
        }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    work: Work,
    device: String,
    conditioning: thermoflow::policy::Conditioning,
    batch: usize,
    threads: usize,
    #[serde(flatten)]
    speed: Speed,
}

impl Args {
    pub fn run(self, work: Work, out: &mut Output) -> anyhow::Result<()> {
        check_seconds(self.seconds)?;
        let until = self
            .repetitions
            .map_or(Until::Seconds(self.seconds), Until::Repetitions);
        let config = self.configuration()?;
        libtorch::set_threads(self.threads);
        let task = Task::load(&config.task)?;
        let mut bench = Bench {
            // A step by itself must not find what the roll-out before it has computed.
            rounds: match work {
                Work::Train => Rounds::apart(&config, &task)?,
                Work::Rollout | Work::Round => Rounds::new(&config, &task)?,
            },
            config: &config,
            work,
            round: 0,
        };
        bench.warm_up(until)?;
        // Operations are counted in this thread alone.
        let counts = config.learner.device == "cpu" && config.learner.threads == 1;
        let report = Report {
            work,
            device: config.learner.device.clone(),
            conditioning: config.policy.conditioning,
            batch: config.train.batch,
            threads: self.threads,
            speed: measure(until, counts, || bench.once())?,
        };
        if self.json {
            return print_json(&report, out);
        }
        let Report {
            device,
            conditioning,
            speed,
            ..
        } = &report;
        Ok(writeln!(out, "{}, {device}, {conditioning:?}: {speed}", work.name())?)
    }

    fn configuration(&self) -> anyhow::Result<RunConfig> {
        let mut sets = Vec::new();
        if let Some(batch) = self.batch {
            sets.push(format!("train.batch={batch}"));
        }
        sets.push(format!("learner.threads={}", self.threads));
        sets.push(format!("actor.device={:?}", self.device));
        sets.push(format!("learner.device={:?}", self.device));
        self.given.load(PUBLISHED, sets)
    }
}

struct Bench<'a> {
    rounds: Rounds,
    config: &'a RunConfig,
    work: Work,
    round: u64,
}

impl Bench<'_> {
    /// Rounds until caches and clocks are warm; ends with weights loaded into the roller.
    fn warm_up(&mut self, until: Until) -> anyhow::Result<()> {
        match until {
            Until::Repetitions(_) => {
                self.rounds.round()?;
            }
            Until::Seconds(seconds) => {
                let start = Instant::now();
                while start.elapsed().as_secs_f64() < seconds / 4.0 {
                    self.rounds.round()?;
                }
            }
        }
        let parameters = self.rounds.trainer.parameters();
        self.rounds.roller.load(PolicyVersion(0), parameters)?;
        self.once()?;
        Ok(())
    }

    /// Does the work once. What is not to be measured is not timed.
    fn once(&mut self) -> anyhow::Result<Spent> {
        self.round += 1;
        match self.work {
            Work::Rollout => Spent::on(|| Ok(self.roll()?.len())),
            Work::Train => {
                let parameters = self.rounds.trainer.parameters();
                self.rounds.roller.load(PolicyVersion(self.round), parameters)?;
                let rolled = self.roll()?;
                Spent::on(|| {
                    self.rounds.trainer.train_online(&rolled, 0.0)?;
                    Ok(rolled.len())
                })
            }
            Work::Round => Spent::on(|| {
                let report = self.rounds.round()?;
                Ok(self.config.train.batch + report.replay.map_or(0, |_| self.config.replay.batch))
            }),
        }
    }

    fn roll(&mut self) -> anyhow::Result<Vec<Trajectory>> {
        let request = RollRequest {
            round: self.round,
            indices: 0..self.config.train.batch as u32,
            progress: 0.0,
        };
        Ok(self.rounds.roller.roll(&request)?)
    }
}
