//! The training thread: owns all tensors, turns trajectories into gradient steps, weights, metrics and checkpoints.
//!
//! It knows no socket and no database: trajectories come in and weights go out through bounded channels. `lockstep` is
//! the published algorithm round by round, `free` lets actors and learner run under the samples-per-insert limiter,
//! `offline` has no actors.

mod free;
mod lockstep;
mod offline;
mod recorder;
#[cfg(test)]
mod tests;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender};
use recorder::Recorder;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use thermoflow::checkpoint::{self, Checkpoint, TrainerState};
use thermoflow::config::{Mode, RunConfig};
use thermoflow::durable;
use thermoflow::metrics::MetricsRow;
use thermoflow::protocol::{FleetReport, weights};
use thermoflow::rollout::Trajectory;
use thermoflow::scoring::ScoreInput;
use thermoflow::task::Task;
use thermoflow::trainer::{Skipped, StepReport, Trainer};
use thermoflow::units::PolicyVersion;

/// Where a run keeps batches that no step was taken on.
const SKIPPED: &str = "skipped";

/// Most of them that one life of a learner keeps: the first ones tell.
const SKIPPED_KEPT: usize = 10;

/// Trajectories for the training thread.
#[derive(Debug)]
pub enum ToTrainer {
    /// Sync mode: a whole round, by place.
    Round(u64, Vec<Trajectory>),
    /// Async mode: what was committed, first come first served.
    Batch(Vec<Trajectory>),
}

/// What the training thread says.
#[derive(Debug)]
pub enum FromTrainer {
    /// New weights, for all actors.
    Publish {
        /// Which.
        version: PolicyVersion,
        /// Share of training that is done, 0 to 1.
        progress: f32,
        /// As in [`weights`].
        data: Arc<Vec<u8>>,
    },
    /// Sync mode: a round begins; its weights were published before.
    StartRound(u64),
    /// A report was written down.
    Report(Box<MetricsRow>),
    /// A line of progress, as JSON.
    Progress(serde_json::Value),
}

/// Waits until everything that was received is committed; a checkpoint must not be ahead of the replay.
pub type Flush = Box<dyn Fn() -> anyhow::Result<()> + Send>;

/// What is known of the actors now, and of who else came, for reports.
pub type FleetNow = Box<dyn Fn() -> FleetReport + Send>;

/// Where training starts and whom it talks to.
pub struct Setup {
    /// The run's configuration.
    pub config: RunConfig,
    /// The task.
    pub task: Task,
    /// Where metrics, TensorBoard files and checkpoints go.
    pub run_dir: PathBuf,
    /// The trainer, restored if the run is resumed, with its data set filled.
    pub trainer: Trainer,
    /// Where it was when its weights were written; the default for a fresh run.
    pub state: TrainerState,
    /// Trajectories.
    pub inbox: Receiver<ToTrainer>,
    /// A message, or its sender's end, asks for a checkpoint and an early end.
    pub stop: Receiver<()>,
    /// Weights and progress.
    pub outbox: Sender<FromTrainer>,
    /// See [`Flush`].
    pub flush: Flush,
    /// See [`FleetNow`].
    pub fleet: FleetNow,
}

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All rounds are done.
    Complete,
    /// It was asked to stop.
    Stopped,
}

/// Trains until all rounds are done or it is asked to stop; the last checkpoint is written then.
///
/// # Errors
/// The device, a trajectory that does not fit, or the disk.
pub fn run(setup: Setup) -> anyhow::Result<End> {
    let mode = setup.config.train.mode;
    let mut training = Training::new(setup)?;
    let end = match mode {
        Mode::Sync => lockstep::run(&mut training)?,
        Mode::Async => free::run(&mut training)?,
        Mode::Offline => offline::run(&mut training)?,
    };
    training.finish(end)?;
    Ok(end)
}

/// What both modes share.
struct Training {
    config: RunConfig,
    task: Task,
    run_dir: PathBuf,
    trainer: Trainer,
    state: TrainerState,
    inbox: Receiver<ToTrainer>,
    stop: Receiver<()>,
    outbox: Sender<FromTrainer>,
    flush: Flush,
    recorder: Recorder,
    /// Round of the newest checkpoint.
    checkpointed: u64,
    skipped_kept: usize,
    started: Instant,
    seconds_before: f64,
}

impl Training {
    fn new(setup: Setup) -> anyhow::Result<Self> {
        let Setup {
            config,
            task,
            run_dir,
            trainer,
            state,
            inbox,
            stop,
            outbox,
            flush,
            fleet,
        } = setup;
        let recorder = Recorder::open(&run_dir, &state, task.modes.len(), fleet)?;
        let (checkpointed, seconds_before) = (state.round, state.seconds);
        let started = Instant::now();
        Ok(Self {
            config,
            task,
            run_dir,
            trainer,
            state,
            inbox,
            stop,
            outbox,
            flush,
            recorder,
            checkpointed,
            skipped_kept: 0,
            started,
            seconds_before,
        })
    }

    fn progress(&self) -> f32 {
        self.config.progress(self.state.round)
    }

    fn is_stopped(&self) -> bool {
        !matches!(self.stop.try_recv(), Err(crossbeam_channel::TryRecvError::Empty))
    }

    /// Waits for trajectories; None when asked to stop, or when there is nobody left who could send any.
    fn receive(&mut self) -> Option<ToTrainer> {
        let waiting = Instant::now();
        let received = crossbeam_channel::select_biased! {
            recv(self.stop) -> _ => None,
            recv(self.inbox) -> message => message.ok(),
        };
        self.recorder.waited_for_actors(waiting.elapsed());
        received
    }

    /// Hands the weights to the publisher as `version`. False when there is no publisher any more.
    fn publish(&mut self, version: PolicyVersion) -> bool {
        self.state.policy_version = version;
        let data = Arc::new(weights::to_bytes(self.trainer.parameters()));
        self.outbox
            .send(FromTrainer::Publish {
                version,
                progress: self.progress(),
                data,
            })
            .is_ok()
    }

    /// Online training.
    fn online(&mut self, trajectories: &[Trajectory]) -> anyhow::Result<StepReport> {
        let progress = self.progress();
        let report = self.trainer.train_online(trajectories, progress);
        self.keep_skipped()?;
        self.state.gradient_steps += self.config.train.steps as u64;
        Ok(report?)
    }

    /// Replayed training, if there are enough distinct x.
    fn replay(&mut self) -> anyhow::Result<Option<StepReport>> {
        let report = self.trainer.train_replay(self.state.replay_draws, self.progress());
        self.keep_skipped()?;
        let report = report?;
        self.state.replay_draws += 1;
        if report.is_some() {
            self.state.gradient_steps += self.config.train.steps as u64;
        }
        Ok(report)
    }

    /// Keeps a batch that could not be trained on for inspection: `thermoflow score` reads it.
    fn keep_skipped(&mut self) -> anyhow::Result<()> {
        let Some(Skipped {
            paths,
            betas,
            log_rewards,
        }) = self.trainer.take_skipped()
        else {
            return Ok(());
        };
        let file = self
            .run_dir
            .join(SKIPPED)
            .join(format!("{}.json", self.state.gradient_steps));
        tracing::warn!(round = self.state.round, batch = %file.display(), "a step was skipped: its loss or gradient is not finite");
        if self.skipped_kept == SKIPPED_KEPT {
            return Ok(());
        }
        self.skipped_kept += 1;
        let batch = ScoreInput::from_paths(&*self.task.env, &paths, &betas, &log_rewards);
        let bytes = serde_json::to_vec_pretty(&batch).expect("a batch is plain data");
        std::fs::create_dir_all(self.run_dir.join(SKIPPED))
            .and_then(|()| durable::replace(&file, &bytes))
            .with_context(|| format!("{} cannot be written", file.display()))
    }

    /// Counts a finished round; reports and writes a checkpoint when it is time.
    fn round_done(&mut self, online: StepReport, replay: Option<StepReport>) -> anyhow::Result<()> {
        self.state.round += 1;
        self.state.seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
        *self.state.counters.entry("skipped_steps".into()).or_default() +=
            online.skipped + replay.map_or(0, |r| r.skipped);
        self.recorder.steps(online, replay);
        let last = self.state.round == self.config.train.rounds;
        if last || self.state.round.is_multiple_of(self.config.learner.report_every) {
            let inbox_full = self.inbox.is_full();
            let row = self.recorder.report(&self.state, self.trainer.dataset(), inbox_full)?;
            // As below.
            let _ = self.outbox.send(FromTrainer::Report(Box::new(row)));
        }
        let replayed = self.state.replay_draws * self.config.replay.batch as u64;
        if self.recorder.is_time_for_a_line(self.state.trajectories + replayed) {
            let rounds = self.config.train.rounds;
            let line = self
                .recorder
                .line("progress", &self.state, rounds, self.trainer.dataset());
            // Nobody listens when the learner is being taken down; the checkpoint still matters.
            let _ = self.outbox.send(FromTrainer::Progress(line));
        }
        if self.state.round.is_multiple_of(self.config.learner.checkpoint_every) {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> anyhow::Result<PathBuf> {
        (self.flush)()?;
        let checkpoint = Checkpoint {
            task: self.task.name.clone(),
            policy: self.trainer.parameters().clone(),
            optimizer: self.trainer.optimizer().clone(),
            trainer: self.state.clone(),
        };
        let path = checkpoint.write(&self.run_dir)?;
        checkpoint::prune(&self.run_dir, self.config.learner.keep_checkpoints)?;
        self.checkpointed = self.state.round;
        tracing::debug!(round = self.state.round, path = %path.display(), "checkpoint written");
        Ok(path)
    }

    fn finish(&mut self, end: End) -> anyhow::Result<()> {
        let written = checkpoint::list(&self.run_dir)?.into_iter().next();
        let path = match written.filter(|_| self.checkpointed == self.state.round) {
            Some(path) => path,
            None => self.checkpoint()?,
        };
        let dataset = self.trainer.dataset();
        let mut line = self
            .recorder
            .line("finished", &self.state, self.config.train.rounds, dataset);
        line["complete"] = (end == End::Complete).into();
        line["checkpoint"] = path.display().to_string().into();
        let _ = self.outbox.send(FromTrainer::Progress(line));
        Ok(())
    }
}
