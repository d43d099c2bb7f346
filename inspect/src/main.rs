//! The program `thermoflow-replay`: what `thermoflow replay` starts.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    thermoflow_inspect::cli::run(thermoflow_inspect::cli::Cli::parse())
}
