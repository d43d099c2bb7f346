//! `thermoflow evaluate`: how good a policy is at each β, from samples or exactly.

use super::{BadInput, Output};
use serde::Serialize;
use std::io::Write;
use thermoflow::console::policy::{Policy, Source, parse_beta};
use thermoflow::console::print_json;
use thermoflow::exact::{Enumerated, ExactMetrics, ExactPolicy};
use thermoflow::sampling::Sampler;

const EXAMPLES: &str = "\
Examples:
  thermoflow evaluate --checkpoint runs/a --exact
  thermoflow evaluate --checkpoint runs/a --beta 0.5,1,2,3,10 -n 10000
  thermoflow evaluate --checkpoint tests/golden/logit_tb_s1.safetensors --exact --beta 0.5,1,2,3,10 --json

--exact enumerates the state graph: total variation (tv), Jensen–Shannon (jsd) and KL divergence to R^β/Z, log Z,
correlations of log P and log R. Without it the metrics come from -n samples at each β; samples that could not be
scored are counted (unscored) and left out.";

/// Measures a policy at each β, from samples or exactly
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Inverse temperatures
    #[arg(long, value_delimiter = ',', value_parser = parse_beta, default_value = "0.5,1,2,3,5,10")]
    beta: Vec<f32>,
    /// Enumerate instead of sampling
    #[arg(long)]
    exact: bool,
    /// Samples per β
    #[arg(short, long, default_value_t = 2048, value_parser = clap::value_parser!(u64).range(1..))]
    number: u64,
    /// Seed of the samples
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report<R> {
    checkpoint: String,
    task: String,
    conditioning: thermoflow::policy::Conditioning,
    results: Vec<R>,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let policy = self.source.load(|_| {})?;
        if self.exact {
            let results = self.exact(&policy)?;
            return self.print(&policy, results, out);
        }
        let mut backend = policy.backend()?;
        let spec = &policy.parameters.layout.spec;
        let mut sampler = Sampler::new(&policy.task, spec, &mut *backend, self.seed);
        let results: Result<_, _> = self
            .beta
            .iter()
            .zip(0..)
            .map(|(&beta, call)| sampler.evaluate(beta, call, self.number))
            .collect();
        self.print(&policy, results?, out)
    }

    fn exact(&self, policy: &Policy) -> anyhow::Result<Vec<ExactMetrics>> {
        let task = &policy.task;
        if task.scorer.enumerate().is_none() {
            let message = format!(
                "task {:?} cannot list all its objects and their scores (there are too many, or some have no score); \
                 leave out --exact",
                task.name
            );
            return Err(BadInput(message).into());
        }
        let spinner = indicatif::ProgressBar::new(self.beta.len() as u64);
        let all = Enumerated::new(task)?;
        let mut backend = policy.backend()?;
        let mut exact = ExactPolicy::new(&all.graph, &policy.parameters.layout.spec);
        let metrics = self.beta.iter().map(|&beta| {
            let metrics = all.measure(&mut exact, &*task.env, &mut *backend, beta)?;
            spinner.inc(1);
            Ok(metrics)
        });
        let metrics = metrics.collect();
        spinner.finish_and_clear();
        metrics
    }

    fn print<R: Serialize>(&self, policy: &Policy, results: Vec<R>, out: &mut Output) -> anyhow::Result<()> {
        let report = Report {
            checkpoint: self.source.checkpoint.display().to_string(),
            task: policy.task.name.clone(),
            conditioning: policy.parameters.layout.spec.conditioning,
            results,
        };
        if self.json {
            return print_json(&report, out);
        }
        print_table(&report.results, out)
    }
}

/// A column per β, a line per metric.
fn print_table<R: Serialize>(results: &[R], out: &mut Output) -> anyhow::Result<()> {
    let rows: Result<Vec<_>, _> = results.iter().map(serde_json::to_value).collect();
    let rows = rows?;
    let Some(first) = rows.first().and_then(|row| row.as_object()) else {
        return Ok(());
    };
    for key in first.keys() {
        write!(out, "{key:<28}")?;
        for row in &rows {
            match row[key].as_f64() {
                Some(value) if row[key].is_f64() => write!(out, " {value:>9.4}")?,
                Some(value) => write!(out, " {value:>9}")?,
                None => write!(out, " {:>9}", "-")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
