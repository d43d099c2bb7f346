//! The `thermoflow` command.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    thermoflow::cli::run(thermoflow::cli::Cli::parse())
}
