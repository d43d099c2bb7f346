//! The training thread against an actor in the same process.

use super::*;
use crossbeam_channel::bounded;
use std::sync::atomic::{AtomicU64, Ordering};
use thermoflow::config::RawConfig;
use thermoflow::metrics::jsonl;
use thermoflow::protocol::weights;
use thermoflow::replay::{Limiter, LimiterState};
use thermoflow::rollout::{RollRequest, Roller};

pub(super) fn config(mode: Mode, rounds: u64) -> RunConfig {
    let mut raw = RawConfig::default();
    raw.task.name = Some("tfbind8".into());
    raw.train.mode = Some(mode);
    raw.train.rounds = Some(rounds);
    raw.learner.checkpoint_every = Some(4);
    raw.learner.report_every = Some(1);
    raw.resolve().unwrap()
}

/// Training that has not begun, and the other ends of its channels.
pub(super) struct Ends {
    pub setup: Setup,
    to: Sender<ToTrainer>,
    pub from: Receiver<FromTrainer>,
    stopper: Sender<()>,
    flushed: Arc<AtomicU64>,
}

pub(super) fn setup(config: &RunConfig, dir: &std::path::Path) -> Ends {
    let task = Task::load(&config.task).unwrap();
    let ((to, inbox), (outbox, from), (stopper, stop)) = (bounded(2), bounded(64), bounded(1));
    let flushed = Arc::new(AtomicU64::new(0));
    let asked = flushed.clone();
    let setup = Setup {
        config: config.clone(),
        trainer: Trainer::new(config, &task).unwrap(),
        task,
        run_dir: dir.into(),
        state: TrainerState::default(),
        inbox,
        stop,
        outbox,
        flush: Box::new(move || {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }),
        fleet: Box::new(FleetReport::default),
    };
    Ends {
        setup,
        to,
        from,
        stopper,
        flushed,
    }
}

/// Runs training in `dir` from its newest checkpoint, with one actor; stops before round `stop_at`.
fn train(
    config: &RunConfig,
    dir: &std::path::Path,
    history: &[Trajectory],
    stop_at: Option<u64>,
) -> (End, Vec<Trajectory>) {
    let mut ends = setup(config, dir);
    let Setup {
        ref task,
        ref mut trainer,
        ref mut state,
        ..
    } = ends.setup;
    if let Some(latest) = checkpoint::latest(dir).unwrap() {
        let Checkpoint {
            policy,
            optimizer,
            trainer: at,
            ..
        } = latest.checkpoint;
        trainer.restore(policy, optimizer).unwrap();
        *state = at;
    }
    trainer.remember(&history[..state.trajectories as usize]).unwrap();
    let task = task.clone();
    let Ends {
        setup,
        to,
        from,
        stopper,
        flushed,
    } = ends;
    let thread = std::thread::spawn(move || run(setup));
    let made = act(config, &task, &from, &to, stop_at);
    drop((to, stopper));
    while from.recv().is_ok() {}
    let end = thread.join().unwrap().unwrap();
    assert!(
        flushed.load(Ordering::Relaxed) > 0,
        "a checkpoint waits for the replay to be committed"
    );
    (end, made)
}

/// Plays the actor until there is nothing more to do: round by round, or as fast as training takes it.
fn act(
    config: &RunConfig,
    task: &Task,
    from: &Receiver<FromTrainer>,
    to: &Sender<ToTrainer>,
    stop_at: Option<u64>,
) -> Vec<Trajectory> {
    let mut roller = Roller::new(config, task, config.seed).unwrap();
    let mut made = Vec::new();
    let mut roll = |roller: &mut Roller, round| {
        let request = RollRequest {
            round,
            indices: 0..config.train.batch as u32,
            progress: 0.0,
        };
        let rolled = roller.roll(&request).unwrap();
        made.extend(rolled.iter().cloned());
        rolled
    };
    let mut ready: Option<Vec<Trajectory>> = None;
    for batches in 0.. {
        let message = match ready.take() {
            None => from.recv(),
            Some(batch) => crossbeam_channel::select! {
                send(to, ToTrainer::Batch(batch)) -> _ => {
                    ready = Some(roll(&mut roller, batches));
                    continue;
                }
                recv(from) -> message => message,
            },
        };
        match message {
            Ok(FromTrainer::Publish { version, data, .. }) => {
                let parameters = weights::from_bytes(&roller.layout(), &data).unwrap();
                roller.load(version, &parameters).unwrap();
                ready = (config.train.mode == Mode::Async).then(|| roll(&mut roller, batches));
            }
            Ok(FromTrainer::StartRound(round)) if stop_at != Some(round) => {
                let rolled = roll(&mut roller, round);
                to.send(ToTrainer::Round(round, rolled)).unwrap();
            }
            Ok(FromTrainer::Report(_)) => {}
            Ok(FromTrainer::Progress(line)) if line["event"] != "finished" => {
                let goes_on = config.train.mode == Mode::Async && roller.version().is_some();
                ready = goes_on.then(|| roll(&mut roller, batches));
            }
            _ => break,
        }
    }
    made
}

#[test]
fn a_stopped_and_resumed_run_has_the_rows_of_an_uninterrupted_one() {
    let config = config(Mode::Sync, 10);
    let whole = tempfile::tempdir().unwrap();
    let (end, history) = train(&config, whole.path(), &[], None);
    assert_eq!(end, End::Complete);

    let parts = tempfile::tempdir().unwrap();
    let (end, first) = train(&config, parts.path(), &[], Some(6));
    assert_eq!((end, first.len()), (End::Stopped, 6 * 32));
    // As if it had been killed after the checkpoint of round 4: the one of round 6 is lost.
    std::fs::remove_dir_all(&checkpoint::list(parts.path()).unwrap()[0]).unwrap();
    let (end, _) = train(&config, parts.path(), &history, None);
    assert_eq!(end, End::Complete);

    let rows = |dir: &std::path::Path| {
        let mut rows = jsonl::read(&dir.join("metrics.jsonl")).unwrap();
        for row in &mut rows {
            (row.seconds, row.trajectories_per_second, row.waiting_for) = (0.0, None, Default::default());
        }
        rows
    };
    assert_eq!(rows(whole.path()).len(), 10);
    assert_eq!(rows(whole.path()), rows(parts.path()));
}

#[test]
fn free_running_training_keeps_the_ratio() {
    for samples_per_insert in [0.5, 2.0, 5.0] {
        let mut config = config(Mode::Async, 12);
        config.learner.publish_every = 1;
        config.replay.samples_per_insert = samples_per_insert;
        config.replay.error_band = Limiter::smallest_band(samples_per_insert, 32, 32);
        let dir = tempfile::tempdir().unwrap();
        let (end, made) = train(&config, dir.path(), &[], None);
        assert_eq!(end, End::Complete);
        let state = checkpoint::latest(dir.path()).unwrap().unwrap().checkpoint.trainer;
        assert_eq!(state.round, 12);
        let LimiterState {
            inserted,
            sampled,
            skipped,
        } = state.limiter;
        assert!(inserted as usize <= made.len());
        let balance = samples_per_insert * inserted as f64 - (sampled + skipped) as f64;
        assert!(
            balance.abs() <= config.replay.error_band,
            "{samples_per_insert}: balance {balance}"
        );
        assert_eq!(state.gradient_steps, sampled / 32);
    }
}
