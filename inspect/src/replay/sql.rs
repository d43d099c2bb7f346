//! Users' own SQL: what SQLite says against it, in words that help.

use super::Replay;
use crate::InspectError;
use rusqlite::{Error, ErrorCode};
use thermoflow::suggest::nearest;

/// How messages call the condition on trajectories.
pub const WHERE: &str = "--where";

/// How messages call a question in SQL.
pub const QUERY: &str = "the query";

/// What is wrong with the user's SQL given as `what`.
pub fn refused(what: &'static str, sql: &str, error: &Error, replay: &Replay) -> InspectError {
    let reason = match error {
        Error::SqlInputError { msg, .. } => msg.clone(),
        Error::SqliteFailure(_, Some(message)) => message.clone(),
        Error::MultipleStatement => "it is more than one statement".into(),
        other => other.to_string(),
    };
    let advice = match reason.strip_prefix("no such column: ") {
        Some(column) => columns(column, replay),
        None if reason.contains("not authorized") || reason.contains("prohibited") => {
            "; questions can only read".into()
        }
        None if reason.starts_with("no such table") => "; `thermoflow replay schema` shows the tables".into(),
        None if what == WHERE => "; a condition is needed, such as y > 0.9 AND beta > 2".into(),
        None => "; one SELECT is needed, such as SELECT x, y FROM replay".into(),
    };
    InspectError::Sql {
        what,
        sql: sql.into(),
        reason,
        advice,
    }
}

/// What is wrong with the user's SQL when it turns out while it is being answered, such as a sum that overflows.
pub fn not_computed(what: &'static str, sql: &str, error: &Error) -> Option<InspectError> {
    match error {
        Error::SqliteFailure(cause, Some(reason)) if cause.code == ErrorCode::Unknown => Some(InspectError::Sql {
            what,
            sql: sql.into(),
            reason: reason.clone(),
            advice: String::new(),
        }),
        _ => None,
    }
}

/// The columns there are, the most alike first.
fn columns(wrong: &str, replay: &Replay) -> String {
    let Ok(known) = replay.rows("SELECT name FROM pragma_table_info('replay')", |row| {
        row.get::<_, String>(0)
    }) else {
        return String::new();
    };
    let nearest = nearest(wrong, known.iter().map(String::as_str));
    let nearest = nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"));
    format!(
        "{nearest}{} columns are {}",
        if nearest.is_empty() { ";" } else { "" },
        known.join(", ")
    )
}
