//! `thermoflow replay schema`: what the tables and the view hold.

use crate::schema::{Table, explain};
use comfy_table::presets;
use std::io::Write;
use thermoflow::console::{self, Output};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay schema
  thermoflow replay query runs/a \"SELECT x, max(y) FROM replay WHERE beta > 2\"";

/// Explains the view `replay` and the tables, for SQL of your own
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        if self.json {
            return console::print_json(&explain(), out);
        }
        for (number, table) in explain().iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            writeln!(out, "{}: {}", table.name, table.about)?;
            writeln!(out, "{}", columns(table).trim_fmt())?;
        }
        Ok(())
    }
}

fn columns(table: &Table) -> comfy_table::Table {
    let mut shown = comfy_table::Table::new();
    shown.load_style(presets::NOTHING);
    for column in &table.columns {
        let unit = column
            .unit
            .as_ref()
            .map_or_else(String::new, |unit| format!(" [{unit}]"));
        shown.add_row([
            &column.name,
            &column.kind.to_lowercase(),
            &format!("{}{unit}", column.meaning),
        ]);
    }
    shown
}
