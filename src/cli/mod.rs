//! The command line, one file per subcommand: arguments in, calls into the library, results out. No logic of its own.
//!
//! A new subcommand is a file with an `Args` struct and its `run`, a variant of [`Command`] and a line in
//! [`Command::run`]. Exit codes: 0 done, 1 it failed, 2 the input or the usage is wrong.

mod bench;
mod config;
mod data;
mod doctor;
mod evaluate;
mod experiment;
mod key;
mod output;
mod policy;
mod reward;
mod rows;
mod sample;
mod score;
mod sibling;
mod tasks;
mod train;

use anyhow::Context;
use clap::{Parser, Subcommand};
use output::Output;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use thermoflow::checkpoint::CheckpointError;
use thermoflow::config::{ConfigError, Invalid};
use thermoflow::env::EnvError;
use thermoflow::experiment::ExperimentError;
use thermoflow::policy::BackendError;
use thermoflow::protocol::secure::KeyFileError;
use thermoflow::scoring::ScoringError;
use thermoflow::task::TaskError;
use thermoflow::task::blocks::BlockDataError;
use thermoflow::task::import::ImportError;
use tracing_subscriber::EnvFilter;

/// What is logged unless `RUST_LOG` says otherwise: our own progress, and other people's warnings.
const DEFAULT_LOG: &str = "warn,thermoflow=info,thermoflow_learner=info,thermoflow_actors=info";

/// Exit code of usage errors and bad input; clap uses the same.
const BAD_INPUT: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  thermoflow doctor                                     is everything here?
  thermoflow train configs/tfbind8.toml                 train, with 2 actors on this machine
  thermoflow tasks                                      what can be trained on
  echo GATTACAA | thermoflow reward --task tfbind8      what an object scores
  thermoflow config check configs/tfbind8.toml          a whole configuration, checked
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
    Sample(sample::Args),
    Score(score::Args),
    Evaluate(evaluate::Args),
    Experiment(experiment::Args),
    Bench(bench::Args),
    Doctor(doctor::Args),
    Key(key::Args),
    /// Runs the learner alone, for a cluster (starts the program thermoflow-learner)
    #[command(disable_help_flag = true)]
    Learner(sibling::Args),
    /// Runs one actor alone, for a cluster (starts the program thermoflow-actor)
    #[command(disable_help_flag = true)]
    Actor(sibling::Args),
}

impl Command {
    fn run(self, out: &mut Output) -> anyhow::Result<()> {
        match self {
            Self::Tasks(args) => args.run(out),
            Self::Reward(args) => args.run(out),
            Self::Config(args) => args.run(out),
            Self::Data(args) => args.run(out),
            Self::Train(args) => args.run(out),
            Self::Sample(args) => args.run(out),
            Self::Score(args) => args.run(out),
            Self::Evaluate(args) => args.run(out),
            Self::Experiment(args) => args.run(out),
            Self::Bench(args) => args.run(out),
            Self::Doctor(args) => args.run(out),
            Self::Key(args) => args.run(out),
            Self::Learner(args) => args.run("thermoflow-learner"),
            Self::Actor(args) => args.run("thermoflow-actor"),
        }
    }
}

/// Input that cannot be used, where no library error says so.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BadInput(String);

/// Runs a command and reports its end.
pub fn run(cli: Cli) -> ExitCode {
    let mut out = Output::stdout();
    let result = start_logging()
        .and_then(|()| cli.command.run(&mut out))
        .and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // `thermoflow … | head` has seen enough; that is no failure.
        Err(_) if out.reader_left() => ExitCode::SUCCESS,
        Err(error) => {
            // What was printed before the error comes out before it.
            let _ = out.flush();
            print_error(format!("{error:#}"));
            exit_code(&error)
        }
    }
}

/// Prints an error with its causes as one line. There is nobody left to tell when stderr is closed.
fn print_error(error: impl Display) {
    let line = error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr(), "error: {line}");
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    let is_input = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<BadInput>()
            || cause.is::<ConfigError>()
            || cause.is::<Invalid>()
            || cause.is::<TaskError>()
            || cause.is::<EnvError>()
            || cause.is::<CheckpointError>()
            || cause.is::<ScoringError>()
            || cause.is::<BlockDataError>()
            || cause.is::<ImportError>()
            || cause.is::<KeyFileError>()
            || cause.downcast_ref().is_some_and(ExperimentError::is_bad_input)
            || matches!(cause.downcast_ref(), Some(BackendError::Device(_)))
    };
    if let Some(learner) = error.downcast_ref::<train::LearnerFailed>() {
        return ExitCode::from(learner.code);
    }
    if error.chain().any(is_input) {
        ExitCode::from(BAD_INPUT)
    } else {
        ExitCode::FAILURE
    }
}

fn start_logging() -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => {
            let parsed = EnvFilter::try_new(&text);
            parsed
                .map_err(|error| BadInput(error.to_string()))
                .with_context(|| format!("RUST_LOG is {text:?}"))?
        }
        _ => EnvFilter::new(DEFAULT_LOG),
    };
    thermoflow::process::log_to_stderr(filter);
    Ok(())
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

    #[test]
    fn input_errors_are_told_from_failures() {
        let code = |error: anyhow::Error| format!("{:?}", exit_code(&error.context("while testing")));
        let bad_input = format!("{:?}", ExitCode::from(2));
        assert_eq!(code(BadInput("x".into()).into()), bad_input);
        assert_eq!(code(EnvError::Incomplete { steps: 1 }.into()), bad_input);
        assert_eq!(
            code(std::io::Error::other("disk").into()),
            format!("{:?}", ExitCode::FAILURE)
        );
    }
}
