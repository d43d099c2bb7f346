//! y and log R of every object in memory, by id: a look-up in the database for each of ten million trajectories would
//! take longer than everything else.

use rusqlite::Connection;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// y and log R by object id; NaN where there is no such object. They are f32 in trajectories, and stay so.
type Scores = Vec<[f32; 2]>;

/// Scores of objects, read when they are first asked for and again when there are newer ones.
#[derive(Debug)]
pub struct Objects {
    connection: Mutex<Connection>,
    scores: Mutex<Arc<Scores>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind it is replaced as a whole, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Objects {
    /// Reads through a connection of its own, because SQLite calls back in the middle of a question.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection: Mutex::new(connection),
            scores: Mutex::default(),
        }
    }

    /// A reader for one thread.
    pub fn reader(self: &Arc<Self>) -> ObjectReader {
        ObjectReader {
            known: Mutex::new(lock(&self.scores).clone()),
            objects: self.clone(),
        }
    }

    /// The scores up to at least object `id`, or all there are.
    fn through(&self, id: usize) -> rusqlite::Result<Arc<Scores>> {
        let connection = lock(&self.connection);
        let mut scores = lock(&self.scores);
        if id >= scores.len() {
            let known = Arc::make_mut(&mut scores);
            let mut statement = connection.prepare_cached("SELECT id, y, log_reward FROM objects WHERE id >= ?1")?;
            let mut rows = statement.query([known.len() as i64])?;
            while let Some(row) = rows.next()? {
                let id = row.get::<_, i64>(0)? as usize;
                known.resize(id + 1, [f32::NAN; 2]);
                known[id] = [row.get(1)?, row.get(2)?];
            }
        }
        Ok(scores.clone())
    }
}

/// One thread's view of the scores of all objects.
#[derive(Debug)]
pub struct ObjectReader {
    objects: Arc<Objects>,
    /// Never waited for: this thread's own.
    known: Mutex<Arc<Scores>>,
}

impl ObjectReader {
    /// y and log R (nats) of an object; NaN when there is no such object.
    ///
    /// # Errors
    /// When reading fails.
    pub fn scores(&self, id: usize) -> rusqlite::Result<[f32; 2]> {
        let mut known = lock(&self.known);
        if id >= known.len() {
            *known = self.objects.through(id)?;
        }
        Ok(known.get(id).copied().unwrap_or([f32::NAN; 2]))
    }
}
