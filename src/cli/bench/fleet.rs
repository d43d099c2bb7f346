//! `thermoflow bench fleet`: a learner and actors in processes of their own, as `thermoflow train` starts them, for some seconds.

use super::{Given, built_in, check_seconds};
use crate::cli::plan::check;
use crate::cli::{BadInput, Output};
use anyhow::Context;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use thermoflow::config::{Mode, RunConfig};
use thermoflow::console::print_json;
use thermoflow::process;

/// TFBind8, learner and actors running freely.
pub const ASYNC: &str = "configs/bench/tfbind8-async.toml";

const EXAMPLES: &str = "\
Examples:
  thermoflow bench fleet                        a learner and one actor
  thermoflow bench fleet --actors 4 --seconds 30 --json
  taskset -c 0,1 thermoflow bench fleet         held to two cores
  thermoflow bench fleet --config configs/tfbind8.toml --actors 2    in lockstep

The first 5 s and 0.15 s for each actor are not counted: processes start. `thermoflow plan --check` does the same beside a prediction.";

/// Who is to work.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Actor processes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=512))]
    actors: u32,
    /// Seconds to measure, after the start
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    #[command(flatten)]
    given: Given,
    /// Where the run is kept for the time of the bench
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    work: &'static str,
    actors: u32,
    cores: usize,
    /// As rounds are counted: rolled out and replayed.
    trajectories_per_second: f64,
    rolled_out_per_second: f64,
    staleness_p50: Option<f64>,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        check_seconds(self.seconds)?;
        let config = self.given.load(ASYNC, Vec::new())?;
        let trained_on = trained_on(&config)?;
        let cannot = || format!("{} cannot be used", self.dir.display());
        let dir = tempfile::tempdir_in(&self.dir).with_context(cannot)?;
        let mut source = self.given.source(ASYNC, Vec::new());
        if let Some(text) = built_in(&source.file) {
            // The learner reads a file.
            source.file = dir.path().join("config.toml");
            std::fs::write(&source.file, text)?;
        }
        let measured = check::run(&source, &config, self.actors as usize, None, self.seconds, dir.path())?;
        let report = Report {
            work: "fleet",
            actors: self.actors,
            cores: process::cores(),
            trajectories_per_second: measured.trajectories_per_second * trained_on,
            rolled_out_per_second: measured.trajectories_per_second,
            staleness_p50: measured.staleness_p50,
        };
        if self.json {
            return print_json(&report, out);
        }
        writeln!(
            out,
            "fleet, actors: {}, cores: {}: {:.0} trajectories/s, {:.0} of them rolled out, the others replayed",
            report.actors, report.cores, report.trajectories_per_second, report.rolled_out_per_second,
        )?;
        Ok(())
    }
}

/// How many trajectories a round has for each that is rolled out.
fn trained_on(config: &RunConfig) -> Result<f64, BadInput> {
    match config.train.mode {
        Mode::Async => Ok(config.replay.samples_per_insert / config.train.steps as f64),
        Mode::Sync => Ok(1.0 + config.replay.batch as f64 / config.train.batch as f64),
        Mode::Offline => Err(BadInput(
            "train.mode is \"offline\", which has no actors; allowed are \"async\" and \"sync\"".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_counts_trajectories_as_rounds_do() {
        let of = |file: &str, sets: &[&str]| {
            let sets = sets.iter().map(|&set| set.to_owned()).collect();
            trained_on(&Given::default().load(file, sets).unwrap())
        };
        assert_eq!(of(ASYNC, &[]).unwrap(), 2.0);
        assert_eq!(
            of(ASYNC, &["replay.samples_per_insert=8.0", "train.steps=2"]).unwrap(),
            4.0
        );
        assert_eq!(of("configs/bench/tfbind8.toml", &["replay.batch=96"]).unwrap(), 4.0);
        assert!(
            of(ASYNC, &["train.mode=\"offline\""])
                .unwrap_err()
                .0
                .contains("\"sync\"")
        );
    }
}
