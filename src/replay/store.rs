//! The durable replay: every trajectory ever received, in SQLite (`schema.sql` documents the tables).
//!
//! Invariant: [`Store::commit`] keeps all of what it is given or nothing, and when it returns Ok the trajectories are on
//! the disk. Acknowledging comes after. (incarnation, seq) is unique: what is sent again changes nothing.

use super::encoding::encode_actions;
use super::error::StoreError;
use super::open;
use crate::rollout::Trajectory;
use crate::units::{Incarnation, Seq};
use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for another writer. There should be none (the run directory is locked); a reader that recovers the
/// WAL after a crash takes milliseconds.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// Actors with committed trajectories that this process has met; never ahead of what is committed.
    actors: HashMap<Incarnation, ActorEntry>,
}

#[derive(Debug, Clone, Copy)]
struct ActorEntry {
    id: i64,
    /// Highest committed seq.
    through: Option<i64>,
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
            actors: HashMap::new(),
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
            actors: HashMap::new(),
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

    pub(super) fn fail(&self, error: rusqlite::Error) -> StoreError {
        StoreError::new(&self.path, error)
    }

    /// Commits trajectories, many batches of many actors at once: all of them or none. On the disk when it returns.
    ///
    /// # Errors
    /// A value that cannot be stored, disk full, damage. Nothing is kept then, and the store can be used further.
    pub fn commit(&mut self, received: &[Received]) -> Result<CommitReport, StoreError> {
        received.iter().try_for_each(check)?;
        // Changed copies only become the store's once they are true on the disk.
        let mut actors = self.actors.clone();
        let commit = || -> rusqlite::Result<CommitReport> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut writer = Writer {
                transaction: &transaction,
                actors: &mut actors,
                batch: None,
                blob: Vec::new(),
            };
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
            writer.end_batch()?;
            transaction.commit()?;
            Ok(report)
        };
        let report = { commit }().map_err(|error| StoreError::new(&self.path, error))?;
        self.actors = actors;
        Ok(report)
    }

    /// The highest committed seq of an incarnation; None when nothing of it is committed. Sessions commit in order of
    /// seq, so everything below is committed too, or was refused for good.
    ///
    /// # Errors
    /// When reading fails.
    pub fn committed_through(&self, incarnation: Incarnation) -> Result<Option<Seq>, StoreError> {
        if let Some(entry) = self.actors.get(&incarnation) {
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

/// Refuses what SQLite would bend: NaN becomes NULL there, and whole numbers are signed.
fn check(received: &Received) -> Result<(), StoreError> {
    let refuse = |field, value: String, allowed| {
        let Received { incarnation, seq, .. } = *received;
        Err(StoreError::Value {
            incarnation,
            seq,
            field,
            value,
            allowed,
        })
    };
    let Trajectory {
        beta,
        y,
        log_reward,
        log_pf,
        policy_version,
        round,
        ..
    } = received.trajectory;
    for (field, value) in [("β", beta), ("y", y), ("log R", log_reward), ("log P_F", log_pf)] {
        if !value.is_finite() {
            return refuse(field, value.to_string(), "a finite number");
        }
    }
    let whole = [
        ("seq", received.seq.0),
        ("staleness", received.staleness),
        ("time of receipt", received.received_us),
        ("policy version", policy_version.0),
        ("round", round),
    ];
    for (field, value) in whole {
        if i64::try_from(value).is_err() {
            return refuse(field, value.to_string(), "below 2^63");
        }
    }
    Ok(())
}

fn find_actor(connection: &Connection, incarnation: Incarnation) -> rusqlite::Result<Option<ActorEntry>> {
    let sql = "SELECT id, (SELECT max(seq) FROM trajectories WHERE actor_id = actors.id) FROM actors
               WHERE incarnation = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let entry = |row: &rusqlite::Row<'_>| {
        Ok(ActorEntry {
            id: row.get(0)?,
            through: row.get(1)?,
        })
    };
    statement.query_row([incarnation.to_string()], entry).optional()
}

enum Written {
    Duplicate,
    New { new_object: bool },
}

/// A commit in progress.
struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    actors: &'a mut HashMap<Incarnation, ActorEntry>,
    batch: Option<Batch>,
    blob: Vec<u8>,
}

/// The row of `batches` that trajectories are being added to.
struct Batch {
    id: i64,
    shared: [u64; 6],
    first_seq: u64,
    last_seq: u64,
}

/// What the trajectories of a batch have in common.
fn shared(received: &Received) -> [u64; 6] {
    let Trajectory {
        policy_version, round, ..
    } = received.trajectory;
    let Received {
        incarnation,
        staleness,
        received_us,
        trainable,
        ..
    } = *received;
    [
        incarnation.0,
        round,
        policy_version.0,
        staleness,
        trainable.into(),
        received_us,
    ]
}

impl Writer<'_> {
    fn write(&mut self, received: &Received) -> rusqlite::Result<Written> {
        let actor = self.actor(received)?;
        let seq = received.seq.0 as i64;
        // Asking the table is needed only at or under the highest seq, so hardly ever.
        if actor.through.is_some_and(|through| seq <= through) && self.is_committed(actor.id, seq)? {
            return Ok(Written::Duplicate);
        }
        let batch = self.batch(actor.id, received)?;
        let Trajectory {
            beta,
            y,
            log_reward,
            log_pf,
            index,
            ref actions,
            ..
        } = received.trajectory;
        let object = self.object(actor.id, received)?;
        self.blob.clear();
        encode_actions(actions, &mut self.blob);
        let sql = "INSERT INTO trajectories VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        self.transaction.prepare_cached(sql)?.execute(params![
            actor.id,
            seq,
            batch,
            index,
            object.id,
            beta,
            log_pf,
            (y != object.y).then_some(y),
            (log_reward != object.log_reward).then_some(log_reward),
            self.blob,
        ])?;
        let entry = self.actors.get_mut(&received.incarnation).expect("looked up above");
        entry.through = entry.through.max(Some(seq));
        Ok(Written::New { new_object: object.new })
    }

    fn actor(&mut self, received: &Received) -> rusqlite::Result<ActorEntry> {
        if let Some(&entry) = self.actors.get(&received.incarnation) {
            return Ok(entry);
        }
        let entry = match find_actor(self.transaction, received.incarnation)? {
            Some(entry) => entry,
            None => {
                let sql = "INSERT INTO actors (incarnation, name, first_seen_us) VALUES (?1, ?2, ?3)";
                let incarnation = received.incarnation.to_string();
                let time = received.received_us as i64;
                self.transaction
                    .prepare_cached(sql)?
                    .execute(params![incarnation, received.actor_name, time])?;
                ActorEntry {
                    id: self.transaction.last_insert_rowid(),
                    through: None,
                }
            }
        };
        self.actors.insert(received.incarnation, entry);
        Ok(entry)
    }

    fn is_committed(&self, actor: i64, seq: i64) -> rusqlite::Result<bool> {
        let sql = "SELECT 1 FROM trajectories WHERE actor_id = ?1 AND seq = ?2";
        self.transaction.prepare_cached(sql)?.exists([actor, seq])
    }

    /// The batch that a trajectory belongs to: the one under construction if it continues it, else a new one.
    fn batch(&mut self, actor: i64, received: &Received) -> rusqlite::Result<i64> {
        let (shared, seq) = (shared(received), received.seq.0);
        if let Some(batch) = self
            .batch
            .as_mut()
            .filter(|b| b.shared == shared && b.last_seq.checked_add(1) == Some(seq))
        {
            batch.last_seq = seq;
            return Ok(batch.id);
        }
        self.end_batch()?;
        let sql = "INSERT INTO batches
                   (actor_id, first_seq, last_seq, round, policy_version, staleness, trainable, received_us)
                   VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7)";
        let [_, round, version, staleness, trainable, time] = shared.map(|number| number as i64);
        let mut insert = self.transaction.prepare_cached(sql)?;
        insert.execute(params![actor, seq as i64, round, version, staleness, trainable, time])?;
        let id = self.transaction.last_insert_rowid();
        self.batch = Some(Batch {
            id,
            shared,
            first_seq: seq,
            last_seq: seq,
        });
        Ok(id)
    }

    /// Writes down how far the batch under construction reaches.
    fn end_batch(&mut self) -> rusqlite::Result<()> {
        if let Some(batch) = self.batch.take().filter(|batch| batch.last_seq > batch.first_seq) {
            let sql = "UPDATE batches SET last_seq = ?1 WHERE id = ?2";
            self.transaction
                .prepare_cached(sql)?
                .execute([batch.last_seq as i64, batch.id])?;
        }
        Ok(())
    }

    fn object(&mut self, actor: i64, received: &Received) -> rusqlite::Result<ObjectRow> {
        let sql = "INSERT INTO objects (x, y, log_reward, first_actor, first_seq) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT (x) DO UPDATE SET seen = seen + 1 RETURNING id, y, log_reward, seen";
        let Trajectory { y, log_reward, .. } = received.trajectory;
        let mut upsert = self.transaction.prepare_cached(sql)?;
        let row = params![received.object, y, log_reward, actor, received.seq.0 as i64];
        upsert.query_row(row, |row| {
            Ok(ObjectRow {
                id: row.get(0)?,
                y: row.get(1)?,
                log_reward: row.get(2)?,
                new: row.get::<_, i64>(3)? == 1,
            })
        })
    }
}

struct ObjectRow {
    id: i64,
    y: f32,
    log_reward: f32,
    new: bool,
}

#[cfg(test)]
mod tests;
