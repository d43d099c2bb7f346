//! The command line, one file per question: arguments in, data from the modules beside, text out. No logic of its own.
//!
//! A new question is a file with an `Args` struct and its `run`, a variant of `Command` and a line in `Command::run`.

mod bench;
mod compact;
mod compare;
mod draw;
mod export;
mod histogram;
mod merge;
mod query;
mod schema;
mod serve;
mod show;
mod summary;
mod text;
mod timeline;
mod top;
mod verify;

use crate::InspectError;
use crate::replay::{Filter, Replay};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use thermoflow::console::{self, Output};
use thermoflow::process::{BAD_INPUT, FAILED};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay summary runs/a                     how much, by whom, at which β
  thermoflow replay top runs/a -n 20 --diverse 3       the best distinct x
  thermoflow replay show runs/a GATTACAA               one trajectory step by step
  thermoflow replay histogram runs/a --by beta         how y is distributed at each β
  thermoflow replay timeline runs/a --out run.png      what was found by when
  thermoflow replay schema                             the tables, for SQL of your own
  thermoflow replay serve runs/a                       all of it in a browser, live

RUN is a run directory or a replay.sqlite, also one that a learner is writing to; nothing is ever changed in it
(`compact` without --out puts a smaller file in its place).
Exit codes: 0 done, 1 it failed, 2 the input or the usage is wrong.";

/// Answers questions to the replay of a run: what was found, at which β, by whom, and why.
#[derive(Debug, Parser)]
#[command(name = "thermoflow replay", bin_name = "thermoflow replay", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Summary(summary::Args),
    Top(top::Args),
    Show(show::Args),
    Histogram(histogram::Args),
    Timeline(timeline::Args),
    Compare(compare::Args),
    Export(export::Args),
    Query(query::Args),
    Schema(schema::Args),
    Verify(verify::Args),
    Serve(serve::Args),
    Compact(compact::Args),
    Merge(merge::Args),
    Bench(bench::Args),
}

impl Command {
    fn run(self, out: &mut Output) -> anyhow::Result<()> {
        match self {
            Self::Summary(args) => args.run(out),
            Self::Top(args) => args.run(out),
            Self::Show(args) => args.run(out),
            Self::Histogram(args) => args.run(out),
            Self::Timeline(args) => args.run(out),
            Self::Compare(args) => args.run(out),
            Self::Export(args) => args.run(out),
            Self::Query(args) => args.run(out),
            Self::Schema(args) => args.run(out),
            Self::Verify(args) => args.run(out),
            Self::Serve(args) => args.run(out),
            Self::Compact(args) => args.run(out),
            Self::Merge(args) => args.run(out),
            Self::Bench(args) => args.run(out),
        }
    }
}

/// Which replay.
#[derive(Debug, clap::Args)]
struct Place {
    /// Run directory, or a replay.sqlite
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

impl Place {
    /// Opens it; scans show their progress.
    fn open(&self) -> Result<Replay, InspectError> {
        let mut replay = Replay::open(&self.run)?;
        replay.show_progress();
        Ok(replay)
    }
}

/// Which trajectories of which replay, and how the answer is printed.
#[derive(Debug, clap::Args)]
struct Question {
    #[command(flatten)]
    place: Place,
    /// Only trajectories for which this SQL condition is true, for example "y > 0.9 AND beta > 2" (`schema` has the columns)
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Question {
    /// Opens the replay and checks the condition.
    fn open(&self) -> Result<(Replay, Filter), InspectError> {
        let replay = self.place.open()?;
        let filter = Filter::new(self.condition.as_deref(), &replay)?;
        Ok((replay, filter))
    }
}

/// Runs a command and reports its end.
pub fn run(cli: Cli) -> ExitCode {
    let code = |error: &anyhow::Error| {
        let own = error.chain().find_map(|cause| cause.downcast_ref::<InspectError>());
        own.map(|error| if error.is_bad_input() { BAD_INPUT } else { FAILED })
    };
    console::run("warn,thermoflow_inspect=info", |out| cli.command.run(out), code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_subcommand_shows_examples() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Examples:"), "{}", command.get_name());
        }
    }
}
