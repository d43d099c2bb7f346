//! Tables of a user's own: objects and their scores as CSV (header `x,y`) or as JSON lines (`{"x":"ACG","y":0.5}`).
//!
//! Not here: tables of 8-mers (`eight_mers`), and opening files.

use super::health::Counters;
use super::{MOST_OBJECTS, OracleHealth};
use crate::env::{Environment, SequenceEnv, States};
use crate::task::{ScoreError, Scorer};
use csv::ErrorKind;
use hashbrown::HashMap;
use serde::Deserialize;

/// Scores by object; of strings of any length. Objects that are not in it get [`Self::with_missing`]'s score, or none.
#[derive(Debug)]
pub struct TableFile {
    scores: HashMap<Box<[u8]>, f32>,
    missing: f32,
    /// All objects of the environment, when each of them has a score.
    all: Option<States>,
    counters: Counters,
}

/// Why a file is no table of scores.
#[derive(Debug, thiserror::Error)]
pub enum TableFileError {
    /// There is nothing in it.
    #[error(
        "the table has no line with an object: a header `x,y` and lines such as `ACG,0.5` are needed, or JSON lines"
    )]
    Empty,
    /// The header of a CSV file lacks a column.
    #[error("line 1: the columns {found:?} lack `x` or `y`, both are needed")]
    Header {
        /// The columns there are.
        found: Vec<String>,
    },
    /// A line is wrong.
    #[error("line {line}: {reason}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it, with the offending value.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Row {
    x: String,
    y: f64,
}

/// A row and the number of its line.
type Numbered = (u64, Row);

impl TableFile {
    /// Reads a table of objects of `env`: JSON lines when the first character is a brace, otherwise CSV. Other columns
    /// and keys are not read. The caller bounds the number of bytes.
    ///
    /// # Errors
    /// On the first line that is wrong: no object of `env`, one that an earlier line has, a y that is not finite.
    pub fn read(bytes: &[u8], env: &SequenceEnv) -> Result<Self, TableFileError> {
        let rows = if bytes.trim_ascii_start().starts_with(b"{") {
            json_lines(bytes)?
        } else {
            csv_rows(bytes)?
        };
        let mut scores = HashMap::with_capacity(rows.len());
        for (line, row) in rows {
            enter(row, env, &mut scores).map_err(|reason| TableFileError::Line { line, reason })?;
        }
        if scores.is_empty() {
            return Err(TableFileError::Empty);
        }
        let all = env.objects(MOST_OBJECTS).filter(|all| all.len() == scores.len());
        Ok(Self {
            scores,
            missing: f32::NAN,
            all,
            counters: Counters::default(),
        })
    }

    /// The score of objects that are not in the table; without it, they cannot be scored (NaN).
    pub fn with_missing(mut self, y: f32) -> Self {
        self.missing = y;
        self
    }

    /// Number of objects in the table.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Never true: a table without objects is not read.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    fn look_up(&self, objects: &States) -> Vec<f32> {
        let score = |object| self.scores.get(object).copied().unwrap_or(self.missing);
        objects.iter().map(score).collect()
    }
}

fn json_lines(bytes: &[u8]) -> Result<Vec<Numbered>, TableFileError> {
    let lines = bytes.split(|&byte| byte == b'\n').zip(1..);
    let lines = lines.filter(|(text, _)| !text.trim_ascii().is_empty());
    let row = |(text, line)| match serde_json::from_slice(text) {
        Ok(row) => Ok((line, row)),
        Err(error) => Err(TableFileError::Line {
            line,
            reason: format!("{:?} is no object with x and y: {error}", String::from_utf8_lossy(text)),
        }),
    };
    lines.map(row).collect()
}

fn csv_rows(bytes: &[u8]) -> Result<Vec<Numbered>, TableFileError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|error| csv_error(&error, 1))?.clone();
    if header.is_empty() {
        return Err(TableFileError::Empty);
    }
    if !["x", "y"]
        .iter()
        .all(|needed| header.iter().any(|title| title == *needed))
    {
        let found = header.iter().map(str::to_owned).collect();
        return Err(TableFileError::Header { found });
    }
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        let line = next_line(reader.position(), bytes);
        if !reader
            .read_record(&mut record)
            .map_err(|error| csv_error(&error, line))?
        {
            return Ok(rows);
        }
        let row = record.deserialize(Some(&header));
        rows.push((line, row.map_err(|error| csv_error(&error, line))?));
    }
}

/// The line of the next record: the reader stands before the empty lines that it is going to skip.
fn next_line(position: &csv::Position, bytes: &[u8]) -> u64 {
    let rest = bytes.get(position.byte() as usize..).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    position.line() + empty.filter(|&&byte| byte == b'\n').count() as u64
}

fn csv_error(error: &csv::Error, line: u64) -> TableFileError {
    let reason = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} columns, {expected_len} are needed")
        }
        ErrorKind::Utf8 { .. } => "it is not UTF-8".into(),
        ErrorKind::Deserialize { err, .. } => {
            let column = err
                .field()
                .map_or_else(String::new, |field| format!("column {}: ", field + 1));
            format!("{column}{}", err.kind())
        }
        _ => error.to_string(),
    };
    TableFileError::Line { line, reason }
}

fn enter(row: Row, env: &SequenceEnv, scores: &mut HashMap<Box<[u8]>, f32>) -> Result<(), String> {
    let Row { x, y } = row;
    let object = env.parse_object(&x).map_err(|error| error.to_string())?;
    let score = y as f32;
    if !score.is_finite() {
        return Err(format!("y {y} of {x:?} must be a finite 32-bit number"));
    }
    match scores.insert(object.into(), score) {
        None => Ok(()),
        Some(_) => Err(format!("{x:?} is on an earlier line already")),
    }
}

impl Scorer for TableFile {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        let scores = self.look_up(objects);
        self.counters.calls.add(scores.len());
        self.counters.count_failed(&scores);
        Ok(scores)
    }

    fn enumerate(&self) -> Option<(States, Vec<f32>)> {
        let all = self.all.clone()?;
        let scores = self.look_up(&all);
        Some((all, scores))
    }

    fn health(&self) -> OracleHealth {
        self.counters.read()
    }

    fn is_repeatable(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Growth;

    fn env() -> SequenceEnv {
        SequenceEnv::variable("AB", 1..=2, Growth::AppendOnly)
    }

    fn scores(table: &TableFile, texts: &[&str]) -> Vec<f32> {
        let mut objects = States::new(env().state_width());
        texts.iter().for_each(|text| {
            objects.push(&env().parse_object(text).unwrap());
        });
        table.score(&objects).unwrap()
    }

    #[test]
    fn csv_and_json_lines_say_the_same() {
        let csv = TableFile::read(b"y,note,x\n0.5,good,A\n -1e-3,,BA\n", &env()).unwrap();
        let json = b"{\"x\":\"A\",\"y\":0.5}\n\n{\"y\":-1e-3,\"x\":\"BA\",\"note\":1}";
        let json = TableFile::read(json, &env()).unwrap();
        for table in [csv, json] {
            let found = scores(&table, &["BA", "A", "B"]);
            assert_eq!((&found[..2], table.len()), (&[-1e-3, 0.5][..], 2));
            assert!(found[2].is_nan(), "what is not in the table has no score");
            let health = table.health();
            assert_eq!((health.calls, health.failed), (3, 1));
            assert!(table.enumerate().is_none());
            assert_eq!(scores(&table.with_missing(0.25), &["B", "A"]), [0.25, 0.5]);
        }
    }

    #[test]
    fn a_table_of_everything_lists_everything() {
        let table = TableFile::read(b"x,y\nB,4\nA,1\nBB,6\nBA,5\nAB,3\nAA,2\n", &env()).unwrap();
        let (objects, scores) = table.enumerate().unwrap();
        assert_eq!(scores, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(table.score(&objects).unwrap(), scores);
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, expected) in [
            ("x,y\nA,1\nAX,2\n", "line 3: \"AX\""),
            ("x,y\nA,1\n\nABA,2\n", "line 4: \"ABA\""),
            ("x,y\nA,1\nA,1\n", "line 3: \"A\" is on an earlier line"),
            ("x,y\nA,nan\n", "line 2: y NaN of \"A\""),
            ("x,y\nA,1e60\n", "line 2: y 1"),
            ("x,y\nA\n", "line 2: it has 1 columns, 2 are needed"),
            ("x,y\r\nA,1\r\n\r\nB,fine\r\n", "line 4: column 2: "),
            ("x,score\nA,1\n", "[\"x\", \"score\"]"),
            ("x,y\n", "no line"),
            ("", "no line"),
            ("{\"x\":\"A\",\"y\":1}\n{\"x\":\"B\",\"y\":null}\n", "line 2"),
            ("{\"x\":\"A\",\"y\":1}\n{\"x\":\"A…\",\"y\":2}\n", "line 2"),
            ("{\"x\":\"A\"", "line 1"),
        ] {
            let message = TableFile::read(text.as_bytes(), &env()).unwrap_err().to_string();
            assert!(message.contains(expected), "{text:?}: {message}");
        }
        assert!(
            TableFile::read(b"x,y\n\xff,1\n", &env())
                .unwrap_err()
                .to_string()
                .contains("line 2")
        );
    }
}
