//! A replay without the space that SQLite keeps in it: written anew beside it, compared, and put in its place.

use crate::InspectError;
use crate::new_file::{NewFile, refuse_replay};
use crate::replay::Replay;
use rusqlite::Connection;
use serde::Serialize;
use std::path::Path;
use thermoflow::replay::{Store, StoreError};
use thermoflow::run_dir::RunDir;

/// What became of the space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Trajectories in it.
    pub trajectories: u64,
    /// Bytes before, with what lay in the log.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
}

/// Rows per table.
const COUNTS: &str = "SELECT (SELECT count(*) FROM trajectories), (SELECT count(*) FROM objects),
    (SELECT count(*) FROM batches), (SELECT count(*) FROM actors), (SELECT count(*) FROM meta)";

/// Writes a compact copy to `out`; the replay stays as it is, and may be in use.
///
/// # Errors
/// `out` is the replay, or is there already (and `force` is not given), it cannot be written, or the copy is not the same.
pub fn copy(replay: &Replay, out: &Path, force: bool) -> Result<Report, InspectError> {
    refuse_replay(replay, out)?;
    let before = replay.number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?;
    // A connection of our own may write the copy, which those for users may not.
    let connection = Store::open_read_only(replay.path())?.into_connection();
    let new = NewFile::create(out, force)?;
    let trajectories = write(&connection, replay.path(), &new)?;
    let report = Report {
        trajectories,
        before: before.unsigned_abs(),
        after: new.keep()?,
    };
    Ok(report)
}

/// Puts a compact copy in the replay's place. Nobody else may have it open.
///
/// # Errors
/// It is damaged, a learner has the run, another program has the database, there is no space for the copy, or the copy is
/// not the same. The replay stays as it was then.
pub fn in_place(replay: Replay) -> Result<Report, InspectError> {
    // Held until the end, so that no learner begins meanwhile.
    let run = replay.root().zip(replay.record());
    let _run = run
        .map(|(root, record)| RunDir::resume(root, &record.config))
        .transpose()?;
    let path = replay.path().to_path_buf();
    refuse_damaged(&path)?;
    // It would be in our own way.
    drop(replay);
    let failed = |error| InspectError::from(StoreError::new(&path, error));
    let connection = Store::open(&path)?.into_connection();
    // Without a log beside it, the file is all there is, and closing it takes nothing away from its successor.
    connection
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE; COMMIT;")
        .map_err(failed)?;
    let replaced = replace(&connection, &path);
    if replaced.is_err() {
        // As it was; a learner would do the same when it opens it.
        let _ = connection.execute_batch("PRAGMA journal_mode = WAL;");
    }
    replaced
}

/// Damage is found before anything is written: opening a damaged file for writing changes it.
fn refuse_damaged(path: &Path) -> Result<(), InspectError> {
    let connection = Store::open_read_only(path)?.into_connection();
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    let detail = found.map_err(|error| StoreError::new(path, error))?;
    if detail == "ok" {
        return Ok(());
    }
    let path = path.into();
    Err(StoreError::Damaged { path, detail }.into())
}

fn replace(connection: &Connection, path: &Path) -> Result<Report, InspectError> {
    let new = NewFile::create(path, true)?;
    let before = std::fs::metadata(path).map_err(|source| new.failed(source))?.len();
    let trajectories = write(connection, path, &new)?;
    let report = Report {
        trajectories,
        before,
        after: new.keep()?,
    };
    Ok(report)
}

/// Writes the copy and compares it; returns how many trajectories it holds.
fn write(connection: &Connection, path: &Path, new: &NewFile) -> Result<u64, InspectError> {
    let failed = |error| InspectError::from(StoreError::new(path, error));
    let part = new.part().to_str().ok_or_else(|| {
        let name = new.part().display();
        InspectError::Input(format!("SQLite cannot write to {name}: the name is not UTF-8"))
    })?;
    let before = counts(connection).map_err(failed)?;
    connection.execute("VACUUM INTO ?1", [part]).map_err(failed)?;
    let after = counts(connection).map_err(failed)?;
    // For writing, which puts it into the mode that replays are in.
    let copy = Store::open(new.part())
        .map_err(|error| as_of(path, error))?
        .into_connection();
    let copied = counts(&copy).map_err(failed)?;
    // A learner may have added some meanwhile.
    let between = before.iter().zip(&after).map(|(before, after)| before..=after);
    if !between.zip(&copied).all(|(range, copied)| range.contains(&copied)) {
        let detail = format!("its copy holds {copied:?} rows, not {after:?}");
        let path = path.into();
        return Err(StoreError::Damaged { path, detail }.into());
    }
    copy.close().map_err(|(_, error)| failed(error))?;
    Ok(copied[0])
}

/// The copy is as old as what it is made of, which is what the user knows.
fn as_of(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::OlderSchema { detail, .. } => StoreError::OlderSchema {
            path: path.into(),
            detail,
        },
        other => other,
    }
}

fn counts(connection: &Connection) -> rusqlite::Result<[u64; 5]> {
    connection.query_row(COUNTS, [], |row| {
        let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok([number(0)?, number(1)?, number(2)?, number(3)?, number(4)?])
    })
}
