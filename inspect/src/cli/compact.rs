//! `thermoflow replay compact`: a replay without unused space.

use super::Place;
use crate::compact::{copy, in_place};
use std::io::Write;
use std::path::PathBuf;
use thermoflow::console::{self, Output};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay compact runs/a                    in place, when nobody else uses it
  thermoflow replay compact runs/a --out small.sqlite";

/// Writes a replay anew without unused space, in its place or as a copy
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// A copy, also of a replay in use; the replay stays as it is
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace FILE if it is there
    #[arg(long, requires = "out")]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let replay = self.place.open()?;
        let report = match &self.out {
            Some(path) => copy(&replay, path, self.force)?,
            None => in_place(replay)?,
        };
        if self.json {
            return console::print_json(&report, out);
        }
        let each = report.after as f64 / report.trajectories.max(1) as f64;
        let (before, after, trajectories) = (report.before, report.after, report.trajectories);
        writeln!(
            out,
            "{before} bytes before, {after} bytes after: {each:.1} for each of {trajectories} trajectories"
        )?;
        Ok(())
    }
}
