//! β against y: a uniform sample of what passes, the same however the replay is read.

use crate::InspectError;
use crate::replay::{Filter, Plan, Replay};
use serde::Serialize;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// Trajectories in a sample, at most.
const MOST: usize = 3000;

/// A sample that can be extended as trajectories are added to the replay: those whose names have the smallest hashes, so
/// that it does not depend on the order of reading, and few change when more come.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    count: u64,
    /// The largest hash on top.
    drawn: BinaryHeap<Drawn>,
}

/// A trajectory; ordered by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Drawn {
    hash: u64,
    actor: i64,
    seq: i64,
}

/// The sample, in columns.
#[derive(Debug, Clone, Serialize)]
pub struct Scatter {
    /// Trajectories that pass.
    pub count: u64,
    /// Up to 3,000 of them.
    pub points: Points,
}

/// Columns of equal length.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Points {
    /// What [`crate::show::Id`] reads.
    pub id: Vec<String>,
    /// Objects.
    pub x: Vec<String>,
    /// Inverse temperatures.
    pub beta: Vec<f32>,
    /// Raw scores.
    pub y: Vec<f64>,
}

impl Sample {
    /// Draws from the trajectories of a plan that pass the filter, too.
    ///
    /// # Errors
    /// When reading fails.
    pub fn extend(&mut self, replay: &Replay, filter: &Filter, plan: &Plan) -> Result<(), InspectError> {
        replay.fold(
            plan,
            ("actor_id, seq", filter),
            Self::default,
            |sample, row| {
                sample.count += 1;
                sample.offer(Drawn::new(row.get(0)?, row.get(1)?));
                Ok(())
            },
            |more| {
                self.count += more.count;
                more.drawn.into_iter().for_each(|drawn| self.offer(drawn));
            },
        )
    }

    fn offer(&mut self, drawn: Drawn) {
        if self.drawn.len() < MOST {
            self.drawn.push(drawn);
        } else if self.drawn.peek().is_some_and(|worst| drawn < *worst) {
            self.drawn.pop();
            self.drawn.push(drawn);
        }
    }

    /// Looks the sample up, in a random order that stays.
    ///
    /// # Errors
    /// When reading fails.
    pub fn scatter(&self, replay: &Replay) -> Result<Scatter, InspectError> {
        let mut drawn: Vec<_> = self.drawn.iter().collect();
        drawn.sort_unstable();
        let points = replay.ask(|connection| {
            let sql = "SELECT incarnation || ':' || seq, x, beta, y FROM replay WHERE actor_id = ?1 AND seq = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let mut points = Points::default();
            for drawn in drawn {
                statement.query_row((drawn.actor, drawn.seq), |row| {
                    points.id.push(row.get(0)?);
                    points.x.push(row.get(1)?);
                    points.beta.push(row.get(2)?);
                    points.y.push(row.get(3)?);
                    Ok(())
                })?;
            }
            Ok(points)
        })?;
        Ok(Scatter {
            count: self.count,
            points,
        })
    }
}

impl Drawn {
    fn new(actor: i64, seq: i64) -> Self {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one((actor, seq));
        Self { hash, actor, seq }
    }
}
