//! The curves of metrics.jsonl, thinned, however long a run gets.

use crate::InspectError;
use serde::Serialize;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::Path;

/// Rows that are kept, at most; of more, every second is left out.
const MOST: usize = 500;

/// Rows of metrics.jsonl; can be read further as a learner writes.
#[derive(Debug, Clone)]
pub struct Losses {
    /// Bytes that were read: whole lines.
    read: u64,
    /// Rows that were read.
    rows: usize,
    /// Of these, every so many is kept.
    each: usize,
    kept: Vec<Row>,
    /// The newest, kept or not.
    last: Option<Row>,
}

type Row = serde_json::Map<String, Value>;

/// Numbers of each report.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Curves {
    /// Their names as in metrics.jsonl, sorted.
    pub columns: Vec<String>,
    /// A row per report, in order; None where it has no such number.
    pub rows: Vec<Vec<Option<f64>>>,
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            read: 0,
            rows: 0,
            each: 1,
            kept: Vec::new(),
            last: None,
        }
    }
}

impl Losses {
    /// Reads what was written since; from the beginning when the file was cut (a run that was resumed). A file that is
    /// not there has no rows.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn catch_up(&mut self, path: &Path) -> Result<(), InspectError> {
        let failed = |source| InspectError::Read {
            path: path.into(),
            source,
        };
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other.map_err(failed)?,
        };
        if file.metadata().map_err(failed)?.len() < self.read {
            *self = Self::default();
        }
        let mut lines = BufReader::new(file);
        lines.seek(SeekFrom::Start(self.read)).map_err(failed)?;
        let mut line = String::new();
        loop {
            line.clear();
            let length = lines.read_line(&mut line).map_err(failed)?;
            // The last line may still be being written.
            if !line.ends_with('\n') {
                return Ok(());
            }
            self.read += length as u64;
            // A torn line is what a crash left; the learner mends it.
            if let Ok(row) = serde_json::from_str(&line) {
                self.add(row);
            }
        }
    }

    fn add(&mut self, row: Row) {
        if self.rows.is_multiple_of(self.each) {
            self.kept.push(row.clone());
        }
        self.rows += 1;
        self.last = Some(row);
        if self.kept.len() > MOST {
            let mut place = 0;
            self.kept.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.each *= 2;
        }
    }

    /// The numbers that any kept row has.
    pub fn curves(&self) -> Curves {
        let last = self.last.iter().filter(|last| self.kept.last() != Some(*last));
        let rows: Vec<&Row> = self.kept.iter().chain(last).collect();
        let mut columns: Vec<String> = Vec::new();
        for (name, _) in rows
            .iter()
            .flat_map(|row| row.iter())
            .filter(|(_, value)| value.is_number())
        {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        let values = |row: &&Row| {
            columns
                .iter()
                .map(|name| row.get(name).and_then(Value::as_f64))
                .collect()
        };
        Curves {
            rows: rows.iter().map(values).collect(),
            columns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(path: &Path, rounds: std::ops::Range<u64>, rest: &str) {
        let lines = rounds.map(|round| {
            format!(
                "{{\"round\":{round},\"waiting_for\":\"actors\",\"modes\":{}}}\n",
                2 * round
            )
        });
        fs::write(path, lines.collect::<String>() + rest).unwrap();
    }

    #[test]
    fn curves_are_thinned_and_end_with_the_newest_row() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut losses = Losses::default();
        losses.catch_up(&path).unwrap();
        assert_eq!(losses.curves(), Curves::default());
        write(&path, 0..3, "{\"round\":3,");
        losses.catch_up(&path).unwrap();
        assert_eq!(
            losses.curves().rows,
            [[0.0, 0.0], [2.0, 1.0], [4.0, 2.0]].map(|row| row.map(Some))
        );
        write(&path, 0..2000, "");
        losses.catch_up(&path).unwrap();
        let curves = losses.curves();
        assert_eq!(curves.columns, ["modes", "round"]);
        assert!(
            (MOST / 2..=MOST + 1).contains(&curves.rows.len()),
            "{}",
            curves.rows.len()
        );
        assert_eq!(curves.rows.last().unwrap()[1], Some(1999.0));
        assert!(curves.rows.windows(2).all(|pair| pair[0][0] < pair[1][0]));
        // A run that was resumed from an earlier checkpoint.
        write(&path, 0..5, "");
        losses.catch_up(&path).unwrap();
        assert_eq!(losses.curves().rows.len(), 5);
    }
}
