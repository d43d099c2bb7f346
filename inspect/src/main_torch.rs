//! The program `thermoflow-replay` with libtorch, which it becomes to score with a TorchScript model.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    thermoflow_torch::install();
    thermoflow_inspect::cli::run(thermoflow_inspect::cli::Cli::parse())
}
