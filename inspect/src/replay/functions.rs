//! The view `replay` and its SQL functions. Columns that a question does not name cost nothing, because each is a look-up of
//! its own and not part of a join. Each says behind it what `schema` shows: type, meaning, unit.

use super::objects::ObjectReader;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use std::sync::Arc;

/// A view of all columns, and more of them.
macro_rules! view {
    ($name:literal, $more:literal) => {
        concat!(
            "CREATE TEMP VIEW ",
            $name,
            " AS\nSELECT\n",
            include_str!("columns.sql"),
            $more,
            "FROM main.trajectories t;\n"
        )
    };
}

/// The SQL that makes the view, with comments.
pub const VIEW: &str = concat!(
    "-- A row per trajectory, with all that belongs to it. Other SQLite tools see it without length and the last three.\n",
    view!("replay", "")
);

/// What scans read: y and log R also as the trajectory's row has them, NULL where they are the object's.
const SCANNED: &str = view!("scanned", ", t.y AS own_y, t.log_reward AS own_log_reward\n");

/// Gives a connection the functions and the view.
pub fn install(connection: &Connection, objects: ObjectReader) -> rusqlite::Result<()> {
    // Not deterministic to SQLite's planner: a newer object gets a score that there was not.
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    let objects = Arc::new(objects);
    for (column, name) in ["object_y", "object_log_reward"].into_iter().enumerate() {
        let objects = objects.clone();
        connection.create_scalar_function(name, 1, flags, move |context| {
            let id = usize::try_from(context.get_raw(0).as_i64()?).unwrap_or(usize::MAX);
            let value = f64::from(objects.scores(id)?[column]);
            Ok(value.is_finite().then_some(value))
        })?;
    }
    connection.create_scalar_function(
        "action_count",
        1,
        flags | FunctionFlags::SQLITE_DETERMINISTIC,
        |context| {
            let blob = context.get_raw(0).as_blob()?;
            // LEB128: the last byte of every number is below 0x80.
            Ok(blob.iter().filter(|byte| **byte < 0x80).count() as i64)
        },
    )?;
    connection.execute_batch(VIEW)?;
    connection.execute_batch(SCANNED)
}
