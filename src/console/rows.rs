//! Results as rows, for commands that print many: CSV with a header, or a JSON object per line.

use super::Output;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// A table that is being printed. What was written comes out in any case: at the end, or when it is dropped.
pub struct Rows<'a> {
    // One writer for all rows: it reports a closed pipe from `write`, while one that is dropped keeps it to itself.
    format: Format<'a>,
    /// Somebody is watching: print row by row.
    is_watched: bool,
}

enum Format<'a> {
    Csv(Box<csv::Writer<&'a mut Output>>),
    Json(&'a mut Output),
}

impl<'a> Rows<'a> {
    /// A table with these columns, which are the fields of each row.
    pub fn new(out: &'a mut Output, json: bool, columns: &[&str]) -> anyhow::Result<Self> {
        let is_watched = std::io::stdout().is_terminal();
        if json {
            let format = Format::Json(out);
            return Ok(Self { format, is_watched });
        }
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(out);
        csv.write_record(columns)?;
        let format = Format::Csv(Box::new(csv));
        Ok(Self { format, is_watched })
    }

    /// Prints a row.
    pub fn write(&mut self, row: &impl Serialize) -> anyhow::Result<()> {
        match &mut self.format {
            Format::Csv(csv) => csv.serialize(row)?,
            Format::Json(out) => {
                serde_json::to_writer(&mut **out, row)?;
                writeln!(out)?;
            }
        }
        if self.is_watched { self.flush() } else { Ok(()) }
    }

    /// Prints what is still held back.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        match &mut self.format {
            Format::Csv(csv) => csv.flush()?,
            Format::Json(out) => out.flush()?,
        }
        Ok(())
    }
}
