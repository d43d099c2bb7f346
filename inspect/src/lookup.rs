//! What many trajectories share: names of objects and actors, and batches. Memory for names is bounded.

use crate::InspectError;
use crate::replay::{Replay, Source};
use arrow_array::builder::{ArrayBuilder, StringBuilder};
use arrow_array::{Array, StringArray};
use rusqlite::{Connection, OptionalExtension};
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Columns of the table `batches`.
pub(crate) const BATCH: &str = "round, policy_version, staleness, trainable, received_us";

/// How many they are.
pub(crate) const BATCH_WIDTH: usize = 5;

/// Columns of the table `actors`.
pub(crate) const ACTOR: &str = "name, incarnation";

/// Objects whose names are kept in memory, 12 to 24 bytes each; where there are more, each range of trajectories looks
/// its own up.
const KEPT: i64 = 1 << 21;

/// What a batch's row holds, in the order of [`BATCH`].
pub(crate) type Batch = [i64; BATCH_WIDTH];

/// Texts by number; 0 stands for one that is not there.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// Which one each trajectory has.
    pub keys: Vec<i32>,
    /// All that occur, and others.
    pub texts: Arc<StringArray>,
}

impl Names {
    /// The text of a trajectory.
    pub fn get(&self, row: usize) -> &str {
        self.texts.value(self.keys[row] as usize)
    }
}

/// Look-ups for several threads.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    source: &'a Source,
    /// Name and incarnation.
    actors: FxHashMap<i64, [String; 2]>,
    objects: Option<Arc<StringArray>>,
    /// Connections that no thread uses now.
    idle: Mutex<Vec<Connection>>,
}

impl<'a> Lookup<'a> {
    /// Look-ups for trajectories that are committed by now.
    pub fn new(replay: &'a Replay, with_objects: bool) -> Result<Self, InspectError> {
        let actors = replay.rows(&format!("SELECT id, {ACTOR} FROM actors"), |row| {
            Ok((row.get(0)?, [row.get(1)?, row.get(2)?]))
        })?;
        let few = with_objects && replay.number("SELECT coalesce(max(id), 0) FROM objects")? <= KEPT;
        Ok(Self {
            source: replay.source(),
            actors: actors.into_iter().collect(),
            objects: few.then(|| all_objects(replay)).transpose()?,
            idle: Mutex::default(),
        })
    }

    /// What an actor is called in this place of [`ACTOR`], for so many trajectories.
    pub fn actor(&self, id: i64, place: usize, rows: usize) -> Names {
        let name = self.actors.get(&id).map_or("", |names| &names[place]);
        Names {
            keys: vec![1; rows],
            texts: Arc::new(StringArray::from(vec!["", name])),
        }
    }

    /// The names of objects.
    pub fn objects(&self, ids: &[i64]) -> Result<Names, InspectError> {
        if let Some(texts) = &self.objects {
            let known = |&id: &i64| usize::try_from(id).is_ok_and(|id| id < texts.len());
            let keys = ids.iter().map(|id| if known(id) { *id as i32 } else { 0 });
            return Ok(Names {
                keys: keys.collect(),
                texts: texts.clone(),
            });
        }
        self.with_connection(|connection| {
            let mut statement = connection.prepare_cached("SELECT x FROM objects WHERE id = ?1")?;
            let mut texts = StringBuilder::new();
            texts.append_value("");
            let mut known = FxHashMap::default();
            let mut keys = Vec::with_capacity(ids.len());
            for &id in ids {
                let next = known.len() as i32 + 1;
                let key = *known.entry(id).or_insert(next);
                if key == next {
                    let text: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
                    texts.append_value(text.unwrap_or_default());
                }
                keys.push(key);
            }
            let texts = Arc::new(texts.finish());
            Ok(Names { keys, texts })
        })
    }

    /// Scores of trajectories: their own, or where that is NaN their object's in this place of y and log R.
    pub fn scores(&self, own: &[f32], objects: &[i64], place: usize) -> Result<Vec<f32>, InspectError> {
        let scores = self.source.scores();
        let score = |(&own, &object): (&f32, &i64)| {
            if !own.is_nan() {
                return Ok(own);
            }
            let object = usize::try_from(object).unwrap_or(usize::MAX);
            Ok(scores.scores(object)?[place])
        };
        let found: rusqlite::Result<_> = own.iter().zip(objects).map(score).collect();
        found.map_err(|error| self.source.failed(error))
    }

    /// The batches of trajectories that follow each other, each with how many of them it holds.
    pub fn batches(&self, ids: &[i64]) -> Result<Vec<(Batch, usize)>, InspectError> {
        self.with_connection(|connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {BATCH} FROM batches WHERE id = ?1"))?;
            let mut batches = Vec::new();
            for same in ids.chunk_by(|a, b| a == b) {
                let batch = statement.query_row([same[0]], |row| {
                    let mut batch = Batch::default();
                    for (place, value) in batch.iter_mut().enumerate() {
                        *value = row.get(place)?;
                    }
                    Ok(batch)
                });
                batches.push((batch.optional()?.unwrap_or_default(), same.len()));
            }
            Ok(batches)
        })
    }

    fn with_connection<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, InspectError> {
        let lock = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = lock().pop();
        let connection = idle.map_or_else(|| self.source.connect(), Ok)?;
        let answer = ask(&connection).map_err(|error| self.source.failed(error));
        lock().push(connection);
        answer
    }
}

/// The names of all objects, by id.
fn all_objects(replay: &Replay) -> Result<Arc<StringArray>, InspectError> {
    let mut texts = StringBuilder::new();
    replay.ask(|connection| {
        let mut statement = connection.prepare("SELECT id, x FROM objects ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            // Numbers are given without gaps; 0 never is.
            while (ArrayBuilder::len(&texts) as i64) < id {
                texts.append_value("");
            }
            texts.append_value(row.get_ref(1)?.as_str()?);
        }
        Ok(())
    })?;
    Ok(Arc::new(texts.finish()))
}
