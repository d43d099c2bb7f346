//! `thermoflow bench`: how fast this machine rolls out and trains, on one core unless told, how that grows and compares with
//! others, and how fast it takes in what actors send (a program of its own, because the learner's parts are needed).

mod child;
mod compare;
mod compute;
mod fleet;
mod growth;
mod meter;
mod published;
mod weights;
mod works;

use super::config::Source;
use super::{BadInput, Output, sibling};
use compute::Work;
use std::path::{Path, PathBuf};
use thermoflow::config::{self, RawConfig, RunConfig};

const EXAMPLES: &str = "\
Examples:
  thermoflow bench compare                              everything that others have measured, beside it
  thermoflow bench round                                whole rounds, published settings: 64 trajectories each
  thermoflow bench train --batch 256 --json             one gradient step on trajectories that were just rolled out
  thermoflow bench rollout --batch 4096                 roll-outs only, one policy version, many β
  thermoflow bench growth --over batch                  rounds of 16 to 4096 trajectories
  thermoflow bench fleet --actors 2                     a learner and two actors, in processes of their own
  thermoflow bench published --config configs/bench/sehstr.toml    the published code's arithmetic alone
  thermoflow bench weights --hidden 128,1024            weights on the wire: bytes and time in each format
  thermoflow bench ingest --actors 1000 --json          from actors' messages to the disk
  thermoflow bench replay --make 10000000               questions to a replay, and what they cost a learner
  thermoflow bench round --set policy.conditioning=\"layer\" --device cpu-torch

docs/performance.md has what was measured, and how.";

/// The published settings on TFBind8.
const PUBLISHED: &str = "configs/bench/tfbind8.toml";

/// Configurations that are known without their file.
const BUILT_IN: [(&str, &str); 5] = [
    (PUBLISHED, include_str!("../../../configs/bench/tfbind8.toml")),
    (fleet::ASYNC, include_str!("../../../configs/bench/tfbind8-async.toml")),
    (
        "configs/bench/tfbind8-gfnx.toml",
        include_str!("../../../configs/bench/tfbind8-gfnx.toml"),
    ),
    (
        "configs/bench/qm9str.toml",
        include_str!("../../../configs/bench/qm9str.toml"),
    ),
    (
        "configs/bench/sehstr.toml",
        include_str!("../../../configs/bench/sehstr.toml"),
    ),
];

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
    /// All that others have measured: their figures, ours here, and both corrected for the speed of the machines
    Compare(compare::Args),
    /// Roll-outs with one policy version, at β from P_exp, on one core
    Rollout(compute::Args),
    /// Gradient steps on trajectories that were rolled out by the weights before the step
    Train(compute::Args),
    /// Whole rounds: roll-out, replay, both gradient steps
    Round(compute::Args),
    /// How speed and memory grow with batch, hidden size, length of strings, actors or cores
    Growth(growth::Args),
    /// A learner and actors in processes of their own, as `thermoflow train` starts them
    Fleet(fleet::Args),
    /// The matrix products that the published code does for a round, and nothing else
    Published(published::Args),
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
            What::Compare(arguments) => arguments.run(out),
            What::Rollout(arguments) => arguments.run(Work::Rollout, out),
            What::Train(arguments) => arguments.run(Work::Train, out),
            What::Round(arguments) => arguments.run(Work::Round, out),
            What::Growth(arguments) => arguments.run(out),
            What::Fleet(arguments) => arguments.run(out),
            What::Published(arguments) => arguments.run(out),
            What::Weights(arguments) => arguments.run(out),
            What::Ingest(arguments) => arguments.run("thermoflow-bench-ingest"),
            What::Replay(arguments) => arguments.after("bench").run("thermoflow-replay"),
        }
    }
}

/// What to measure with; benches flatten it into their arguments.
#[derive(Debug, Clone, Default, clap::Args)]
struct Given {
    /// Configuration file; those of configs/bench are known without the file [default: configs/bench/tfbind8.toml; of a fleet
    /// configs/bench/tfbind8-async.toml]
    #[arg(long, value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Set a key of the configuration: a dotted path and a TOML value (may be given more than once)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

impl Given {
    /// Where it is, with `more` keys set; `otherwise` where none is given.
    fn source(&self, otherwise: impl Into<PathBuf>, more: Vec<String>) -> Source {
        Source {
            file: self.config.clone().unwrap_or_else(|| otherwise.into()),
            sets: [self.sets.clone(), more].concat(),
        }
    }

    /// The configuration of a file, or of one that is built in where there is no such file.
    fn load(&self, otherwise: impl Into<PathBuf>, more: Vec<String>) -> anyhow::Result<RunConfig> {
        let (source, flags) = (self.source(otherwise, more), RawConfig::default());
        match built_in(&source.file) {
            Some(text) => Ok(config::from_text(&source.file, text, &source.sets, &flags)?),
            None => source.load(&flags),
        }
    }
}

/// The text of a configuration that is built in and not there as a file.
fn built_in(file: &Path) -> Option<&'static str> {
    let known = BUILT_IN.iter().find(|(name, _)| file == Path::new(name));
    known.filter(|_| !file.exists()).map(|(_, text)| *text)
}

fn check_seconds(seconds: f64) -> Result<(), BadInput> {
    if seconds > 0.0 && seconds <= 3600.0 {
        return Ok(());
    }
    let allowed = "allowed is more than 0, up to 3600";
    Err(BadInput(format!("--seconds is {seconds}; {allowed}")))
}
