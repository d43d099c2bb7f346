//! The durable replay: every trajectory ever received, in SQLite (`schema.sql` documents the tables).
//!
//! Invariant: [`Store::commit`] keeps all of what it is given or nothing, and when it returns Ok the trajectories are on
//! the disk. Acknowledging comes after. (incarnation, seq) is unique: what is sent again changes nothing.

use super::error::StoreError;
use super::known::Known;
use super::open;
use super::writer::{Writer, Written, check, find_actor};
use crate::rollout::Trajectory;
use crate::units::{Incarnation, Seq};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for another writer. There should be none (the run directory is locked); a reader that recovers the
/// WAL after a crash takes milliseconds.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for readers. A writer never keeps them waiting, so whoever does has the file for good.
pub(super) const READER_TIMEOUT: Duration = Duration::from_secs(2);

/// A trajectory as the learner received it, and as the store gives it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// The life of the actor that sent it.
    pub incarnation: Incarnation,
    /// The actor's name, for people.
    pub actor_name: Arc<str>,
    /// Its number within the incarnation.
    pub seq: Seq,
    /// The learner's policy version at receipt, less the trajectory's.
    pub staleness: u64,
    /// When it was received, microseconds since 1970-01-01 UTC.
    pub received_us: u64,
    /// False when it is kept but not trained on (too stale).
    pub trainable: bool,
    /// What was sampled.
    pub trajectory: Trajectory,
    /// The object it builds, as people write it (`Environment::format`).
    pub object: String,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommitReport {
    /// Trajectories that are new.
    pub inserted: usize,
    /// Objects that are new.
    pub new_objects: usize,
    /// Which of the given trajectories had been committed before, as places in the argument; rising.
    pub duplicates: Vec<usize>,
}

/// The replay database of a run. One per process writes; any number read.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    known: Known,
}

impl Store {
    /// Opens the replay for writing; creates it when there is none.
    ///
    /// # Errors
    /// Not the replay of a run, damaged, written by a newer program, not writable, disk full.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            connection: open::read_write(path)?,
            path: path.into(),
            known: Known::default(),
        })
    }

    /// Opens the replay for reading, also while a learner writes to it.
    ///
    /// # Errors
    /// Missing, not the replay of a run, damaged, written by a newer program.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            connection: open::read_only(path)?,
            path: path.into(),
            known: Known::default(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connection, for questions in SQL (inspection commands).
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The connection alone.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    pub(super) fn fail(&self, error: rusqlite::Error) -> StoreError {
        StoreError::new(&self.path, error)
    }

    /// Commits trajectories, many batches of many actors at once: all of them or none. On the disk when it returns.
    ///
    /// # Errors
    /// A value that cannot be stored, disk full, damage. Nothing is kept then, and the store can be used further.
    pub fn commit(&mut self, received: &[Received]) -> Result<CommitReport, StoreError> {
        received.iter().try_for_each(check)?;
        self.write(received).map_err(|error| {
            self.known.forget();
            self.fail(error)
        })
    }

    fn write(&mut self, received: &[Received]) -> rusqlite::Result<CommitReport> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writer = Writer::new(&transaction, &mut self.known)?;
        let mut report = CommitReport::default();
        for (place, received) in received.iter().enumerate() {
            match writer.write(received)? {
                Written::Duplicate => report.duplicates.push(place),
                Written::New { new_object } => {
                    report.inserted += 1;
                    report.new_objects += usize::from(new_object);
                }
            }
        }
        writer.finish()?;
        transaction.commit()?;
        Ok(report)
    }

    /// The highest committed seq of an incarnation; None when nothing of it is committed. Sessions commit in order of
    /// seq, so everything below is committed too, or was refused for good.
    ///
    /// # Errors
    /// When reading fails.
    pub fn committed_through(&self, incarnation: Incarnation) -> Result<Option<Seq>, StoreError> {
        if let Some(entry) = self.known.actor(incarnation) {
            return Ok(entry.through.map(|seq| Seq(seq as u64)));
        }
        let found = find_actor(&self.connection, incarnation).map_err(|error| self.fail(error))?;
        Ok(found.and_then(|entry| entry.through).map(|seq| Seq(seq as u64)))
    }

    /// Notes a fact about the run (its id, the task …) in the table `meta`.
    ///
    /// # Errors
    /// When writing fails.
    pub fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
        self.connection
            .execute(sql, params![key, value])
            .map_err(|error| self.fail(error))?;
        Ok(())
    }

    /// A fact noted with [`Self::set_meta`].
    ///
    /// # Errors
    /// When reading fails.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        self.connection
            .query_row(sql, [key], |row| row.get(0))
            .optional()
            .map_err(|error| self.fail(error))
    }
}

#[cfg(test)]
mod damage;
#[cfg(test)]
mod tests;
