//! `thermoflow plan`: what a run will do on given machines, what limits it, and, with `--check`, what it really does here.

pub mod check;
mod measure;
mod show;

use super::config::Source;
use super::{BadInput, Output};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::path::PathBuf;
use thermoflow::config::{RawConfig, RunConfig};
use thermoflow::console::print_json;
use thermoflow::plan::{Advice, Costs, Prediction, Readings, Reward, Scenario, Slow, simulate};
use thermoflow::process;
use thermoflow::task::Task;

const EXAMPLES: &str = "\
Examples:
  thermoflow plan configs/tfbind8-async.toml --actors 1,2,4,8              on this machine
  thermoflow plan configs/tfbind8-async.toml --actors 64 --reward-ms 50    with rewards that take 50 ms
  thermoflow plan configs/tfbind8-async.toml --actors 10000 --reward-ms 50 --nodes 300 --cores 32 --gbit 10
  thermoflow plan configs/tfbind8-async.toml --actors 10000 --reward-ms 50 --nodes 300 --cores 32 --gbit 10 --relays
  thermoflow plan configs/tfbind8-async.toml --actors 8 --save-costs costs.json    measure on a node of the cluster …
  thermoflow plan configs/tfbind8-async.toml --actors 1000 --nodes 40 --costs costs.json    … and plan anywhere
  thermoflow plan configs/tfbind8-async.toml --actors 1,2,4 --reward-ms 50 --check         and see whether it is true

Costs are measured here, on this configuration, in some seconds (a quiet machine gives better ones); then the run is simulated.
docs/scaling.md says how, and how close it comes.";

/// Predicts what a run of many actors will do, and names what limits it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Actor processes; several numbers, with commas, make a column each
    #[arg(long, value_delimiter = ',', required = true, value_name = "N")]
    actors: Vec<usize>,
    /// Machines. On one, learner and actors share its cores; of several, the learner has one to itself
    #[arg(long, default_value_t = 1)]
    nodes: usize,
    /// Cores of each machine [default: this machine's]
    #[arg(long)]
    cores: Option<usize>,
    /// Milliseconds that an object's reward takes, in which no core works (a program that waits) [default: what the
    /// task's own scores take here]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    reward_ms: Option<f64>,
    /// The actors of each machine are behind a relay there (`thermoflow relay`): the learner has a connection per machine,
    /// and weights go to each once
    #[arg(long)]
    relays: bool,
    /// The learner's link, Gbit/s in each direction (with several machines)
    #[arg(long, default_value_t = 10.0)]
    gbit: f64,
    /// Milliseconds from machine to machine
    #[arg(long, default_value_t = 0.1, value_name = "MS")]
    latency_ms: f64,
    /// So many actors are slow
    #[arg(long, default_value_t = 0, value_name = "N")]
    slow_actors: usize,
    /// Rewards of slow actors take so many times as long
    #[arg(long, default_value_t = 10.0, value_name = "F")]
    slow_factor: f64,
    /// Use these costs instead of measuring
    #[arg(long, value_name = "FILE", conflicts_with = "save_costs")]
    costs: Option<PathBuf>,
    /// Write the measured costs down
    #[arg(long, value_name = "FILE")]
    save_costs: Option<PathBuf>,
    /// Seconds to measure
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Where runs are kept: the disk that is measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Names the randomness of the simulation
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Train with each number of actors here, and show what was measured beside what was predicted
    #[arg(long)]
    check: bool,
    /// Seconds of each of these runs, after a start that is not counted
    #[arg(long, default_value_t = 20.0, value_name = "SECONDS", requires = "check")]
    check_seconds: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A number of actors, what was predicted for it, and what was measured.
#[derive(Debug, Serialize)]
struct Column {
    scenario: Scenario,
    prediction: Prediction,
    advice: Advice,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<check::Measured>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Plan {
    costs: Costs,
    plans: Vec<Column>,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let config = self.source.load(&RawConfig::default())?;
        let scenarios = self.scenarios(&config)?;
        let task = Task::load(&config.task).with_context(|| format!("task of {}", self.source.file.display()))?;
        let bar = progress_bar(scenarios.len());
        let costs = self.costs(&config, &task, &bar)?;
        let mut plans = Vec::new();
        for scenario in scenarios {
            let (prediction, advice) = predict(&config, &task, &costs, &scenario, &bar);
            plans.push(Column {
                scenario,
                prediction,
                advice,
                measured: None,
            });
        }
        bar.finish_and_clear();
        if self.check {
            for column in &mut plans {
                let reward = self.reward_ms.filter(|_| config.task.oracle.is_none());
                let measured = check::run(
                    &self.source,
                    &config,
                    column.scenario.actors,
                    reward,
                    self.check_seconds,
                    &self.dir,
                );
                column.measured = Some(measured?);
            }
        }
        let plan = Plan { costs, plans };
        if self.json {
            return print_json(&plan, out);
        }
        show::print(&plan, out)
    }

    /// What is planned, checked.
    fn scenarios(&self, config: &RunConfig) -> anyhow::Result<Vec<Scenario>> {
        if !(self.seconds > 0.0 && self.seconds <= 600.0) {
            return Err(bad("--seconds", self.seconds, "more than 0, up to 600"));
        }
        if !(self.check_seconds > 0.0 && self.check_seconds <= 3600.0) {
            return Err(bad("--check-seconds", self.check_seconds, "more than 0, up to 3600"));
        }
        let reward = match (self.reward_ms, &config.task.oracle) {
            (Some(milliseconds), _) => Reward::Waited(milliseconds / 1e3),
            (None, None) => Reward::Computed,
            (None, Some(oracle)) => {
                return Err(BadInput(format!(
                    "the scores of this task come from a program ({:?}), which is not started to measure it: say what an \
                     object takes with --reward-ms",
                    oracle.command.join(" ")
                ))
                .into());
            }
        };
        let here = process::cores();
        let cores = self.cores.unwrap_or(here);
        if self.check && (self.nodes != 1 || cores != here || self.slow_actors > 0 || self.relays) {
            return Err(BadInput(format!(
                "--check trains on this machine, which is one with {here} cores, without relays and with actors that are all \
                 alike"
            ))
            .into());
        }
        let slow = Slow {
            actors: self.slow_actors,
            factor: if self.slow_actors > 0 { self.slow_factor } else { 1.0 },
        };
        let scenario = |&actors| {
            let scenario = Scenario {
                actors,
                nodes: self.nodes,
                cores,
                reward,
                gbit: self.gbit,
                latency: self.latency_ms / 1e3,
                // Links between machines have a key, or there are none.
                sealed: self.nodes > 1,
                relays: self.relays,
                slow,
                seed: self.seed,
            };
            scenario.check(config)?;
            Ok(scenario)
        };
        self.actors.iter().map(scenario).collect()
    }

    fn costs(&self, config: &RunConfig, task: &Task, bar: &ProgressBar) -> anyhow::Result<Costs> {
        let costs = match &self.costs {
            Some(path) => Costs::read(path)?,
            None => {
                let reward = self.reward_ms.map_or(Reward::Computed, |ms| Reward::Waited(ms / 1e3));
                measure::measure(config, task, reward, self.seconds, &self.dir, bar)?
            }
        };
        costs.check()?;
        costs.check_fit(config)?;
        if let Some(path) = &self.save_costs {
            costs.write(path)?;
        }
        Ok(costs)
    }
}

fn bad(name: &str, value: f64, allowed: &str) -> anyhow::Error {
    BadInput(format!("{name} is {value}; allowed is {allowed}")).into()
}

/// Steps of measuring, and of the bar for each simulation.
const STEPS: u64 = 4;

fn progress_bar(simulations: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24.cyan/black} {elapsed} · {msg}").expect("a fixed template");
    let bar = ProgressBar::new(STEPS * (1 + simulations as u64)).with_style(style);
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

fn predict(
    config: &RunConfig,
    task: &Task,
    costs: &Costs,
    scenario: &Scenario,
    bar: &ProgressBar,
) -> (Prediction, Advice) {
    bar.set_message(format!("simulating {} actors", scenario.actors));
    let before = bar.position();
    let mut progress = |done: f64| bar.set_position(before + (done * STEPS as f64) as u64);
    let prediction = simulate(config, task, costs, scenario, &mut progress);
    bar.set_position(before + STEPS);
    let readings = Readings::of_prediction(&prediction, scenario);
    (prediction, Advice::new(&readings, config))
}
