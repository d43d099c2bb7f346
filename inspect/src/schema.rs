//! What the tables and the view `replay` hold, column by column. The one source is the SQL that makes them: names and types
//! come from SQLite, meanings and units from the comments behind the columns.

use crate::replay::VIEW;
use serde::Serialize;
use thermoflow::replay::SCHEMA;

/// A table, or the view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What it is, in a line or two.
    pub about: String,
    /// In order.
    pub columns: Vec<Column>,
}

/// A column of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// SQLite's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Unit, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it means.
    pub meaning: String,
}

/// The view `replay`, then the tables.
pub fn explain() -> Vec<Table> {
    let mut tables = Vec::new();
    for sql in [VIEW, SCHEMA] {
        // Comments above a statement belong to it.
        let mut about = String::new();
        for line in sql.lines() {
            match (line.trim().split_once("-- "), made(line)) {
                (Some(("", comment)), _) => {
                    let space = if about.is_empty() { "" } else { " " };
                    about = format!("{about}{space}{comment}");
                }
                (_, Some(name)) => tables.push(Table {
                    name: name.into(),
                    about: std::mem::take(&mut about),
                    columns: Vec::new(),
                }),
                (Some((code, comment)), None) => {
                    let table = tables.last_mut().expect("columns follow their table");
                    table.columns.push(column(code, comment));
                }
                (None, None) => about.clear(),
            }
        }
    }
    // The file's own view holds less than ours, which has its name.
    tables.retain(|table| !table.columns.is_empty());
    tables
}

/// The table or view that a line makes.
fn made(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let is_made = words.next() == Some("CREATE") && words.any(|word| word == "TABLE" || word == "VIEW");
    words.next().filter(|_| is_made)
}

/// `name TYPE …, -- meaning [unit]` of a table, or `… AS name, -- TYPE meaning [unit]` of the view.
fn column(code: &str, comment: &str) -> Column {
    let code = code.trim_end().trim_end_matches(',');
    let (name, kind, meaning) = match code.rsplit_once(" AS ") {
        Some((_, name)) => {
            let (kind, meaning) = comment.split_once(' ').unwrap_or((comment, ""));
            (name, kind, meaning)
        }
        None => {
            let mut words = code.split_whitespace();
            (words.next().unwrap_or(""), words.next().unwrap_or(""), comment)
        }
    };
    let unit = meaning.strip_suffix(']').and_then(|meaning| meaning.rsplit_once(" ["));
    let (meaning, unit) = unit.map_or((meaning, None), |(meaning, unit)| (meaning, Some(unit.to_owned())));
    Column {
        name: name.into(),
        kind: kind.into(),
        unit,
        meaning: meaning.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::COLUMNS;
    use crate::replay::Replay;
    use thermoflow::replay::Store;

    #[test]
    fn every_column_that_there_is_is_explained_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replay.sqlite");
        Store::open(&path).unwrap();
        let replay = Replay::open(&path).unwrap();
        let tables = explain();
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(
            names,
            ["replay", "meta", "actors", "objects", "batches", "trajectories"]
        );
        for table in &tables {
            let sql = format!("SELECT name, type FROM pragma_table_info('{}')", table.name);
            let real: Vec<(String, String)> = replay.rows(&sql, |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            let explained: Vec<(String, String)> = table
                .columns
                .iter()
                .map(|column| (column.name.clone(), column.kind.clone()))
                .collect();
            assert_eq!(explained.len(), real.len(), "{}", table.name);
            for (ours, (name, kind)) in explained.into_iter().zip(real) {
                // SQLite does not know the type of what the view computes.
                let kind = if kind.is_empty() { ours.1.clone() } else { kind };
                assert_eq!(ours, (name, kind), "{}", table.name);
            }
            for column in &table.columns {
                assert!(
                    !column.meaning.is_empty() && column.kind.chars().all(char::is_uppercase),
                    "{column:?}"
                );
            }
            assert!(!table.about.is_empty());
        }
        let view: Vec<&str> = tables[0].columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(COLUMNS.map(|column| column.name).as_slice(), view);
    }

    #[test]
    fn units_are_told_from_meanings() {
        let explained = column("log_pf REAL NOT NULL,", "log P_F [nats]");
        assert_eq!(
            (explained.unit.as_deref(), explained.meaning.as_str()),
            (Some("nats"), "log P_F")
        );
        let explained = column("(SELECT x FROM objects) AS x,", "TEXT the object");
        assert_eq!((explained.name.as_str(), explained.kind.as_str()), ("x", "TEXT"));
    }
}
