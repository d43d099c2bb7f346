//! Reading the store back: in order of commit, by round, by name, and checking it.

use super::encoding::decode_actions;
use super::error::StoreError;
use super::store::{Received, Store};
use crate::rollout::Trajectory;
use crate::units::{Incarnation, PolicyVersion, Seq};
use hashbrown::HashMap;
use rusqlite::{Params, Row};
use std::sync::Arc;

/// An actor that has committed trajectories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorRow {
    /// Its number in the table `actors`.
    pub id: i64,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Its name.
    pub name: String,
    /// When its first trajectory was received, microseconds since 1970-01-01 UTC.
    pub first_seen_us: u64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Trajectories.
    pub trajectories: u64,
    /// Distinct objects.
    pub objects: u64,
    /// Actor incarnations.
    pub actors: u64,
}

/// Every batch, those of rounds below ?1 only unless it is the highest number. `+b.round` keeps SQLite from using the
/// index of rounds, which would undo the order.
pub(super) const IN_ORDER: &str = "WHERE +b.round < ?1 OR ?1 = 9223372036854775807 ORDER BY b.id, t.actor_id, t.seq";

/// The batches of round ?1.
pub(super) const BY_ROUND: &str = "WHERE b.round = ?1 ORDER BY t.idx, b.id";

/// The trajectories of the batches chosen by a condition, batch after batch. CROSS JOIN keeps SQLite to this order of
/// loops, in which the rows come out sorted.
pub(super) const SELECT: &str = "
    SELECT t.actor_id, t.seq, b.staleness, b.received_us, b.trainable, t.beta, t.actions, coalesce(t.y, o.y),
           coalesce(t.log_reward, o.log_reward), t.log_pf, b.policy_version, b.round, t.idx, o.x
    FROM batches b
    CROSS JOIN trajectories t ON t.actor_id = b.actor_id AND t.seq BETWEEN b.first_seq AND b.last_seq
    CROSS JOIN objects o ON o.id = t.object_id";

impl Store {
    /// Visits every trajectory in order of commit, those of rounds below `before_round` only if given. Rows are read as
    /// they are visited, so memory does not grow.
    ///
    /// # Errors
    /// When reading fails, and the visitor's own errors.
    pub fn scan<E: From<StoreError>>(
        &self,
        before_round: Option<u64>,
        visit: impl FnMut(Received) -> Result<(), E>,
    ) -> Result<(), E> {
        let limit = before_round.map_or(i64::MAX, |round| i64::try_from(round).unwrap_or(i64::MAX));
        self.select(IN_ORDER, [limit], visit)
    }

    /// The trajectories of a round, by index, then in order of commit. Sync mode: what a resumed run need not sample
    /// again. An index can appear twice when an actor died after committing and another did its work.
    ///
    /// # Errors
    /// When reading fails.
    pub fn round_trajectories(&self, round: u64) -> Result<Vec<Received>, StoreError> {
        let mut found = Vec::new();
        let Ok(round) = i64::try_from(round) else {
            return Ok(found);
        };
        self.select(BY_ROUND, [round], |stored| {
            found.push(stored);
            Ok::<_, StoreError>(())
        })?;
        Ok(found)
    }

    /// One trajectory by name.
    ///
    /// # Errors
    /// When reading fails.
    pub fn trajectory(&self, incarnation: Incarnation, seq: Seq) -> Result<Option<Received>, StoreError> {
        let condition = "WHERE b.actor_id = (SELECT id FROM actors WHERE incarnation = ?1) AND t.seq = ?2
                         AND ?2 BETWEEN b.first_seq AND b.last_seq";
        let mut found = None;
        let Ok(seq) = i64::try_from(seq.0) else {
            return Ok(found);
        };
        self.select(condition, (incarnation.to_string(), seq), |stored| {
            found = Some(stored);
            Ok::<_, StoreError>(())
        })?;
        Ok(found)
    }

    fn select<E: From<StoreError>>(
        &self,
        condition: &str,
        parameters: impl Params,
        mut visit: impl FnMut(Received) -> Result<(), E>,
    ) -> Result<(), E> {
        let actors: HashMap<i64, (Incarnation, Arc<str>)> = self
            .actors()?
            .into_iter()
            .map(|actor| (actor.id, (actor.incarnation, actor.name.into())))
            .collect();
        let fail = |error| E::from(self.fail(error));
        let mut statement = self
            .connection()
            .prepare(&format!("{SELECT} {condition}"))
            .map_err(fail)?;
        let mut rows = statement.query(parameters).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            visit(self.stored(row, &actors)?)?;
        }
        Ok(())
    }

    fn stored(&self, row: &Row<'_>, actors: &HashMap<i64, (Incarnation, Arc<str>)>) -> Result<Received, StoreError> {
        let read = || -> rusqlite::Result<Option<Received>> {
            let actions = decode_actions(row.get_ref(6)?.as_blob()?);
            let actor = actors.get(&row.get::<_, i64>(0)?);
            let (Some(actions), Some((incarnation, actor_name))) = (actions, actor) else {
                return Ok(None);
            };
            Ok(Some(Received {
                incarnation: *incarnation,
                actor_name: actor_name.clone(),
                seq: Seq(row.get::<_, i64>(1)? as u64),
                staleness: row.get::<_, i64>(2)? as u64,
                received_us: row.get::<_, i64>(3)? as u64,
                trainable: row.get(4)?,
                trajectory: Trajectory {
                    beta: row.get(5)?,
                    actions,
                    y: row.get(7)?,
                    log_reward: row.get(8)?,
                    log_pf: row.get(9)?,
                    policy_version: PolicyVersion(row.get::<_, i64>(10)? as u64),
                    round: row.get::<_, i64>(11)? as u64,
                    index: row.get(12)?,
                },
                object: row.get(13)?,
            }))
        };
        read().map_err(|error| self.fail(error))?.ok_or_else(|| {
            let name = |column| row.get::<_, i64>(column).unwrap_or(-1);
            self.damaged(format!(
                "trajectory {} of actor {} has no readable actions or no actor",
                name(1),
                name(0)
            ))
        })
    }

    /// The actors in order of first appearance.
    ///
    /// # Errors
    /// When reading fails.
    pub fn actors(&self) -> Result<Vec<ActorRow>, StoreError> {
        let sql = "SELECT id, incarnation, name, first_seen_us FROM actors ORDER BY id";
        let read = || -> rusqlite::Result<Vec<(String, ActorRow)>> {
            let mut statement = self.connection().prepare(sql)?;
            let rows = statement.query_map([], |row| {
                let text: String = row.get(1)?;
                let incarnation = Incarnation(u64::from_str_radix(&text, 16).unwrap_or(u64::MAX));
                let first_seen_us = row.get::<_, i64>(3)? as u64;
                Ok((
                    text,
                    ActorRow {
                        id: row.get(0)?,
                        incarnation,
                        name: row.get(2)?,
                        first_seen_us,
                    },
                ))
            })?;
            rows.collect()
        };
        let rows = read().map_err(|error| self.fail(error))?;
        if let Some((text, actor)) = rows.iter().find(|(text, actor)| *text != actor.incarnation.to_string()) {
            return Err(self.damaged(format!(
                "actor {} has incarnation {text:?}, not 16 hexadecimal digits",
                actor.id
            )));
        }
        Ok(rows.into_iter().map(|(_, actor)| actor).collect())
    }

    /// How much there is, without reading the trajectories.
    ///
    /// # Errors
    /// When reading fails.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let sql = "SELECT (SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM batches),
                          (SELECT count(*) FROM objects), (SELECT count(*) FROM actors)";
        let read = self.connection().query_row(sql, [], |row| {
            let number = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)? as u64);
            Ok(Counts {
                trajectories: number(0)?,
                objects: number(1)?,
                actors: number(2)?,
            })
        });
        read.map_err(|error| self.fail(error))
    }

    /// Checks the whole database: SQLite's structures, references, and that batches, objects and trajectories agree.
    /// Returns what is wrong, in words; empty when all is well. Reads everything.
    ///
    /// # Errors
    /// When reading fails.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        let ask = |sql: &str| -> rusqlite::Result<Vec<String>> {
            self.connection()
                .prepare(sql)?
                .query_map([], |row| row.get(0))?
                .collect()
        };
        let mut problems = Vec::new();
        for sql in CHECKS {
            problems.extend(ask(sql).map_err(|error| self.fail(error))?);
        }
        problems.retain(|problem| problem != "ok");
        Ok(problems)
    }

    fn damaged(&self, detail: String) -> StoreError {
        StoreError::Damaged {
            path: self.path().into(),
            detail,
        }
    }
}

/// Each returns a row of text per problem.
const CHECKS: [&str; 5] = [
    "SELECT integrity_check FROM pragma_integrity_check",
    "SELECT 'a row of ' || \"table\" || ' refers to a missing row of ' || parent FROM pragma_foreign_key_check",
    "SELECT 'batch ' || b.id || ' should hold ' || (b.last_seq - b.first_seq + 1) || ' trajectories, it holds ' || n
     FROM (SELECT b.*, (SELECT count(*) FROM trajectories t WHERE t.actor_id = b.actor_id
                        AND t.seq BETWEEN b.first_seq AND b.last_seq AND t.batch_id = b.id) AS n FROM batches b) b
     WHERE n <> b.last_seq - b.first_seq + 1",
    "SELECT 'batches hold ' || (SELECT sum(last_seq - first_seq + 1) FROM batches) || ' trajectories, there are ' || n
     FROM (SELECT count(*) AS n FROM trajectories)
     WHERE n <> (SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM batches)",
    "SELECT 'object ' || o.x || ' should have been seen ' || o.seen || ' times, it was ' || coalesce(n, 0)
     FROM objects o LEFT JOIN (SELECT object_id, count(*) AS n FROM trajectories GROUP BY object_id) t
     ON t.object_id = o.id WHERE o.seen <> coalesce(n, 0)",
];
