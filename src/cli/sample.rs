//! `thermoflow sample`: objects from a trained policy.

use super::Output;
use serde::Serialize;
use thermoflow::console::Rows;
use thermoflow::console::policy::{Source, parse_beta};
use thermoflow::sampling::{CHUNK, Sampler};

const EXAMPLES: &str = "\
Examples:
  thermoflow sample --checkpoint runs/a --beta 3 -n 1000 > samples.csv
  thermoflow sample --checkpoint runs/a/checkpoints/2000 --beta 0.5 -n 10 --json
  thermoflow sample --checkpoint runs/a --beta 10 -n 100000 | sort -t, -k2 -gr | head";

/// Samples objects from a policy at a β: x, y, log P_F
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Inverse temperature: low explores, high exploits
    #[arg(long, value_parser = parse_beta)]
    beta: f32,
    /// Number of samples
    #[arg(short, long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    number: u64,
    /// Seed: the same seed gives the same samples
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print a JSON object per line instead of CSV
    #[arg(long)]
    json: bool,
}

/// y and log R are empty (null in JSON) for an object that could not be scored.
#[derive(Debug, Serialize)]
struct Row {
    x: String,
    y: Option<f32>,
    log_reward: Option<f32>,
    log_pf: f32,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let policy = self.source.load(|_| {})?;
        let mut backend = policy.backend()?;
        let spec = &policy.parameters.layout.spec;
        let mut sampler = Sampler::new(&policy.task, spec, &mut *backend, self.seed);
        let progress = indicatif::ProgressBar::new(self.number);
        let mut rows = Rows::new(out, self.json, &["x", "y", "log_reward", "log_pf"])?;
        for start in (0..self.number).step_by(CHUNK) {
            let end = (start + CHUNK as u64).min(self.number);
            let samples = sampler.sample(self.beta, 0, start..end)?;
            for ((object, y), walk) in samples.objects.iter().zip(samples.y).zip(samples.walks) {
                let y = Some(y).filter(|y| y.is_finite());
                let row = Row {
                    x: policy.task.env.format(object),
                    y,
                    log_reward: y.map(|y| policy.task.reward.log_reward(y)),
                    log_pf: walk.log_p,
                };
                rows.write(&row)?;
            }
            progress.set_position(end);
        }
        progress.finish_and_clear();
        rows.finish()
    }
}
