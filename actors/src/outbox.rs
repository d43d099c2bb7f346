//! The outbox on a disk of the actor's own (`--outbox`): what was rolled out and is not known to be acknowledged.
//!
//! Invariant: a trajectory is on the disk before its number is told to anybody; so after a crash no number is given to
//! another trajectory.

use rusqlite::{Connection, OptionalExtension, params};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use thermoflow::lock::{self, LockError};
use thermoflow::protocol::Left;
use thermoflow::rollout::Trajectory;
use thermoflow::units::{Incarnation, Seq};

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS life (incarnation TEXT NOT NULL, run TEXT);
CREATE TABLE IF NOT EXISTS trajectories (seq INTEGER PRIMARY KEY, trajectory BLOB NOT NULL);
";

/// Why an outbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// Another actor is at work.
    #[error("the outbox {path} is in use by {holder}: every actor needs a directory of its own")]
    Held {
        /// The directory.
        path: PathBuf,
        /// Process and host.
        holder: String,
    },
    /// The directory.
    #[error("the outbox {path} cannot be written")]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The database.
    #[error("the outbox {path} failed; move it away to go on without what is in it")]
    Sqlite {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// What is in it is not what was written.
    #[error("the outbox {path} is damaged ({found}); move it away to go on without it")]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        found: String,
    },
}

impl OutboxError {
    fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.into();
        Self::Sqlite { path, source }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Outbox {
    path: PathBuf,
    connection: Connection,
    /// Number of the next trajectory.
    next: u64,
    /// Trajectories below this are acknowledged. The network task knows, the thread of the outbox forgets them when it
    /// writes the next time.
    acknowledged: Arc<AtomicU64>,
    /// Held, not read.
    _lock: File,
}

/// Who goes on, and with what.
pub(crate) struct Resumed {
    pub outbox: Outbox,
    pub incarnation: Incarnation,
    /// What an earlier life of it left.
    pub left: Option<Left>,
}

impl Outbox {
    /// Opens the outbox in `path`. When it holds trajectories the incarnation that made them goes on; an empty one begins
    /// anew, as `fresh`.
    ///
    /// # Errors
    /// In use, not writable, damaged.
    pub fn open(path: &Path, fresh: Incarnation) -> Result<Resumed, OutboxError> {
        let io = |source| OutboxError::Io {
            path: path.into(),
            source,
        };
        let fail = |source| OutboxError::sqlite(path, source);
        std::fs::create_dir_all(path).map_err(io)?;
        let lock = lock::take(&path.join("lock")).map_err(|error| match error {
            LockError::Held(holder) => OutboxError::Held {
                path: path.into(),
                holder,
            },
            LockError::NotWritable(source) | LockError::Io(source) => io(source),
        })?;
        let connection = Connection::open(path.join("outbox.sqlite")).map_err(fail)?;
        connection.execute_batch(SCHEMA).map_err(fail)?;
        let (incarnation, left) = match read(&connection, path)? {
            Some((incarnation, left)) => (incarnation, Some(left)),
            None => {
                begin(&connection, fresh).map_err(fail)?;
                (fresh, None)
            }
        };
        let (oldest, count) = left.as_ref().map_or((0, 0), |left| (left.oldest.0, left.batch.len()));
        let outbox = Self {
            path: path.into(),
            connection,
            next: oldest + count as u64,
            acknowledged: Arc::new(AtomicU64::new(oldest)),
            _lock: lock,
        };
        Ok(Resumed {
            outbox,
            incarnation,
            left,
        })
    }

    /// To be raised as trajectories are acknowledged.
    pub fn acknowledged(&self) -> Arc<AtomicU64> {
        self.acknowledged.clone()
    }

    /// Notes which run the trajectories to come are for.
    ///
    /// # Errors
    /// When writing fails.
    pub fn serve(&self, run: &str) -> Result<(), OutboxError> {
        let written = self.connection.execute("UPDATE life SET run = ?1", [run]);
        written.map(drop).map_err(|source| self.fail(source))
    }

    /// Keeps a roll-out: it is on the disk when this returns. Forgets what is acknowledged.
    ///
    /// # Errors
    /// When writing fails (disk full); nothing of it is kept then.
    pub fn keep(&mut self, batch: &[Trajectory]) -> Result<(), OutboxError> {
        let next = self.next + batch.len() as u64;
        let write = || -> rusqlite::Result<()> {
            let transaction = self.connection.unchecked_transaction()?;
            forget(&transaction, self.acknowledged.load(Ordering::Relaxed))?;
            let mut insert = transaction.prepare_cached("INSERT INTO trajectories VALUES (?1, ?2)")?;
            for (seq, trajectory) in (self.next..).zip(batch) {
                let bytes = rmp_serde::to_vec(trajectory).expect("a trajectory is plain data");
                insert.execute(params![seq as i64, bytes])?;
            }
            drop(insert);
            transaction.commit()
        };
        write().map_err(|source| self.fail(source))?;
        self.next = next;
        Ok(())
    }

    /// Forgets what is acknowledged.
    ///
    /// # Errors
    /// When writing fails.
    pub fn tidy(&self) -> Result<(), OutboxError> {
        forget(&self.connection, self.acknowledged.load(Ordering::Relaxed)).map_err(|source| self.fail(source))
    }

    fn fail(&self, source: rusqlite::Error) -> OutboxError {
        OutboxError::sqlite(&self.path, source)
    }
}

fn begin(connection: &Connection, incarnation: Incarnation) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute("DELETE FROM life", [])?;
    transaction.execute("INSERT INTO life (incarnation) VALUES (?1)", [incarnation.to_string()])?;
    transaction.commit()
}

fn forget(connection: &Connection, below: u64) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM trajectories WHERE seq < ?1")?;
    delete.execute([below as i64]).map(drop)
}

/// What is in the outbox; None when it is empty.
fn read(connection: &Connection, path: &Path) -> Result<Option<(Incarnation, Left)>, OutboxError> {
    let fail = |source| OutboxError::sqlite(path, source);
    let damaged = |found: &dyn ToString| OutboxError::Damaged {
        path: path.into(),
        found: found.to_string(),
    };
    let rows = || -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
        let mut statement = connection.prepare("SELECT seq, trajectory FROM trajectories ORDER BY seq")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    let rows = rows().map_err(fail)?;
    let Some(&(oldest, _)) = rows.first() else {
        return Ok(None);
    };
    let mut batch = Vec::with_capacity(rows.len());
    for (expected, (seq, bytes)) in (oldest..).zip(&rows) {
        if *seq != expected {
            return Err(damaged(&format!("trajectory {expected} is missing")));
        }
        batch.push(rmp_serde::from_slice(bytes).map_err(|error| damaged(&error))?);
    }
    let life: Option<(String, Option<String>)> = connection
        .query_row("SELECT incarnation, run FROM life", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
        .map_err(fail)?;
    let (Some((incarnation, Some(run))), Ok(oldest)) = (life, oldest.try_into()) else {
        return Err(damaged(&"whose trajectories it holds is missing"));
    };
    let incarnation = u64::from_str_radix(&incarnation, 16).map_err(|error| damaged(&error))?;
    let left = Left {
        run,
        oldest: Seq(oldest),
        batch,
    };
    Ok(Some((Incarnation(incarnation), left)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermoflow::units::PolicyVersion;

    fn made(index: u32) -> Trajectory {
        Trajectory {
            beta: 1.5,
            actions: vec![1, 2, 300],
            y: 0.25,
            log_reward: -1.0,
            log_pf: -4.0,
            policy_version: PolicyVersion(3),
            round: 2,
            index,
        }
    }

    #[test]
    fn an_incarnation_goes_on_with_what_it_left_and_an_empty_outbox_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let first = Outbox::open(dir.path(), Incarnation(7)).unwrap();
        assert_eq!((first.incarnation, first.left), (Incarnation(7), None));
        let mut outbox = first.outbox;
        outbox.serve("run").unwrap();
        outbox.keep(&[made(0), made(1)]).unwrap();
        outbox.acknowledged().store(1, Ordering::Relaxed);
        outbox.keep(&[made(2)]).unwrap();
        let held = Outbox::open(dir.path(), Incarnation(8)).err().unwrap();
        assert!(matches!(held, OutboxError::Held { .. }), "{held}");
        drop(outbox);

        let second = Outbox::open(dir.path(), Incarnation(8)).unwrap();
        assert_eq!(second.incarnation, Incarnation(7));
        let left = Left {
            run: "run".into(),
            oldest: Seq(1),
            batch: vec![made(1), made(2)],
        };
        assert_eq!(second.left, Some(left));
        let mut outbox = second.outbox;
        outbox.keep(&[made(3)]).unwrap();
        drop(outbox);

        let again = Outbox::open(dir.path(), Incarnation(8)).unwrap();
        let left = again.left.unwrap();
        assert_eq!((left.oldest, left.batch), (Seq(1), vec![made(1), made(2), made(3)]));
        let outbox = again.outbox;
        outbox.acknowledged().store(4, Ordering::Relaxed);
        outbox.tidy().unwrap();
        drop(outbox);

        let third = Outbox::open(dir.path(), Incarnation(9)).unwrap();
        assert_eq!(
            (third.incarnation, third.left),
            (Incarnation(9), None),
            "a number is never used twice"
        );
    }

    #[test]
    fn damage_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(dir.path(), Incarnation(7)).unwrap().outbox;
        outbox.serve("run").unwrap();
        outbox.keep(&[made(0), made(1), made(2)]).unwrap();
        outbox
            .connection
            .execute("DELETE FROM trajectories WHERE seq = 1", [])
            .unwrap();
        drop(outbox);
        let error = Outbox::open(dir.path(), Incarnation(8)).err().unwrap();
        assert!(error.to_string().contains("trajectory 1 is missing"), "{error}");
        std::fs::write(dir.path().join("outbox.sqlite"), [7; 5000]).unwrap();
        assert!(Outbox::open(dir.path(), Incarnation(8)).is_err());
    }
}
