//! `thermoflow replay query`: the user's own SQL, answered as CSV, JSON lines, or a table on a terminal.

use super::Place;
use crate::InspectError;
use crate::query::{Cell, Query, Record};
use comfy_table::{CellAlignment, Table, presets};
use rusqlite::types::ValueRef;
use std::io::{IsTerminal, Write};
use thermoflow::console::Output;

const EXAMPLES: &str = "\
Examples:
  thermoflow replay query runs/a \"SELECT x, max(y) AS y, count(*) AS times FROM replay GROUP BY x ORDER BY 2 DESC LIMIT 10\"
  thermoflow replay query runs/a \"SELECT name, max(seq) FROM trajectories JOIN actors ON id = actor_id GROUP BY id\" --json

`thermoflow replay schema` explains the tables and the view replay. Bytes are shown as hexadecimal digits.";

/// Rows of a table on a terminal; what follows is another table, so that neither memory nor waiting grows.
const TABLE_ROWS: usize = 500;

/// Answers a SELECT of your own: CSV, JSON lines with --json, a table on a terminal
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// One SELECT
    #[arg(value_name = "SQL")]
    sql: String,
    /// Print a JSON object per row
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let replay = self.place.open()?;
        let query = Query::new(&replay, &self.sql)?;
        if self.json {
            json(query, out)
        } else if std::io::stdout().is_terminal() {
            tables(query, out)
        } else {
            csv(query, out)
        }
    }
}

fn json(query: Query<'_>, out: &mut Output) -> anyhow::Result<()> {
    if let Some(name) = query.repeated_column() {
        let message = format!("two columns are called {name:?}: name one of them with AS for --json");
        return Err(InspectError::Input(message).into());
    }
    let columns = query.columns().to_vec();
    query.rows(|cells| {
        let record = Record {
            columns: &columns,
            cells,
        };
        serde_json::to_writer(&mut *out, &record)?;
        Ok(writeln!(out)?)
    })
}

fn csv(query: Query<'_>, out: &mut Output) -> anyhow::Result<()> {
    let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    csv.write_record(query.columns())?;
    query.rows(|cells| Ok::<_, anyhow::Error>(csv.serialize(cells)?))?;
    Ok(csv.flush()?)
}

fn tables(query: Query<'_>, out: &mut Output) -> anyhow::Result<()> {
    let empty = {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(query.columns());
        table
    };
    let mut table = empty.clone();
    query.rows(|cells| {
        table.add_row(cells.iter().map(aligned));
        if table.row_count() == TABLE_ROWS {
            print(&std::mem::replace(&mut table, empty.clone()), out)?;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    print(&table, out)
}

fn print(table: &Table, out: &mut Output) -> anyhow::Result<()> {
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(out.flush()?)
}

fn aligned(cell: &Cell<'_>) -> comfy_table::Cell {
    let is_number = matches!(cell.0, ValueRef::Integer(_) | ValueRef::Real(_));
    let alignment = if is_number {
        CellAlignment::Right
    } else {
        CellAlignment::Left
    };
    comfy_table::Cell::new(cell).set_alignment(alignment)
}
