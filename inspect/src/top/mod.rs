//! The best distinct objects: y, when and by whom they were first seen, how often.

mod page;

pub use page::{Page, Sort, Wanted};

use crate::InspectError;
use crate::replay::{Filter, Plan, Replay};
use rusqlite::{Connection, Row};
use rustc_hash::FxHashMap;
use serde::Serialize;
use thermoflow::env::hamming;
use thermoflow::task::Task;

/// An object.
#[derive(Debug, Clone, Serialize)]
pub struct Best {
    /// Its number in the table `objects`.
    pub object_id: i64,
    /// The object.
    pub x: String,
    /// Raw score.
    pub y: f64,
    /// log R, nats.
    pub log_reward: f64,
    /// Trajectories that lead to it (and pass the filter).
    pub seen: u64,
    /// The first of these.
    pub first: First,
}

/// How an object was first seen.
#[derive(Debug, Clone, Serialize)]
pub struct First {
    /// By whom.
    pub actor: String,
    /// Which of its lives, 16 hexadecimal digits.
    pub incarnation: String,
    /// The trajectory's number in it.
    pub seq: i64,
    /// In which round.
    pub round: i64,
    /// At which β.
    pub beta: f64,
    /// When, microseconds since 1970-01-01 UTC.
    pub received_us: i64,
}

/// How far apart objects must be: positions in which they differ for objects of one length, else insertions, deletions
/// and replacements.
#[derive(Debug, Clone, Copy)]
pub struct Diverse<'a> {
    /// Distance that any two must have at least.
    pub distance: usize,
    /// Compares states instead of texts where the task is known.
    pub task: Option<&'a Task>,
}

impl Diverse<'_> {
    fn key(&self, x: &str) -> Vec<u8> {
        let state = self.task.and_then(|task| task.env.parse_object(x).ok());
        state.unwrap_or_else(|| x.as_bytes().to_vec())
    }

    fn are_apart(&self, a: &[u8], b: &[u8]) -> bool {
        let distance = if a.len() == b.len() {
            hamming(a, b)
        } else {
            strsim::generic_levenshtein(&Bytes(a), &Bytes(b))
        };
        distance >= self.distance
    }
}

/// Bytes that `strsim` can walk through.
struct Bytes<'a>(&'a [u8]);

impl<'a> IntoIterator for &Bytes<'a> {
    type Item = &'a u8;
    type IntoIter = std::slice::Iter<'a, u8>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// The best `count` objects among the trajectories that pass the filter, best first.
///
/// # Errors
/// When reading fails.
pub fn top(
    replay: &Replay,
    filter: &Filter,
    count: usize,
    diverse: Option<Diverse<'_>>,
) -> Result<Vec<Best>, InspectError> {
    let mut passing = (!filter.is_none()).then(Passing::default);
    if let Some(passing) = &mut passing {
        passing.extend(replay, filter, &Plan::all(replay)?)?;
    }
    // With a limit SQLite keeps only so many while it sorts.
    let limit = if passing.is_none() && diverse.is_none() {
        count as i64
    } else {
        -1
    };
    let sql = format!("SELECT {COLUMNS} FROM objects ORDER BY y DESC, id LIMIT ?1");
    replay.ask(|connection| {
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([limit])?;
        let (mut found, mut kept) = (Vec::new(), Vec::<Vec<u8>>::new());
        while found.len() < count {
            let Some(row) = rows.next()? else { break };
            let Some(seen) = Seen::of(row, passing.as_ref())? else {
                continue;
            };
            if let Some(diverse) = diverse {
                let key = diverse.key(row.get_ref(1)?.as_str()?);
                if !kept.iter().all(|kept| diverse.are_apart(kept, &key)) {
                    continue;
                }
                kept.push(key);
            }
            found.push(Best::read(connection, row, seen)?);
        }
        Ok(found)
    })
}

/// The best y, and the mean of all; `best` as [`top`] gives them.
pub fn best_and_mean(best: &[Best]) -> (Option<f64>, Option<f64>) {
    let sum: f64 = best.iter().map(|best| best.y).sum();
    let mean = (!best.is_empty()).then(|| sum / best.len() as f64);
    (best.first().map(|best| best.y), mean)
}

/// Columns of `objects` that [`Seen::of`] and [`Best::read`] take.
const COLUMNS: &str = "id, x, y, log_reward, seen, first_actor, first_seq";

impl Best {
    fn read(connection: &Connection, row: &Row<'_>, seen: Seen) -> rusqlite::Result<Self> {
        Ok(Self {
            object_id: row.get(0)?,
            x: row.get(1)?,
            y: row.get(2)?,
            log_reward: row.get(3)?,
            seen: seen.count,
            first: First::read(connection, seen)?,
        })
    }
}

/// How often, and first by which trajectory of which batch, an object was seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    count: u64,
    batch: i64,
    actor: i64,
    seq: i64,
}

impl Seen {
    /// What a row of `objects` says, or what was counted; None when no trajectory to it passes.
    fn of(row: &Row<'_>, passing: Option<&Passing>) -> rusqlite::Result<Option<Self>> {
        if let Some(passing) = passing {
            return Ok(passing.0.get(&row.get(0)?).copied());
        }
        Ok(Some(Self {
            count: row.get::<_, i64>(4)? as u64,
            batch: 0,
            actor: row.get(5)?,
            seq: row.get(6)?,
        }))
    }

    /// Of two sets of trajectories to one object.
    fn and(self, other: Self) -> Self {
        let first = if (other.batch, other.seq) < (self.batch, self.seq) {
            other
        } else {
            self
        };
        Self {
            count: self.count + other.count,
            ..first
        }
    }
}

/// The objects among the trajectories that pass a filter; can be extended as trajectories are added to the replay.
#[derive(Debug, Clone, Default)]
pub struct Passing(FxHashMap<i64, Seen>);

impl Passing {
    /// Counts the trajectories of a plan that pass.
    ///
    /// # Errors
    /// When reading fails.
    pub fn extend(&mut self, replay: &Replay, filter: &Filter, plan: &Plan) -> Result<(), InspectError> {
        replay.fold(
            plan,
            ("object_id, batch_id, actor_id, seq", filter),
            Self::default,
            |found, row| {
                let seen = Seen {
                    count: 1,
                    batch: row.get(1)?,
                    actor: row.get(2)?,
                    seq: row.get(3)?,
                };
                found.add(row.get(0)?, seen);
                Ok(())
            },
            |found| found.0.into_iter().for_each(|(object, seen)| self.add(object, seen)),
        )
    }

    fn add(&mut self, object: i64, seen: Seen) {
        self.0
            .entry(object)
            .and_modify(|known| *known = known.and(seen))
            .or_insert(seen);
    }
}

impl First {
    fn read(connection: &Connection, seen: Seen) -> rusqlite::Result<Self> {
        let sql = "SELECT a.name, a.incarnation, t.seq, b.round, t.beta, b.received_us
                   FROM trajectories t JOIN batches b ON b.id = t.batch_id JOIN actors a ON a.id = t.actor_id
                   WHERE t.actor_id = ?1 AND t.seq = ?2";
        connection
            .prepare_cached(sql)?
            .query_row((seen.actor, seen.seq), |row| {
                Ok(Self {
                    actor: row.get(0)?,
                    incarnation: row.get(1)?,
                    seq: row.get(2)?,
                    round: row.get(3)?,
                    beta: row.get(4)?,
                    received_us: row.get(5)?,
                })
            })
    }
}
