//! Trajectories as CSV and as JSON lines.

use super::block::{Block, Values};
use super::columns::Column;
use serde::{Serialize, Serializer};
use thermoflow::env::Action;

/// The line with the names.
pub(super) fn csv_header(columns: &[Column]) -> csv::Result<Vec<u8>> {
    let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    csv.write_record(columns.iter().map(|column| column.name))?;
    Ok(csv.into_inner().expect("memory is never full"))
}

/// A line per trajectory; actions as numbers with spaces between.
pub(super) fn csv(block: &Block) -> csv::Result<Vec<u8>> {
    let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for row in 0..block.rows {
        csv.serialize(CsvRow { block, row })?;
    }
    Ok(csv.into_inner().expect("memory is never full"))
}

/// An object per trajectory and line; actions as an array.
pub(super) fn json_lines(columns: &[Column], block: &Block) -> serde_json::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for row in 0..block.rows {
        serde_json::to_writer(&mut lines, &JsonRow { columns, block, row })?;
        lines.push(b'\n');
    }
    Ok(lines)
}

struct CsvRow<'a> {
    block: &'a Block,
    row: usize,
}

impl Serialize for CsvRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.block.columns.iter().map(|values| Cell {
            values,
            row: self.row,
            spaced: true,
        }))
    }
}

struct JsonRow<'a> {
    columns: &'a [Column],
    block: &'a Block,
    row: usize,
}

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.columns.iter().map(|column| column.name);
        let cells = self.block.columns.iter().map(|values| Cell {
            values,
            row: self.row,
            spaced: false,
        });
        serializer.collect_map(names.zip(cells))
    }
}

/// A value; `spaced`: a list as one text.
struct Cell<'a> {
    values: &'a Values,
    row: usize,
    spaced: bool,
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = self.row;
        match self.values {
            Values::Whole(values) | Values::Time(values) => serializer.serialize_i64(values[row]),
            Values::Real(values) => serializer.serialize_f32(values[row]),
            Values::Truth(values) => serializer.serialize_bool(values[row]),
            Values::Name(names) => serializer.serialize_str(names.get(row)),
            Values::Actions(lists) if self.spaced => serializer.serialize_str(&spaced(lists.get(row))),
            Values::Actions(lists) => serializer.collect_seq(lists.get(row)),
        }
    }
}

fn spaced(actions: &[Action]) -> String {
    let mut text = String::with_capacity(actions.len() * 3);
    for action in actions {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&action.to_string());
    }
    text
}
