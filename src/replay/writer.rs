//! One commit: rows for actors, batches, objects and trajectories, within the caller's transaction.

use super::encoding::encode_actions;
use super::error::StoreError;
use super::known::{ActorEntry, Known, ObjectEntry};
use super::store::Received;
use crate::rollout::Trajectory;
use crate::units::Incarnation;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, params};

/// Refuses what SQLite would bend: NaN becomes NULL there, and whole numbers are signed.
pub(super) fn check(received: &Received) -> Result<(), StoreError> {
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

/// The row of an incarnation, if it has one.
pub(super) fn find_actor(connection: &Connection, incarnation: Incarnation) -> rusqlite::Result<Option<ActorEntry>> {
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

/// What became of a trajectory.
pub(super) enum Written {
    /// It was there.
    Duplicate,
    /// It was not; nor was its object, if `new_object`.
    New { new_object: bool },
}

/// A commit in progress. Its statements are looked up once, not for every row.
pub(super) struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    known: &'a mut Known,
    batch: Option<Batch>,
    blob: Vec<u8>,
    insert_batch: CachedStatement<'a>,
    insert_object: CachedStatement<'a>,
    insert_trajectory: CachedStatement<'a>,
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

const INSERT_BATCH: &str = "
    INSERT INTO batches (actor_id, first_seq, last_seq, round, policy_version, staleness, trainable, received_us)
    VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7)";

const INSERT_OBJECT: &str = "
    INSERT INTO objects (x, y, log_reward, first_actor, first_seq) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (x) DO NOTHING";

const INSERT_TRAJECTORY: &str = "INSERT INTO trajectories VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

impl<'a> Writer<'a> {
    /// Starts a commit. `known` is brought up to date as trajectories are written; forget it when the commit fails.
    pub fn new(transaction: &'a Transaction<'a>, known: &'a mut Known) -> rusqlite::Result<Self> {
        Ok(Self {
            transaction,
            known,
            batch: None,
            blob: Vec::new(),
            insert_batch: transaction.prepare_cached(INSERT_BATCH)?,
            insert_object: transaction.prepare_cached(INSERT_OBJECT)?,
            insert_trajectory: transaction.prepare_cached(INSERT_TRAJECTORY)?,
        })
    }

    /// Writes a trajectory unless it is there.
    pub fn write(&mut self, received: &Received) -> rusqlite::Result<Written> {
        let actor = self.actor(received)?;
        let seq = received.seq.0 as i64;
        // Asking the table is needed only at or under the highest seq, so hardly ever.
        if actor.through.is_some_and(|through| seq <= through) && self.is_committed(actor.id, seq)? {
            return Ok(Written::Duplicate);
        }
        let batch = self.batch(actor.id, received)?;
        let (object, new_object) = self.object(actor.id, received)?;
        let Trajectory {
            beta,
            y,
            log_reward,
            log_pf,
            index,
            ref actions,
            ..
        } = received.trajectory;
        self.blob.clear();
        encode_actions(actions, &mut self.blob);
        self.insert_trajectory.execute(params![
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
        self.known.committed(received.incarnation, seq);
        Ok(Written::New { new_object })
    }

    fn actor(&mut self, received: &Received) -> rusqlite::Result<ActorEntry> {
        if let Some(entry) = self.known.actor(received.incarnation) {
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
        self.known.add_actor(received.incarnation, entry);
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
        let [_, round, version, staleness, trainable, time] = shared.map(|number| number as i64);
        let row = params![actor, seq as i64, round, version, staleness, trainable, time];
        let id = self.insert_batch.insert(row)?;
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

    /// The object of a trajectory, one more time; true when it is new.
    fn object(&mut self, actor: i64, received: &Received) -> rusqlite::Result<(ObjectEntry, bool)> {
        if let Some(entry) = self.known.object(&received.object) {
            return Ok((self.known.see(entry), false));
        }
        let Trajectory { y, log_reward, .. } = received.trajectory;
        let row = params![received.object, y, log_reward, actor, received.seq.0 as i64];
        let new = self.insert_object.execute(row)? == 1;
        let entry = if new {
            // Its row counts this trajectory.
            let id = self.transaction.last_insert_rowid();
            ObjectEntry { id, y, log_reward }
        } else {
            self.known.see(find_object(self.transaction, &received.object)?)
        };
        self.known.add_object(&received.object, entry);
        Ok((entry, new))
    }

    /// Ends the last batch and counts what was seen. Objects in order of their rows, so that each page is visited once.
    pub fn finish(mut self) -> rusqlite::Result<()> {
        self.end_batch()?;
        let sql = "UPDATE objects SET seen = seen + ?1 WHERE id = ?2";
        let mut update = self.transaction.prepare_cached(sql)?;
        for (id, times) in self.known.take_seen() {
            update.execute([times, id])?;
        }
        Ok(())
    }
}

fn find_object(connection: &Connection, x: &str) -> rusqlite::Result<ObjectEntry> {
    let sql = "SELECT id, y, log_reward FROM objects WHERE x = ?1";
    connection.prepare_cached(sql)?.query_row([x], |row| {
        Ok(ObjectEntry {
            id: row.get(0)?,
            y: row.get(1)?,
            log_reward: row.get(2)?,
        })
    })
}
