//! The command line, one file per subcommand: arguments in, calls into the library, results out. No logic of its own.
//!
//! A new subcommand is a file with an `Args` struct and its `run`, a variant of `Command` and a line in
//! `Command::run`. Exit codes: 0 done, 1 it failed, 2 the input or the usage is wrong.

mod bench;
mod config;
mod data;
mod doctor;
mod evaluate;
mod experiment;
mod key;
mod launch;
mod plan;
mod reward;
mod sample;
mod score;
mod sibling;
mod tasks;
mod train;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use thermoflow::console::{self, BadInput, Output};

/// What is logged unless `RUST_LOG` says otherwise: our own progress, and other people's warnings.
const DEFAULT_LOG: &str = "warn,thermoflow=info,thermoflow_learner=info,thermoflow_actors=info";

const EXAMPLES: &str = "\
Examples:
  thermoflow doctor                                     is everything here?
  thermoflow train configs/tfbind8.toml                 train, with 2 actors on this machine
  thermoflow tasks                                      what can be trained on
  echo GATTACAA | thermoflow reward --task tfbind8      what an object scores
  thermoflow plan configs/tfbind8-async.toml --actors 64 what a run will do, and what limits it
  thermoflow config check configs/tfbind8.toml          a whole configuration, checked
  thermoflow replay summary runs/first                  what was found, at which β, by whom
  thermoflow key new ~/thermoflow.key                   a key, for actors on other machines

Exit codes: 0 done, 1 it failed, 2 the input or the usage is wrong. RUST_LOG sets what is logged to stderr.";

/// Trains temperature-conditional GFlowNets (Logit-GFN) with many actors and one learner.
#[derive(Debug, Parser)]
#[command(name = "thermoflow", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tasks(tasks::Args),
    Reward(reward::Args),
    Config(config::Args),
    Data(data::Args),
    Train(train::Args),
    Launch(launch::Args),
    Sample(sample::Args),
    Score(score::Args),
    Evaluate(evaluate::Args),
    Experiment(experiment::Args),
    Bench(bench::Args),
    Plan(plan::Args),
    Doctor(doctor::Args),
    Key(key::Args),
    /// Runs the learner alone, for a cluster (starts the program thermoflow-learner)
    #[command(disable_help_flag = true)]
    Learner(sibling::Args),
    /// Runs one actor alone, for a cluster (starts the program thermoflow-actor)
    #[command(disable_help_flag = true)]
    Actor(sibling::Args),
    /// Runs a relay, through which the actors of a node share one connection (starts the program thermoflow-relay)
    #[command(disable_help_flag = true)]
    Relay(sibling::Args),
    /// Answers questions to the replay of a run, in the terminal and in a browser (starts the program thermoflow-replay)
    #[command(disable_help_flag = true)]
    Replay(sibling::Args),
}

impl Command {
    fn run(self, out: &mut Output) -> anyhow::Result<()> {
        match self {
            Self::Tasks(args) => args.run(out),
            Self::Reward(args) => args.run(out),
            Self::Config(args) => args.run(out),
            Self::Data(args) => args.run(out),
            Self::Train(args) => args.run(out),
            Self::Launch(args) => args.run(out),
            Self::Sample(args) => args.run(out),
            Self::Score(args) => args.run(out),
            Self::Evaluate(args) => args.run(out),
            Self::Experiment(args) => args.run(out),
            Self::Bench(args) => args.run(out),
            Self::Plan(args) => args.run(out),
            Self::Doctor(args) => args.run(out),
            Self::Key(args) => args.run(out),
            Self::Learner(args) => args.run("thermoflow-learner"),
            Self::Actor(args) => args.run("thermoflow-actor"),
            Self::Relay(args) => args.run("thermoflow-relay"),
            Self::Replay(args) => args.run("thermoflow-replay"),
        }
    }
}

/// Runs a command and reports its end.
pub fn run(cli: Cli) -> ExitCode {
    let learners_own = |error: &anyhow::Error| error.downcast_ref().map(|learner: &train::LearnerFailed| learner.code);
    console::run(DEFAULT_LOG, |out| cli.command.run(out), learners_own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_subcommand_shows_examples() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            // The programs that are started show their own help.
            if !command.is_disable_help_flag_set() {
                let help = command.clone().render_long_help().to_string();
                assert!(help.contains("Examples:"), "{}", command.get_name());
            }
        }
    }
}
