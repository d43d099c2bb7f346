//! The program `thermoflow-actor` with libtorch, which it becomes where its learner's configuration needs that.

use std::process::ExitCode;

fn main() -> ExitCode {
    thermoflow_torch::install();
    thermoflow_actors::program::main()
}
