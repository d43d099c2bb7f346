//! The `thermoflow` command: parse, set up logging, run, print what went wrong.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}
