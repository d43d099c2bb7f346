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
    thermoflow::policy::set_threads(config.learner.threads);
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

/// A checkpoint counts only what was committed, so a replay that holds less has lost some. SQLite takes a damaged log for
/// the end of one that a crash cut short, and says nothing.
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
