//! `thermoflow score`: what a policy says of given trajectories.

use super::{BadInput, Output};
use anyhow::Context;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use thermoflow::console::policy::Source;
use thermoflow::console::print_json;
use thermoflow::env::States;
use thermoflow::scoring::{ScoreInput, score};
use thermoflow::task::Task;

const EXAMPLES: &str = "\
Examples:
  thermoflow score --checkpoint runs/a --input trajectories.json
  thermoflow score --checkpoint tests/golden/logit_tb_s1.safetensors --input tests/golden/logit_tb_s1.json --json --gradients

The input is JSON: {\"beta\": [1.5, …], \"trajectories\": [{\"states\": [\"\", \"A\", \"AC\", …], \"log_reward\": 1.3}, …]};
the last state is the object, log_reward is optional (the task's own), other keys are ignored.";

/// Scores given trajectories: log Z, log P_F, log P_B, loss, gradients
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// JSON file with trajectories; `-` is standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Also the gradient norm of every tensor and the loss after one optimiser step
    #[arg(long)]
    gradients: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let input = read(&self.input).with_context(|| format!("trajectories {}", self.input.display()))?;
        let policy = self.source.load(|spec| {
            spec.thermometer_range = input.thermometer_range.unwrap_or(spec.thermometer_range);
        })?;
        let paths = input
            .paths(&*policy.task.env)
            .with_context(|| self.input.display().to_string())?;
        let log_rewards = log_rewards(&input, &policy.task)?;
        let objective = input.objective.unwrap_or(policy.config.train.objective);
        let optimizer = self.gradients.then_some(&policy.config.optimizer);
        let batch = (&paths, &input.beta[..], &log_rewards[..]);
        let scored = score(
            &policy.task.env,
            &policy.parameters,
            &self.source.device,
            batch,
            (objective, &policy.config.settings()),
            optimizer,
        )?;
        if self.json {
            return print_json(&scored, out);
        }
        let mut csv = csv::Writer::from_writer(&mut *out);
        csv.write_record(["x", "beta", "log_reward", "log_z", "log_pf", "log_pb"])?;
        for (i, path) in input.trajectories.iter().enumerate() {
            let x = path.states.last().map_or("", String::as_str);
            csv.serialize((
                x,
                input.beta[i],
                log_rewards[i],
                scored.log_z[i],
                scored.log_pf[i],
                scored.log_pb[i],
            ))?;
        }
        csv.flush()?;
        drop(csv);
        writeln!(out, "# loss {:.6}", scored.loss)?;
        for (name, norm) in scored.grad_norm.iter().flatten() {
            writeln!(out, "# gradient norm {norm:.6} {name}")?;
        }
        if let Some(after) = scored.loss_after_one_step {
            writeln!(out, "# loss after one step {after:.6}")?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<ScoreInput> {
    let bad = |error: &dyn std::fmt::Display| BadInput(error.to_string());
    let reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(|error| bad(&error))?)
    };
    Ok(serde_json::from_reader(BufReader::new(reader)).map_err(|error| bad(&error))?)
}

/// The given log R, or the task's own where none is given.
fn log_rewards(input: &ScoreInput, task: &Task) -> anyhow::Result<Vec<f32>> {
    let mut objects = States::new(task.env.state_width());
    for path in &input.trajectories {
        let object = path.states.last().map_or("", String::as_str);
        objects.push(&task.env.parse_object(object)?);
    }
    let own = task.scorer.score(&objects)?;
    let own = own.into_iter().map(|y| task.reward.log_reward(y));
    Ok(input
        .trajectories
        .iter()
        .zip(own)
        .map(|(path, own)| path.log_reward.unwrap_or(own))
        .collect())
}
