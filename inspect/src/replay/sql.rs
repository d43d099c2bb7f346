//! Users' own SQL: what SQLite says against it, in words that help.

use super::Replay;
use crate::InspectError;
use rusqlite::Error;
use thermoflow::suggest::nearest;

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
        None => String::new(),
    };
    InspectError::Sql {
        what,
        sql: sql.into(),
        reason,
        advice,
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
