//! The program `thermoflow-actor`.

use std::process::ExitCode;

fn main() -> ExitCode {
    thermoflow_actors::program::main()
}
