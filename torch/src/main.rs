//! The `thermoflow` command with libtorch; `thermoflow` becomes this where it needs it.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    thermoflow_torch::install();
    thermoflow::cli::run(thermoflow::cli::Cli::parse())
}
