//! Objects in any order, a page at a time.

use super::{Best, COLUMNS, Passing, Seen};
use crate::InspectError;
use crate::replay::Replay;
use rusqlite::Connection;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// What objects are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// Raw score.
    #[default]
    Y,
    /// The object's text.
    X,
    /// How many trajectories lead to it.
    Seen,
    /// When it was first seen.
    First,
}

/// Which objects.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// In which order; equals in order of appearance.
    pub sort: Sort,
    /// The largest first.
    pub descending: bool,
    /// Only those with this in their text.
    pub contains: &'a str,
    /// How many to pass over.
    pub offset: usize,
    /// How many, at most.
    pub count: usize,
}

/// Some of the objects.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// How many there are on all pages.
    pub total: u64,
    /// Those asked for.
    pub rows: Vec<Best>,
}

impl Page {
    /// Reads a page of all objects, or of those among the trajectories that pass a filter.
    ///
    /// # Errors
    /// When reading fails.
    pub fn read(replay: &Replay, passing: Option<&Passing>, wanted: &Wanted<'_>) -> Result<Self, InspectError> {
        replay.ask(|connection| match passing {
            None => Self::of_all(connection, wanted),
            Some(passing) => {
                let ids = wanted.sorted(replay, connection, passing)?;
                let here = ids.iter().skip(wanted.offset).take(wanted.count);
                let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM objects WHERE id = ?1"))?;
                let rows = here.map(|id| statement.query_row([id], |row| Best::read(connection, row, passing.0[id])));
                Ok(Self {
                    rows: rows.collect::<rusqlite::Result<_>>()?,
                    total: ids.len() as u64,
                })
            }
        })
    }

    /// SQLite sorts, and keeps only the page while it does.
    fn of_all(connection: &Connection, wanted: &Wanted<'_>) -> rusqlite::Result<Self> {
        let (column, direction) = (wanted.column(), if wanted.descending { "DESC" } else { "ASC" });
        let sql = format!(
            "SELECT {COLUMNS} FROM objects WHERE instr(x, ?1) > 0 ORDER BY {column} {direction}, id LIMIT ?2 OFFSET ?3"
        );
        let mut statement = connection.prepare(&sql)?;
        let rows = statement.query_map((wanted.contains, wanted.count as i64, wanted.offset as i64), |row| {
            let seen = Seen::of(row, None)?.expect("nothing is left out");
            Best::read(connection, row, seen)
        })?;
        let count = "SELECT count(*) FROM objects WHERE ?1 = '' OR instr(x, ?1) > 0";
        Ok(Self {
            rows: rows.collect::<rusqlite::Result<_>>()?,
            total: connection.query_row(count, [wanted.contains], |row| row.get::<_, i64>(0))? as u64,
        })
    }
}

impl Wanted<'_> {
    /// Of the table `objects`; its ids rise in order of first appearance.
    fn column(&self) -> &'static str {
        match self.sort {
            Sort::Y => "y",
            Sort::X => "x",
            Sort::Seen => "seen",
            Sort::First => "id",
        }
    }

    /// The ids of what passes in order.
    fn sorted(&self, replay: &Replay, connection: &Connection, passing: &Passing) -> rusqlite::Result<Vec<i64>> {
        if self.sort == Sort::X {
            let mut ids = self.named(connection, "x")?;
            ids.retain(|id| passing.0.contains_key(id));
            if self.descending {
                ids.reverse();
            }
            return Ok(ids);
        }
        let mut ids: Vec<i64> = if self.contains.is_empty() {
            passing.0.keys().copied().collect()
        } else {
            let named: FxHashSet<i64> = self.named(connection, "id")?.into_iter().collect();
            passing.0.keys().copied().filter(|id| named.contains(id)).collect()
        };
        let scores = replay.source().scores();
        let score = |id: &i64| scores.scores(*id as usize).map_or(f32::NAN, |[y, _]| y);
        let first = |id: &i64| (passing.0[id].batch, passing.0[id].seq);
        ids.sort_unstable_by(|a, b| {
            let order: Ordering = match self.sort {
                Sort::Y => score(a).total_cmp(&score(b)),
                Sort::Seen => passing.0[a].count.cmp(&passing.0[b].count),
                Sort::First | Sort::X => first(a).cmp(&first(b)),
            };
            if self.descending { order.reverse() } else { order }.then(a.cmp(b))
        });
        Ok(ids)
    }

    /// The ids of objects whose text holds what is wanted.
    fn named(&self, connection: &Connection, order: &str) -> rusqlite::Result<Vec<i64>> {
        let sql = format!("SELECT id FROM objects WHERE instr(x, ?1) > 0 ORDER BY {order}");
        let mut statement = connection.prepare(&sql)?;
        statement.query_map([self.contains], |row| row.get(0))?.collect()
    }
}
