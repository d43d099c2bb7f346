//! One commit: rows for actors, batches, objects and trajectories, within the caller's transaction.

use super::encoding::encode_actions;
use super::error::StoreError;
use super::store::Received;
use crate::rollout::Trajectory;
use crate::units::Incarnation;
use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// What is known about an actor with committed trajectories.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActorEntry {
    /// Its row.
    pub id: i64,
    /// Highest committed seq.
    pub through: Option<i64>,
}

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

/// A commit in progress.
pub(super) struct Writer<'a> {
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

impl<'a> Writer<'a> {
    /// Starts a commit. `actors` is brought up to date as trajectories are written.
    pub fn new(transaction: &'a Transaction<'a>, actors: &'a mut HashMap<Incarnation, ActorEntry>) -> Self {
        Self {
            transaction,
            actors,
            batch: None,
            blob: Vec::new(),
        }
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

    /// Writes down how far the batch under construction reaches; call it once more at the end.
    pub fn end_batch(&mut self) -> rusqlite::Result<()> {
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
