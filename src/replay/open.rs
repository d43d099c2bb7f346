//! Opening the database: creation, schema, pragmas, and whose file it is.

use super::error::StoreError;
use super::store::{BUSY_TIMEOUT, READER_TIMEOUT};
use super::wal;
use hashbrown::HashSet;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fs::File;
use std::path::Path;

/// Version of `schema.sql`, kept as `PRAGMA user_version`.
pub const SCHEMA_VERSION: i64 = 1;

/// Marks the file as ours ("TFlo"), kept as `PRAGMA application_id`.
pub const APPLICATION_ID: i64 = 0x5446_6c6f;

/// The tables of a replay, with comments, in SQL.
pub const SCHEMA: &str = include_str!("schema.sql");

/// Durability and speed of the writer.
///
/// WAL: readers and the writer do not wait for each other; a copy made with VACUUM INTO is not in that mode.
/// FULL: a commit is on the disk when it returns (invariant 1). The WAL goes into the database every 16,000 pages (64 MB):
/// with objects seen again and again the same pages come in every commit, and are then moved once instead of many times.
/// The limit hands the space back after a long reader held it up. References hold by construction and `verify` checks
/// them, so they are not checked on every insert.
const WRITER_PRAGMAS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = OFF;
    PRAGMA wal_autocheckpoint = 16000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -65536;
    PRAGMA temp_store = MEMORY;
";

/// Opens for writing, creating the database when there is none or an empty file.
pub fn read_write(path: &Path) -> Result<Connection, StoreError> {
    wal::check(path)?;
    let fail = |error| StoreError::new(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
    if is_blank(&connection).map_err(fail)? {
        create(&mut connection).map_err(fail)?;
    }
    if check_identity(&connection, path)? < SCHEMA_VERSION {
        return Err(StoreError::OlderSchema {
            path: path.into(),
            detail: "it can be read, and merged into a new one, but not be added to".into(),
        });
    }
    if connection.is_readonly("main").map_err(fail)? {
        return Err(StoreError::NotWritable {
            path: path.into(),
            detail: "it opens for reading only".into(),
        });
    }
    connection.execute_batch(WRITER_PRAGMAS).map_err(fail)?;
    Ok(connection)
}

/// Opens for reading only, also while a learner writes, and from a read-only medium.
pub fn read_only(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing(path.into()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags)
        .map_err(|error| StoreError::new(path, error))
        .and_then(|connection| {
            connection
                .busy_timeout(READER_TIMEOUT)
                .map_err(|error| StoreError::new(path, error))?;
            check_readable(&connection, path)?;
            Ok(connection)
        });
    match opened {
        // A reader of a WAL database needs to write its shared memory beside it. Where nobody can write, nobody writes,
        // and with an empty WAL the file alone is the whole truth.
        Err(StoreError::NotWritable { .. }) if !has_wal(path) => immutable(path),
        // Both can be read, so it is the shared memory that cannot be made.
        Err(StoreError::NotWritable { .. })
            if [path, &wal::wal_of(path)].iter().all(|file| File::open(file).is_ok()) =>
        {
            Err(StoreError::LogOnReadOnlyMedium { path: path.into() })
        }
        other => other,
    }
}

fn has_wal(path: &Path) -> bool {
    std::fs::metadata(wal::wal_of(path)).is_ok_and(|wal| wal.len() > 0)
}

fn immutable(path: &Path) -> Result<Connection, StoreError> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags).map_err(|error| StoreError::new(path, error))?;
    check_readable(&connection, path)?;
    Ok(connection)
}

fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.query_row(sql, [], |row| row.get(0))
}

/// True for a database without any table that nobody has signed: new, or one whose creation was cut short.
fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(number(connection, "SELECT count(*) FROM sqlite_schema")? == 0
        && number(connection, "PRAGMA application_id")? == 0
        && number(connection, "PRAGMA user_version")? == 0)
}

/// Everything that makes the file ours comes in one transaction, so that a creation cut short leaves a blank database.
fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another opener may have been faster.
    if is_blank(&transaction)? {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()
}

/// The version of its schema, once it is known to be ours and not of a later program.
fn check_identity(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let read = |sql| number(connection, sql).map_err(|error| StoreError::new(path, error));
    let application = read("PRAGMA application_id")?;
    if application != APPLICATION_ID {
        let found = if is_blank(connection).map_err(|error| StoreError::new(path, error))? {
            "it is empty".into()
        } else {
            format!("it is an SQLite database with application id {application}, not {APPLICATION_ID}")
        };
        return Err(StoreError::Foreign {
            path: path.into(),
            found,
        });
    }
    match read("PRAGMA user_version")? {
        found @ 0..=SCHEMA_VERSION => Ok(found),
        found => Err(StoreError::NewerSchema {
            path: path.into(),
            found,
            known: SCHEMA_VERSION,
        }),
    }
}

/// A replay of an older schema is read as it is, never changed, if it has every column that we read.
fn check_readable(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    if check_identity(connection, path)? == SCHEMA_VERSION {
        return Ok(());
    }
    let missing = || -> rusqlite::Result<Vec<String>> {
        let ours = Connection::open_in_memory()?;
        ours.execute_batch(SCHEMA)?;
        let there: HashSet<String> = columns(connection)?.into_iter().collect();
        Ok(columns(&ours)?
            .into_iter()
            .filter(|name| !there.contains(name))
            .collect())
    };
    let missing = missing().map_err(|error| StoreError::new(path, error))?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(StoreError::OlderSchema {
        path: path.into(),
        detail: format!("it lacks {}", missing.join(", ")),
    })
}

/// Every column, as table.column.
fn columns(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::types::Value;

    /// Killing a process does not show whether commits are synced; only a power cut does.
    #[test]
    fn a_commit_is_synced_before_it_returns() {
        let dir = tempfile::tempdir().unwrap();
        for _ in ["new", "opened again"] {
            let connection = read_write(&dir.path().join("replay.sqlite")).unwrap();
            let pragma = |name| {
                let read = connection.pragma_query_value(None, name, |row| row.get::<_, Value>(0));
                read.unwrap()
            };
            assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
            assert_eq!(pragma("synchronous"), 2.into(), "FULL");
        }
    }
}
