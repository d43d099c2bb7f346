//! `thermoflow bench weights`: how large weights are on the wire in each format, and what packing them costs.

use super::{Given, PUBLISHED};
use crate::cli::{BadInput, Output};
use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thermoflow::config::{RunConfig, WeightsFormat};
use thermoflow::console::print_json;
use thermoflow::policy::Parameters;
use thermoflow::protocol::weights::{Packer, to_bytes};
use thermoflow::protocol::{ToActor, decode_to_actor};
use thermoflow::report::Table;
use thermoflow::rounds::Rounds;
use thermoflow::task::Task;
use thermoflow::units::PolicyVersion;

/// What to pack.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Sizes of the hidden layers
    #[arg(long, value_name = "H", value_delimiter = ',', default_values_t = [128, 1024])]
    hidden: Vec<usize>,
    /// Versions to pack, a round of training apart
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    versions: u64,
    /// Rounds of training before the first: early weights change more from version to version
    #[arg(long, default_value_t = 20)]
    warm_up: u64,
    #[command(flatten)]
    given: Given,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// One format at one size.
#[derive(Debug, Serialize)]
struct Line {
    hidden: usize,
    format: WeightsFormat,
    bytes: f64,
    /// Of the bytes as f32.
    share: f64,
    /// At the learner, once a version.
    pack_ms: f64,
    /// At each actor.
    unpack_ms: f64,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let bar = indicatif::ProgressBar::new(self.hidden.len() as u64 * (self.warm_up + self.versions));
        let mut lines = Vec::new();
        for &hidden in &self.hidden {
            if hidden == 0 {
                return Err(BadInput("--hidden is 0; allowed are sizes from 1 up".into()).into());
            }
            lines.extend(self.measure(hidden, &bar)?);
        }
        bar.finish_and_clear();
        if self.json {
            return print_json(&lines, out);
        }
        Ok(write!(out, "{}", table(&lines).markdown())?)
    }

    fn measure(&self, hidden: usize, bar: &indicatif::ProgressBar) -> anyhow::Result<Vec<Line>> {
        let sets = vec![format!("policy.hidden={hidden}")];
        let config = self.given.load(PUBLISHED, sets)?;
        let versions = self.train(&config, bar)?;
        let formats = WeightsFormat::value_variants();
        let mut lines = formats
            .iter()
            .map(|&format| pack(hidden, format, &versions))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let whole = lines.first().map_or(1.0, |line| line.bytes);
        lines.iter_mut().for_each(|line| line.share = line.bytes / whole);
        Ok(lines)
    }

    /// One more than asked for: the first is what the first difference is to.
    fn train(&self, config: &RunConfig, bar: &indicatif::ProgressBar) -> anyhow::Result<Vec<Parameters>> {
        let mut rounds = Rounds::new(config, &Task::load(&config.task)?)?;
        let mut versions = Vec::new();
        for round in 0..=self.warm_up + self.versions {
            if round >= self.warm_up {
                versions.push(rounds.trainer.parameters().clone());
            }
            rounds.round()?;
            bar.inc(1);
        }
        Ok(versions)
    }
}

/// Packs one version after another as a learner does, and unpacks them as an actor does that gets each.
fn pack(hidden: usize, format: WeightsFormat, versions: &[Parameters]) -> anyhow::Result<Line> {
    let mut packer = Packer::new(format);
    let mut held: Option<(PolicyVersion, Parameters)> = None;
    let (mut bytes, mut packing, mut unpacking) = (0, Duration::ZERO, Duration::ZERO);
    for (number, parameters) in (0..).zip(versions) {
        let version = PolicyVersion(number);
        let plain = Arc::new(to_bytes(parameters));
        let start = Instant::now();
        let published = packer.pack(version, 0.0, plain);
        let packed = start.elapsed();
        let message = match &published.difference {
            Some((_, difference)) => difference,
            None => &published.whole,
        };
        let start = Instant::now();
        let ToActor::Weights { weights, .. } = decode_to_actor(message)? else {
            anyhow::bail!("weights were packed as another message");
        };
        let before = held.as_ref().map(|(version, parameters)| (*version, parameters));
        let unpacked = weights
            .unpack(&parameters.layout, before)
            .context("what was packed does not unpack")?;
        // The first has nothing before it.
        if number > 0 {
            bytes += message.len();
            packing += packed;
            unpacking += start.elapsed();
        }
        held = Some((version, unpacked));
    }
    let count = (versions.len() - 1) as f64;
    Ok(Line {
        hidden,
        format,
        bytes: bytes as f64 / count,
        share: 1.0,
        pack_ms: packing.as_secs_f64() * 1e3 / count,
        unpack_ms: unpacking.as_secs_f64() * 1e3 / count,
    })
}

fn table(lines: &[Line]) -> Table {
    let header = ["learner.weights", "H", "kB", "of f32", "packing, ms", "unpacking, ms"];
    let name = |format: &WeightsFormat| format.to_possible_value().map(|value| value.get_name().to_owned());
    let row = |line: &Line| {
        vec![
            name(&line.format).unwrap_or_default(),
            line.hidden.to_string(),
            format!("{:.1}", line.bytes / 1e3),
            format!("{:.2}", line.share),
            format!("{:.2}", line.pack_ms),
            format!("{:.2}", line.unpack_ms),
        ]
    };
    Table {
        title: "Weights on the wire".into(),
        header: header.map(str::to_owned).to_vec(),
        rows: lines.iter().map(row).collect(),
    }
}
