//! `thermoflow replay export`: trajectories for other programs.

use super::Question;
use crate::InspectError;
use crate::export::{Column, Export, Format};
use std::io::Write;
use std::path::PathBuf;
use thermoflow::console::{self, Output};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay export runs/a --out a.parquet
  thermoflow replay export runs/a --where \"y > 0.9\" --columns x,y,beta --format csv | head
  thermoflow replay export runs/a --out a.safetensors --columns x,y,log_reward,actions,length";

/// Writes trajectories as Parquet, CSV, JSON lines or safetensors
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    question: Question,
    /// The file, which is there whole or not at all; without it, CSV and JSON lines go to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How it is written; without it, what the ending of FILE says, else CSV (JSON lines with --json)
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Only these columns, in this order (`schema` has them all)
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Replace FILE if it is there
    #[arg(long, requires = "out")]
    force: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let format = self.format()?;
        let columns = match &self.columns {
            Some(names) => Column::named(names.iter().map(String::as_str))?,
            None => Column::usual(),
        };
        let (replay, filter) = self.question.open()?;
        let export = Export {
            replay: &replay,
            filter: &filter,
            columns: &columns,
        };
        let Some(path) = &self.out else {
            export.to(format, out)?;
            return Ok(());
        };
        let (trajectories, bytes) = export.to_file(format, path, self.force)?;
        if self.question.json {
            let report = serde_json::json!({"out": path, "trajectories": trajectories, "bytes": bytes});
            return console::print_json(&report, out);
        }
        writeln!(out, "{trajectories} trajectories, {bytes} bytes in {}", path.display())?;
        Ok(())
    }

    fn format(&self) -> Result<Format, InspectError> {
        let format = match (self.format, &self.out) {
            (Some(format), _) => format,
            (None, Some(path)) => Format::of(path).ok_or_else(|| {
                let name = path.display();
                InspectError::Input(format!(
                    "what {name} is to be is not clear: give --format, or an ending (.parquet, .csv, .jsonl, .safetensors)"
                ))
            })?,
            (None, None) if self.question.json => Format::Jsonl,
            (None, None) => Format::Csv,
        };
        if self.out.is_none() && matches!(format, Format::Parquet | Format::Safetensors) {
            return Err(InspectError::Input("this format needs --out FILE".into()));
        }
        Ok(format)
    }
}
