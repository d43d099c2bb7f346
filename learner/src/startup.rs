//! From a run directory to a trainer that goes on where the run was. Nothing is sent or received yet.
//!
//! Invariant: in sync mode the data set is refilled by round and place, the order in which an uninterrupted run filled it.

use crate::error::LearnerError;
use crate::versions::Versions;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use thermoflow::checkpoint::{self, Checkpoint, TrainerState};
use thermoflow::config::{Mode, RunConfig};
use thermoflow::offline;
use thermoflow::replay::{Store, StoreError};
use thermoflow::rollout::Trajectory;
use thermoflow::run_dir::{RunDir, RunRecord};
use thermoflow::task::Task;
use thermoflow::trainer::Trainer;
use thermoflow::units::{Incarnation, Seq};
use tracing::{info, warn};

/// A run, ready to go on.
pub(crate) struct Started {
    pub run_dir: RunDir,
    pub store: Store,
    pub trainer: Trainer,
    pub state: TrainerState,
    pub versions: Versions,
    /// What the replay holds: the next trajectory of each incarnation.
    pub known: HashMap<Incarnation, Seq>,
    /// Sync mode: trajectories of rounds to come that the replay holds.
    pub early: Vec<Trajectory>,
}

/// Begins the run in `path`, or goes on with it.
pub(crate) fn start(path: &Path, config: &RunConfig, task: &Task, resume: bool) -> Result<Started, LearnerError> {
    let run_dir = if resume {
        RunDir::resume(path, config)?
    } else {
        RunDir::create(path, record(config))?
    };
    let store = Store::open(&run_dir.paths().replay())?;
    thermoflow::libtorch::set_threads(config.learner.threads);
    let mut trainer = Trainer::new(config, task)?;
    let mut state = restore(path, config, &run_dir, &mut trainer)?;
    tell_of_loss(&store, &state)?;
    let versions = Versions::open(path)?;
    let (mut known, mut early) = (HashMap::new(), Vec::new());
    for actor in store.actors()? {
        if let Some(Seq(last)) = store.committed_through(actor.incarnation)? {
            known.insert(actor.incarnation, Seq(last + 1));
        }
    }
    match config.train.mode {
        Mode::Sync => early = refill_rounds(&store, &mut trainer, state.round)?,
        Mode::Offline => {
            let (objects, scores) = offline::data_set(task, &config.offline)?;
            trainer.remember_objects(&objects, &scores);
        }
        Mode::Async => {
            store.scan(None, |row| -> Result<(), LearnerError> {
                Ok(trainer.remember(&[row.trajectory])?)
            })?;
            // Training publishes the next one first.
            state.policy_version = state.policy_version.max(versions.reserved());
        }
    }
    if resume {
        info!(round = state.round, distinct = trainer.dataset().len(), "resumed");
    }
    Ok(Started {
        run_dir,
        store,
        trainer,
        state,
        versions,
        known,
        early,
    })
}

fn record(config: &RunConfig) -> RunRecord {
    let created = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let versions = [("thermoflow", env!("CARGO_PKG_VERSION")), ("libtorch", "2.13.0")];
    let versions: BTreeMap<_, _> = versions.map(|(name, version)| (name.into(), version.into())).into();
    RunRecord {
        run_id: format!("{:016x}", rand::random::<u64>()),
        created,
        versions,
        config: config.clone(),
    }
}

/// Weights, optimiser and counts of the newest checkpoint that can be read; those of a fresh run when there is none.
fn restore(
    path: &Path,
    config: &RunConfig,
    run_dir: &RunDir,
    trainer: &mut Trainer,
) -> Result<TrainerState, LearnerError> {
    let run_id = &run_dir.record().run_id;
    let Some(latest) = checkpoint::latest(path)? else {
        return Ok(TrainerState {
            run_id: run_id.clone(),
            ..TrainerState::default()
        });
    };
    for (skipped, error) in &latest.skipped {
        warn!(checkpoint = %skipped.display(), %error, "passed over a damaged checkpoint");
    }
    let Checkpoint {
        policy,
        optimizer,
        trainer: state,
        ..
    } = latest.checkpoint;
    let same_run = state.run_id == *run_id || state.run_id.is_empty();
    if policy.layout.spec != config.policy || policy.values.len() != trainer.parameters().values.len() || !same_run {
        return Err(LearnerError::Foreign {
            path: latest.path.display().to_string(),
        });
    }
    trainer.restore(policy, optimizer)?;
    Ok(TrainerState {
        run_id: run_id.clone(),
        ..state
    })
}

/// A checkpoint counts only what was committed, so a replay that holds less has lost some: its log was cut short, or
/// damaged where that looks like a crash. Opening it refuses any other damage to the log.
fn tell_of_loss(store: &Store, state: &TrainerState) -> Result<(), StoreError> {
    let held = store.counts()?.trajectories;
    if held < state.trajectories {
        warn!(
            replay = %store.path().display(),
            held,
            counted = state.trajectories,
            "the replay holds fewer trajectories than the checkpoint counted: its files were damaged or exchanged; the \
             run goes on without what is missing"
        );
    }
    Ok(())
}

/// Remembers the rounds before `next`, and returns what the replay holds of later ones.
fn refill_rounds(store: &Store, trainer: &mut Trainer, next: u64) -> Result<Vec<Trajectory>, LearnerError> {
    let mut early = Vec::new();
    let mut past: Vec<Trajectory> = Vec::new();
    store.scan(None, |row| {
        let list = if row.trajectory.round < next {
            &mut past
        } else {
            &mut early
        };
        list.push(row.trajectory);
        Ok::<_, StoreError>(())
    })?;
    past.sort_by_key(|trajectory| (trajectory.round, trajectory.index));
    trainer.remember(&past)?;
    Ok(early)
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermoflow::config::RawConfig;
    use thermoflow::replay::{ObjectId, Received};
    use thermoflow::units::PolicyVersion;

    /// A trajectory whose object and score follow from its place.
    fn received(task: &Task, (seq, round, index): (u64, u64, u32)) -> Received {
        let y = 0.1 + 0.1 * (2 * round as u32 + index) as f32;
        let actions = vec![0, 0, 0, 0, 0, 0, round as u16, index as u16];
        Received {
            incarnation: Incarnation(7),
            actor_name: "a".into(),
            seq: Seq(seq),
            staleness: 0,
            received_us: 0,
            trainable: true,
            object: task.env.format(&task.env.object_of(&actions).unwrap()),
            trajectory: Trajectory {
                beta: 1.0,
                actions,
                y,
                log_reward: task.reward.log_reward(y),
                log_pf: -9.0,
                policy_version: PolicyVersion(round),
                round,
                index,
            },
        }
    }

    #[test]
    fn a_resumed_run_has_its_rounds_in_order_and_asks_for_nothing_that_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let mut raw = RawConfig::default();
        raw.task.name = Some("tfbind8".into());
        raw.train.mode = Some(Mode::Sync);
        let config = raw.resolve().unwrap();
        let task = Task::load(&config.task).unwrap();
        let Started {
            mut store,
            trainer,
            state,
            run_dir,
            ..
        } = start(&path, &config, &task, false).unwrap();
        // As they came: what was early first.
        let rows = [(0, 2, 0), (1, 1, 1), (2, 0, 1), (3, 1, 0), (4, 0, 0)].map(|place| received(&task, place));
        store.commit(&rows).unwrap();
        let checkpoint = Checkpoint {
            task: task.name.clone(),
            policy: trainer.parameters().clone(),
            optimizer: trainer.optimizer().clone(),
            trainer: TrainerState { round: 2, ..state },
        };
        checkpoint.write(&path).unwrap();
        drop((store, run_dir));

        let resumed = start(&path, &config, &task, true).unwrap();
        assert_eq!(resumed.known, HashMap::from([(Incarnation(7), Seq(5))]));
        assert_eq!(resumed.early, [rows[0].trajectory.clone()]);
        let dataset = resumed.trainer.dataset();
        let scores: Vec<f32> = (0..dataset.len() as u32)
            .map(|id| dataset.object(ObjectId(id)).y)
            .collect();
        assert_eq!(
            scores,
            [4, 2, 3, 1].map(|row| rows[row].trajectory.y),
            "by round and place"
        );
    }
}
