//! Adding up rows within SQLite's own loop, as an SQL aggregate function: a row that is handed out, and each of its
//! columns that is asked for, costs as much as finding it.

use super::scan::{Rows, Stop};
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::{Connection, Error, Result};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The columns of a row.
pub type Values<'a> = Context<'a>;

/// What the function is called in SQL.
const NAME: &str = "thermoflow_fold";

/// A sum that a connection adds rows to.
#[derive(Debug)]
pub struct Fold<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
struct State<T> {
    /// None while rows are being added.
    sum: Option<T>,
    /// Why a row was not added: SQLite hands on its text alone.
    error: Option<Error>,
}

impl<T: Send + 'static> Fold<T> {
    /// Begins with `sum`.
    pub fn of(sum: T) -> Self {
        Self(Arc::new(Mutex::new(State {
            sum: Some(sum),
            error: None,
        })))
    }

    /// What to select, so that rows with these columns are added.
    pub fn call(columns: &str) -> String {
        format!("{NAME}({columns})")
    }

    /// Gives a connection the function.
    pub fn install<F>(&self, connection: &Connection, add: Arc<F>) -> Result<()>
    where
        F: Fn(&mut T, &Values<'_>) -> Result<()> + Send + Sync + 'static,
    {
        let adding = Adding {
            state: self.0.clone(),
            add,
        };
        connection.create_aggregate_function(NAME, -1, FunctionFlags::SQLITE_UTF8, adding)
    }

    /// Adds the rows that a question with [`Self::call`] of these columns finds.
    pub fn run(&self, rows: &mut Rows<'_>, columns: &str) -> Result<(), Stop> {
        let result = rows.next().map(drop);
        let of_row = lock(&self.0).error.take().map(|error| match error {
            // People know columns, not what a function is called with.
            Error::InvalidParameterType(place, kind) => {
                let name = columns.split(", ").nth(place).unwrap_or_default();
                Error::InvalidColumnType(place, name.into(), kind)
            }
            other => other,
        });
        Ok(of_row.map_or(result, Err)?)
    }

    /// What was added up, unless a row could not be added.
    pub fn into_sum(self) -> T {
        lock(&self.0).sum.take().expect("given back after every question")
    }
}

fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The function.
struct Adding<T, F> {
    state: Arc<Mutex<State<T>>>,
    add: Arc<F>,
}

impl<T, F> Aggregate<AssertUnwindSafe<T>, bool> for Adding<T, F>
where
    F: Fn(&mut T, &Values<'_>) -> Result<()>,
{
    fn init(&self, _: &mut Context<'_>) -> Result<AssertUnwindSafe<T>> {
        let sum = lock(&self.state).sum.take();
        Ok(AssertUnwindSafe(sum.expect("one question at a time")))
    }

    fn step(&self, row: &mut Context<'_>, sum: &mut AssertUnwindSafe<T>) -> Result<()> {
        (self.add)(sum, row).map_err(|error| {
            let text = error.to_string();
            lock(&self.state).error = Some(error);
            Error::UserFunctionError(text.into())
        })
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<AssertUnwindSafe<T>>) -> Result<bool> {
        // None where there were no rows: it was never taken.
        if let Some(AssertUnwindSafe(sum)) = sum {
            lock(&self.state).sum = Some(sum);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(fold: &Fold<i64>, sql: &str) -> Result<(), Stop> {
        let connection = Connection::open_in_memory()?;
        fold.install(
            &connection,
            Arc::new(|sum: &mut i64, row: &Values<'_>| {
                *sum += row.get::<i64>(0)?;
                Ok(())
            }),
        )?;
        let call = Fold::<i64>::call("column1");
        let mut statement = connection.prepare(&format!("SELECT {call} FROM ({sql})"))?;
        let mut rows = statement.query([])?;
        fold.run(&mut rows, "column1")
    }

    #[test]
    fn a_sum_goes_on_from_question_to_question() {
        let sum = Fold::of(1);
        fold(&sum, "VALUES (2), (3)").unwrap();
        fold(&sum, "SELECT 4 AS column1 WHERE false").unwrap();
        fold(&sum, "VALUES (10)").unwrap();
        assert_eq!(sum.into_sum(), 16);
    }

    #[test]
    fn why_a_row_was_not_added_is_told_by_its_column() {
        let stopped = fold(&Fold::of(0), "VALUES (2), ('three'), (4)").unwrap_err();
        let Stop::Sqlite(error) = stopped else {
            panic!("{stopped:?}")
        };
        assert!(
            matches!(&error, Error::InvalidColumnType(0, name, _) if name == "column1"),
            "{error}"
        );
    }
}
