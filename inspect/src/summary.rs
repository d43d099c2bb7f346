//! What a replay holds, at a glance.

use crate::InspectError;
use crate::batches::{Batch, Passing};
use crate::groups::{By, Groups};
use crate::histogram::{Quantity, Tally};
use crate::modes::{FoundModes, ModeCount};
use crate::replay::{Filter, Plan, Replay};
use crate::sketch::{Quantiles, Sketch};
use rustc_hash::FxHashMap;
use serde::Serialize;
use thermoflow::checkpoint;
use thermoflow::task::Task;

/// Points of the small curves of rates.
const RATE_POINTS: usize = 32;

/// Groups of policy versions.
const VERSION_GROUPS: i64 = 8;

/// A replay at a glance; everything is of the trajectories that pass the filter.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Name of its directory.
    pub name: String,
    /// Name of the run.
    pub run_id: Option<String>,
    /// What was trained on.
    pub task: Option<String>,
    /// Size of the database and its write-ahead log.
    pub bytes: u64,
    /// Trajectories.
    pub trajectories: u64,
    /// Distinct x.
    pub distinct: u64,
    /// Share of trajectories that lead to an x seen before.
    pub duplicates: f64,
    /// Share of trajectories that were too stale to train on.
    pub too_stale: f64,
    /// The highest round.
    pub round: Option<i64>,
    /// From the first to the last trajectory.
    pub span: Option<Span>,
    /// Listed modes, where the task has any.
    pub modes: Option<ModeCount>,
    /// What the newest checkpoint says of training.
    pub trained: Option<Trained>,
    /// How far behind the weights were.
    pub staleness: Option<Quantiles>,
    /// By β.
    pub betas: Vec<OfBeta>,
    /// By name of the actor.
    pub actors: Vec<Sender>,
    /// By policy version, in order.
    pub versions: Vec<Versions>,
}

/// A time with what came in it.
#[derive(Debug, Clone, Serialize)]
pub struct Span {
    /// First, microseconds since 1970-01-01 UTC.
    pub first_us: i64,
    /// Last, microseconds since 1970-01-01 UTC.
    pub last_us: i64,
    /// Trajectories per second.
    pub per_second: f64,
    /// Trajectories in each of equal parts of the whole replay's time.
    pub curve: Vec<u64>,
}

/// Training up to a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Trained {
    /// Rounds.
    pub round: u64,
    /// Trajectories that came, and were trained on as they came.
    pub online: u64,
    /// Trajectories made from the replay and trained on.
    pub replayed: u64,
}

/// One β, or a range of them.
#[derive(Debug, Clone, Serialize)]
pub struct OfBeta {
    /// The β.
    pub beta: String,
    /// Trajectories.
    pub trajectories: u64,
    /// Of y.
    pub y: Quantiles,
    /// Of log R, nats.
    pub log_reward: Quantiles,
}

/// One actor.
#[derive(Debug, Clone, Serialize)]
pub struct Sender {
    /// Its name.
    pub name: String,
    /// How often it was started.
    pub lives: u64,
    /// Trajectories.
    pub trajectories: u64,
    /// When.
    pub span: Span,
    /// How far behind its weights were.
    pub staleness: Quantiles,
}

/// Some policy versions that follow each other.
#[derive(Debug, Clone, Serialize)]
pub struct Versions {
    /// The first.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// Trajectories.
    pub trajectories: u64,
    /// Trajectories per second while they came.
    pub per_second: f64,
    /// How far behind they were.
    pub staleness: Quantiles,
}

impl Summary {
    /// Reads a replay.
    ///
    /// # Errors
    /// When reading fails.
    pub fn read(replay: &Replay, filter: &Filter) -> Result<Self, InspectError> {
        let mut tally = Self::tally(replay)?;
        tally.extend(replay, filter, &Plan::all(replay)?)?;
        let task = replay.task_or_warning()?;
        let summary = Self::new(replay, &Passing::count(replay, filter)?, &tally, task.as_ref())?;
        Ok(Self {
            trained: Trained::read(replay),
            ..summary
        })
    }

    /// What is counted of single trajectories.
    ///
    /// # Errors
    /// When reading fails.
    pub fn tally(replay: &Replay) -> Result<Tally, InspectError> {
        Ok(Tally::new(
            Groups::new(replay, Some(By::Beta))?,
            &[Quantity::Y, Quantity::LogReward],
        ))
    }

    /// The summary of what was counted: batches, and [`Self::tally`]. Modes are left out where the task is not known, and
    /// what a checkpoint says ([`Trained::read`]) always.
    ///
    /// # Errors
    /// When reading fails.
    pub fn new(
        replay: &Replay,
        passing: &Passing<'_>,
        tally: &Tally,
        task: Option<&Task>,
    ) -> Result<Self, InspectError> {
        let (batches, trajectories) = (&passing.batches, passing.trajectories());
        let share = |part: u64| {
            if trajectories == 0 {
                0.0
            } else {
                part as f64 / trajectories as f64
            }
        };
        let stale = batches
            .iter()
            .filter(|batch| !batch.trainable)
            .map(|batch| batch.count)
            .sum();
        let whole = ends(batches.iter());
        let record = replay.record();
        Ok(Self {
            name: replay.name(),
            run_id: record.map(|record| record.run_id.clone()),
            task: record.map(|record| record.config.task.name.clone()),
            bytes: replay.size(),
            trajectories,
            distinct: passing.objects,
            duplicates: share(trajectories - passing.objects.min(trajectories)),
            too_stale: share(stale),
            round: batches.iter().map(|batch| batch.round).max(),
            span: whole.map(|whole| Span::of(batches.iter(), whole)),
            modes: modes(replay, passing, task)?,
            trained: None,
            staleness: staleness(batches.iter()).quantiles(),
            betas: betas(tally),
            actors: senders(replay, batches)?,
            versions: versions(batches),
        })
    }
}

impl Trained {
    /// What the newest checkpoint says; None when there is none, or none that can be read.
    pub fn read(replay: &Replay) -> Option<Self> {
        let trainer = checkpoint::latest(replay.root()?).ok()??.checkpoint.trainer;
        let batch = replay.record()?.config.replay.batch as u64;
        Some(Self {
            round: trainer.round,
            online: trainer.trajectories,
            replayed: trainer.replay_draws * batch,
        })
    }
}

impl Span {
    fn of<'a>(batches: impl Iterator<Item = &'a Batch> + Clone, [start, end]: [i64; 2]) -> Self {
        let [first_us, last_us] = ends(batches.clone()).unwrap_or([start, end]);
        let mut curve = vec![0; RATE_POINTS];
        let width = (end - start + 1) as f64 / RATE_POINTS as f64;
        let mut count = 0;
        for batch in batches {
            curve[(((batch.received_us - start) as f64 / width) as usize).min(RATE_POINTS - 1)] += batch.count;
            count += batch.count;
        }
        Self {
            first_us,
            last_us,
            per_second: per_second(count, [first_us, last_us]),
            curve,
        }
    }
}

fn per_second(count: u64, [first_us, last_us]: [i64; 2]) -> f64 {
    // What came at one moment has no rate; a microsecond keeps it finite.
    count as f64 * 1e6 / (last_us - first_us).max(1) as f64
}

fn ends<'a>(batches: impl Iterator<Item = &'a Batch>) -> Option<[i64; 2]> {
    let times = batches.map(|batch| [batch.received_us; 2]);
    times.reduce(|[a, b], [c, d]| [a.min(c), b.max(d)])
}

fn staleness<'a>(batches: impl Iterator<Item = &'a Batch>) -> Sketch {
    let mut sketch = Sketch::default();
    batches.for_each(|batch| sketch.add_many(batch.staleness as f32, batch.count));
    sketch
}

/// Modes among what passes.
fn modes(replay: &Replay, passing: &Passing<'_>, task: Option<&Task>) -> Result<Option<ModeCount>, InspectError> {
    let modes = FoundModes::look_up(replay, task)?;
    Ok(modes.map(|modes| ModeCount {
        found: modes.objects.iter().filter(|id| passing.has_object(**id)).count() as u64,
        known: modes.known,
    }))
}

fn betas(tally: &Tally) -> Vec<OfBeta> {
    let groups = tally.groups.names.iter().enumerate().filter_map(|(place, beta)| {
        let [y, log_reward] = tally.group(place) else {
            return None;
        };
        Some(OfBeta {
            beta: beta.clone(),
            trajectories: y.count(),
            y: y.quantiles()?,
            log_reward: log_reward.quantiles()?,
        })
    });
    groups.collect()
}

fn senders(replay: &Replay, batches: &[Batch]) -> Result<Vec<Sender>, InspectError> {
    let Some(whole) = ends(batches.iter()) else {
        return Ok(Vec::new());
    };
    let names: FxHashMap<i64, String> = replay
        .rows("SELECT id, name FROM actors", |row| Ok((row.get(0)?, row.get(1)?)))?
        .into_iter()
        .collect();
    let mut by_name: FxHashMap<&str, Vec<&Batch>> = FxHashMap::default();
    for batch in batches {
        by_name
            .entry(names.get(&batch.actor).map_or("?", String::as_str))
            .or_default()
            .push(batch);
    }
    let senders = by_name.into_iter().filter_map(|(name, batches)| {
        let mut lives: Vec<i64> = batches.iter().map(|batch| batch.actor).collect();
        lives.sort_unstable();
        lives.dedup();
        let its = || batches.iter().copied();
        Some(Sender {
            name: name.into(),
            lives: lives.len() as u64,
            trajectories: its().map(|batch| batch.count).sum(),
            span: Span::of(its(), whole),
            staleness: staleness(its()).quantiles()?,
        })
    });
    let mut senders: Vec<Sender> = senders.collect();
    senders.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(senders)
}

fn versions(batches: &[Batch]) -> Vec<Versions> {
    let all = batches.iter().map(|batch| [batch.version; 2]);
    let Some([low, high]) = all.reduce(|[a, b], [c, d]| [a.min(c), b.max(d)]) else {
        return Vec::new();
    };
    let width = (high - low) / VERSION_GROUPS + 1;
    let group = |place: i64| {
        let first = low + place * width;
        let last = (first + width - 1).min(high);
        let its = || {
            batches
                .iter()
                .filter(move |batch| (first..=last).contains(&batch.version))
        };
        let trajectories = its().map(|batch| batch.count).sum();
        Some(Versions {
            first,
            last,
            trajectories,
            per_second: per_second(trajectories, ends(its())?),
            staleness: staleness(its()).quantiles()?,
        })
    };
    (0..VERSION_GROUPS).filter_map(group).collect()
}
