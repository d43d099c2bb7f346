//! The table `batches` in memory: who sent how much, when, with which weights. Small beside the trajectories.

use crate::InspectError;
use crate::replay::{Filter, Plan, Replay};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// Trajectories that came together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Its number; these rise in order of commit.
    pub id: i64,
    /// The number of its actor.
    pub actor: i64,
    /// The number of its first trajectory.
    pub first_seq: i64,
    /// How many trajectories it has (that pass a filter).
    pub count: u64,
    /// Sync mode: the round; async mode: the actor's own count.
    pub round: i64,
    /// Weights they were sampled with.
    pub version: i64,
    /// Versions they were behind at receipt.
    pub staleness: i64,
    /// Whether they were trained on.
    pub trainable: bool,
    /// When they came, microseconds since 1970-01-01 UTC.
    pub received_us: i64,
}

/// The batches after `after`, in order of commit.
///
/// # Errors
/// When reading fails.
pub fn read(replay: &Replay, after: i64) -> Result<Vec<Batch>, InspectError> {
    let sql = format!(
        "SELECT id, actor_id, first_seq, last_seq - first_seq + 1, round, policy_version, staleness, trainable, received_us
         FROM batches WHERE id > {after} ORDER BY id"
    );
    replay.rows(&sql, |row| {
        Ok(Batch {
            id: row.get(0)?,
            actor: row.get(1)?,
            first_seq: row.get(2)?,
            count: row.get::<_, i64>(3)?.max(0) as u64,
            round: row.get(4)?,
            version: row.get(5)?,
            staleness: row.get(6)?,
            trainable: row.get(7)?,
            received_us: row.get(8)?,
        })
    })
}

/// What passes a filter, without looking at single trajectories where none are left out.
#[derive(Debug, Clone)]
pub struct Passing<'a> {
    /// Batches with as many trajectories as pass; those without any are left out.
    pub batches: Cow<'a, [Batch]>,
    /// Distinct objects.
    pub objects: u64,
    /// Whether an object is among them, by id; None when all are.
    among: Option<ObjectSet>,
}

/// Trajectories that pass a filter, counted; can be extended as they are added to the replay.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    by_batch: FxHashMap<i64, u64>,
    objects: ObjectSet,
}

impl Counted {
    /// Counts those of a plan that pass.
    ///
    /// # Errors
    /// When reading fails.
    pub fn extend(&mut self, replay: &Replay, filter: &Filter, plan: &Plan) -> Result<(), InspectError> {
        replay.fold(
            plan,
            ("batch_id, object_id", filter),
            Self::default,
            |sum, row| {
                *sum.by_batch.entry(row.get(0)?).or_default() += 1;
                sum.objects.insert(row.get(1)?);
                Ok(())
            },
            |more| {
                for (batch, count) in more.by_batch {
                    *self.by_batch.entry(batch).or_default() += count;
                }
                self.objects.add(&more.objects);
            },
        )
    }
}

impl<'a> Passing<'a> {
    /// Counts what passes.
    ///
    /// # Errors
    /// When reading fails.
    pub fn count(replay: &Replay, filter: &Filter) -> Result<Self, InspectError> {
        let batches = read(replay, 0)?;
        if filter.is_none() {
            return Self::all(replay, batches);
        }
        let mut counted = Counted::default();
        counted.extend(replay, filter, &Plan::of(&batches))?;
        Ok(Self::of(&batches, &counted))
    }

    /// Everything passes.
    ///
    /// # Errors
    /// When reading fails.
    pub fn all(replay: &Replay, batches: impl Into<Cow<'a, [Batch]>>) -> Result<Self, InspectError> {
        Ok(Self {
            batches: batches.into(),
            objects: replay.number("SELECT count(*) FROM objects")? as u64,
            among: None,
        })
    }

    /// What was counted of these batches.
    pub fn of(batches: &[Batch], counted: &Counted) -> Self {
        let passing = batches.iter().filter_map(|batch| {
            let count = *counted.by_batch.get(&batch.id)?;
            Some(Batch { count, ..*batch })
        });
        Self {
            batches: passing.collect(),
            objects: counted.objects.len(),
            among: Some(counted.objects.clone()),
        }
    }

    /// How many trajectories.
    pub fn trajectories(&self) -> u64 {
        self.batches.iter().map(|batch| batch.count).sum()
    }

    /// Whether a trajectory to the object with this id passes.
    pub fn has_object(&self, id: i64) -> bool {
        self.among.as_ref().is_none_or(|among| among.contains(id))
    }
}

/// Objects by id, a bit each.
#[derive(Debug, Clone, Default)]
struct ObjectSet(Vec<u64>);

impl ObjectSet {
    fn insert(&mut self, id: i64) {
        let (word, bit) = (id as usize / 64, id as usize % 64);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << bit;
    }

    fn add(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }

    fn contains(&self, id: i64) -> bool {
        let word = self.0.get(id as usize / 64);
        word.is_some_and(|word| word >> (id as usize % 64) & 1 == 1)
    }

    fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}
