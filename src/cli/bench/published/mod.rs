//! `thermoflow bench published`: the matrix products that the published code does for a round, by our library, and nothing else of
//! what it does. So it flatters that code: no copies, no activations, no graph for the gradients, no interpreter.

mod dense;

use super::meter::{Speed, Spent, Until, measure};
use super::{Given, PUBLISHED, check_seconds};
use crate::cli::{BadInput, Output};
use dense::{Passes, Products};
use serde::Serialize;
use std::io::Write;
use thermoflow::config::RunConfig;
use thermoflow::console::print_json;
use thermoflow::policy::{Direction, Parameterization};
use thermoflow::rollout::Paths;
use thermoflow::rounds::Rounds;
use thermoflow::task::Task;

const EXAMPLES: &str = "\
Examples:
  thermoflow bench published                                       TFBind8, H = 128
  thermoflow bench published --config configs/bench/sehstr.toml    sEHstr, H = 1024

What is multiplied: for every step of every trajectory, the state and each of its neighbours through the encoder, each pair of them
through the scorer, and the networks on β; forward where something is sampled, forward and backward in a gradient step. Nothing is shared
between trajectories, as in the published code. Each layer is one product for a whole batch. Everything else is left out.";

/// What to multiply for.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Seconds to measure, at least one round
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    #[command(flatten)]
    given: Given,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    work: &'static str,
    task: String,
    hidden: usize,
    #[serde(flatten)]
    speed: Speed,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        check_seconds(self.seconds)?;
        let config = self.given.load(PUBLISHED, Vec::new())?;
        if config.policy.parameterization != Parameterization::Edge || config.train.batch != config.replay.batch {
            return Err(BadInput(
                "the published code scores edges (policy.parameterization = \"edge\") and replays as many trajectories as it \
                 rolls out (replay.batch = train.batch)"
                    .into(),
            )
            .into());
        }
        let round = Round::of(&config)?;
        let mut products = Products::new(&config.policy, round.features);
        // Makes the buffers; their pages are not to be counted.
        round.multiply(&mut products, config.train.steps);
        let once = || {
            Spent::on(|| {
                round.multiply(&mut products, config.train.steps);
                Ok(config.train.batch + config.replay.batch)
            })
        };
        let report = Report {
            work: "published",
            task: config.task.name.clone(),
            hidden: config.policy.hidden,
            speed: measure(Until::Seconds(self.seconds), true, once)?,
        };
        if self.json {
            return print_json(&report, out);
        }
        let Report {
            task, hidden, speed, ..
        } = &report;
        Ok(writeln!(out, "published arithmetic of {task}, H = {hidden}: {speed}")?)
    }
}

/// What a round multiplies, counted on trajectories that were really rolled out.
struct Round {
    features: usize,
    forward: Passes,
    backward: Passes,
}

impl Round {
    fn of(config: &RunConfig) -> anyhow::Result<Self> {
        let task = Task::load(&config.task)?;
        let rolled = Rounds::new(config, &task)?.roll()?;
        let env = &*task.env;
        let paths = Paths::from_actions(env, rolled.iter().map(|trajectory| &trajectory.actions[..]))?;
        Ok(Self {
            features: env.feature_count(),
            forward: Passes::count(env, Direction::Forward, &paths),
            backward: Passes::count(env, Direction::Backward, &paths),
        })
    }

    /// Roll-out and its gradient steps, walks back from what is replayed and their gradient steps.
    fn multiply(&self, products: &mut Products, steps: usize) {
        for sampled in [&self.forward, &self.backward] {
            products.sample(sampled);
            for _ in 0..steps {
                products.train(&self.forward);
                products.train(&self.backward);
                products.train_log_z(self.forward.trajectories);
            }
        }
    }
}
