//! `thermoflow replay schema`: what the tables and the view hold.

use std::io::Write;
use thermoflow::console::Output;

const EXAMPLES: &str = "\
Examples:
  thermoflow replay schema
  thermoflow replay query runs/a \"SELECT x, max(y) FROM replay WHERE beta > 2\"";

/// Explains the tables and the view `replay`, for SQL of your own
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        Ok(write!(out, "{}", thermoflow::replay::SCHEMA)?)
    }
}
