//! `thermoflow replay merge`: several runs in one replay.

use crate::InspectError;
use crate::merge::merge;
use crate::replay::Replay;
use std::io::Write;
use std::path::PathBuf;
use thermoflow::console::{self, Output};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay merge runs/a runs/b --out both.sqlite
  thermoflow replay query both.sqlite \"SELECT incarnation, max(y) FROM replay GROUP BY 1\"";

/// Brings the trajectories of several runs of one task into a new replay
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Run directories, or what `merge` made
    #[arg(value_name = "RUN", required = true, num_args = 1..)]
    runs: Vec<PathBuf>,
    /// The new replay
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let open = |run: &PathBuf| {
            let mut replay = Replay::open(run)?;
            replay.show_progress();
            Ok::<_, InspectError>(replay)
        };
        let replays = self.runs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let report = merge(&replays, &self.out)?;
        if self.json {
            return console::print_json(&report, out);
        }
        writeln!(
            out,
            "{} trajectories to {} objects in {}, {} bytes; {} were there before",
            report.trajectories,
            report.objects,
            self.out.display(),
            report.bytes,
            report.repeated
        )?;
        Ok(())
    }
}
