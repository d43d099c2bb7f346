//! A question of the user's in SQL: what it may be, and its rows as they come. Nothing is kept, so memory does not grow.

use crate::InspectError;
use crate::replay::Replay;
use crate::replay::sql::{self, QUERY};
use rusqlite::Statement;
use rusqlite::types::ValueRef;
use serde::{Serialize, Serializer};
use std::collections::HashSet;
use std::fmt::{self, Display};

/// A SELECT that SQLite accepts.
#[derive(Debug)]
pub struct Query<'a> {
    replay: &'a Replay,
    sql: &'a str,
    statement: Statement<'a>,
    columns: Vec<String>,
}

impl<'a> Query<'a> {
    /// Checks a question to the tables and to the view `replay`.
    ///
    /// # Errors
    /// SQLite does not understand it, or it is anything but one SELECT.
    pub fn new(replay: &'a Replay, sql: &'a str) -> Result<Self, InspectError> {
        let prepared = replay.connection().prepare(sql);
        let statement = prepared.map_err(|error| refused(sql, &error, replay))?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        if columns.is_empty() {
            return Err(InspectError::Input(format!(
                "{sql:?} asks for nothing: a SELECT is needed"
            )));
        }
        if statement.parameter_count() > 0 {
            return Err(InspectError::Input(format!("{sql:?}: ? stands for nothing here")));
        }
        Ok(Self {
            replay,
            sql,
            statement,
            columns,
        })
    }

    /// The names of its columns, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// A column that has the name of an earlier one.
    pub fn repeated_column(&self) -> Option<&str> {
        let mut names = HashSet::new();
        self.columns
            .iter()
            .map(String::as_str)
            .find(|name| !names.insert(*name))
    }

    /// Calls `each` with every row, as it is found.
    ///
    /// # Errors
    /// When reading fails or SQLite cannot compute a value, and those of `each`.
    pub fn rows<E: From<InspectError>>(mut self, mut each: impl FnMut(&[Cell<'_>]) -> Result<(), E>) -> Result<(), E> {
        let (replay, sql) = (self.replay, self.sql);
        let failed = |error| sql::not_computed(QUERY, sql, &error).unwrap_or_else(|| replay.failed(error));
        let count = self.columns.len();
        let mut rows = self.statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let cells = (0..count).map(|column| row.get_ref(column).map(Cell));
            let cells: Vec<Cell<'_>> = cells.collect::<Result<_, _>>().map_err(failed)?;
            each(&cells)?;
        }
        Ok(())
    }
}

fn refused(question: &str, error: &rusqlite::Error, replay: &Replay) -> InspectError {
    sql::refused(QUERY, question, error, replay)
}

/// A value of an answer. Bytes are shown as hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell<'a>(pub ValueRef<'a>);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            ValueRef::Null => serializer.serialize_none(),
            ValueRef::Integer(number) => serializer.serialize_i64(number),
            ValueRef::Real(number) => serializer.serialize_f64(number),
            ValueRef::Text(_) | ValueRef::Blob(_) => serializer.collect_str(self),
        }
    }
}

impl Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ValueRef::Null => Ok(()),
            ValueRef::Integer(number) => number.fmt(f),
            ValueRef::Real(number) => number.fmt(f),
            ValueRef::Text(text) => f.write_str(&String::from_utf8_lossy(text)),
            ValueRef::Blob(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// A row as a JSON object, its columns in order.
#[derive(Debug)]
pub struct Record<'a> {
    /// The columns.
    pub columns: &'a [String],
    /// Their values.
    pub cells: &'a [Cell<'a>],
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().zip(self.cells))
    }
}
