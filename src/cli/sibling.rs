//! `thermoflow learner`, `thermoflow actor`, `thermoflow relay` …: start the program of that name that lies beside this one.

use anyhow::Context;
use std::ffi::OsString;
use thermoflow::console::sibling::become_program;
pub use thermoflow::console::sibling::find;

/// Arguments that are handed on as they are.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Arguments of the program; --help shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

impl Args {
    /// The same behind another one.
    pub fn after(mut self, first: &str) -> Self {
        self.arguments.insert(0, first.into());
        self
    }

    pub fn run(self, program: &str) -> anyhow::Result<()> {
        let path = find(program)?;
        become_program(&path, &self.arguments).with_context(|| format!("{} cannot be started", path.display()))
    }
}
