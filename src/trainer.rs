//! The learner's arithmetic: gradient steps on received and replayed trajectories. No network, no files, no clock.

use crate::config::{Replayed, RunConfig};
use crate::env::{Action, EnvError, States};
use crate::objective::{Loss, Objective, Settings, Terms};
use crate::optimizer::AdamState;
use crate::policy::{Backend, BackendError, Batch, Direction, GROUPS, Layout, Parameters, backend};
use crate::random::{Purpose, Stream};
use crate::replay::Dataset;
use crate::rollout::{Paths, Trajectory, Walker};
use crate::spread;
use crate::task::Task;
use rayon::ThreadPool;
use std::sync::Arc;

/// Why training failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device failed.
    #[error("a gradient step failed")]
    Backend(#[from] BackendError),
    /// A trajectory does not fit the task.
    #[error("a trajectory does not fit the task")]
    Trajectory(#[from] EnvError),
    /// Training has come apart.
    #[error(
        "the loss or its gradient was not finite in {steps} gradient steps in a row (learner.max_skipped); the weights are \
         those from before: a smaller optimizer.policy_lr or clip_norm, or a narrower range of β, may help"
    )]
    Diverged {
        /// How many steps were skipped.
        steps: u64,
    },
}

/// What the last of K gradient steps did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepReport {
    /// Mean loss before the step, nats².
    pub loss: f64,
    /// Gradient norms before clipping, in the order of `Group::ALL`.
    pub gradient_norms: [f64; GROUPS],
    /// Steps of the K that were skipped because their loss or gradient was not finite.
    pub skipped: u64,
}

/// A batch that no step was taken on, because its loss or gradient was not finite. For people to look into.
#[derive(Debug, Clone)]
pub struct Skipped {
    /// Its trajectories.
    pub paths: Paths,
    /// β of each.
    pub betas: Vec<f32>,
    /// log R of each, nats.
    pub log_rewards: Vec<f32>,
}

/// Policy, optimiser and the distinct x to replay.
pub struct Trainer {
    config: RunConfig,
    task: Task,
    parameters: Parameters,
    optimizer: AdamState,
    gradient: Vec<f32>,
    backend: Box<dyn Backend>,
    /// None for the calling thread alone.
    threads: Option<Arc<ThreadPool>>,
    backward_walker: Walker,
    dataset: Dataset,
    /// Of each object of the data set by number, where replayed training asks for them.
    origins: Vec<Origin>,
    /// Steps skipped since the last that was taken.
    skipped_in_a_row: u64,
    skipped: Option<Skipped>,
}

/// How an object was found first.
#[derive(Debug, Clone)]
struct Origin {
    beta: f32,
    actions: Box<[Action]>,
}

impl Trainer {
    /// A fresh trainer on the learner's device, with initial weights from the run's seed.
    ///
    /// # Errors
    /// When the device is not available.
    pub fn new(config: &RunConfig, task: &Task) -> Result<Self, BackendError> {
        let zeros = Parameters::zeros(Layout::new(&config.policy, task.env.sizes()));
        let backend = backend(&config.learner.device, task.env.clone(), &zeros)?;
        Self::with(backend, config, task)
    }

    /// As [`Self::new`], with a backend for the run's policy.
    ///
    /// # Errors
    /// When the device fails.
    pub fn with(mut backend: Box<dyn Backend>, config: &RunConfig, task: &Task) -> Result<Self, BackendError> {
        let layout = Layout::new(&config.policy, task.env.sizes());
        let parameters = Parameters::initial(layout, config.seed);
        backend.load(&parameters)?;
        Ok(Self {
            backend,
            threads: spread::threads(config.learner.threads),
            backward_walker: Walker::new(task.env.clone(), &config.policy, Direction::Backward),
            dataset: Dataset::new(task.env.state_width(), &config.replay, task.modes.clone()),
            optimizer: AdamState::new(parameters.values.len()),
            gradient: vec![0.0; parameters.values.len()],
            parameters,
            origins: Vec::new(),
            skipped_in_a_row: 0,
            skipped: None,
            config: config.clone(),
            task: task.clone(),
        })
    }

    /// K gradient steps on trajectories at the β they were sampled at (online). `progress` is the share of training that
    /// is done.
    ///
    /// # Errors
    /// When the device fails or a trajectory does not fit the task.
    pub fn train_online(&mut self, trajectories: &[Trajectory], progress: f32) -> Result<StepReport, TrainError> {
        self.with_threads(|this| this.online(trajectories, progress))
    }

    fn online(&mut self, trajectories: &[Trajectory], progress: f32) -> Result<StepReport, TrainError> {
        let actions = trajectories.iter().map(|t| &t.actions[..]);
        let betas: Vec<f32> = trajectories.iter().map(|t| t.beta).collect();
        let log_rewards: Vec<f32> = trajectories.iter().map(|t| t.log_reward).collect();
        let paths = Paths::from_actions(&*self.task.env, actions)?;
        self.train_on(&paths, (&betas, &log_rewards), progress)
    }

    /// K gradient steps on replayed x: PRT, β from P_train, a trajectory sampled backward from each x with P_B.
    /// `draw` numbers the replay batch (sync mode: the round) and names its random streams; `progress` is the share of
    /// training that is done. None while there are too few x, or with replayed training off.
    ///
    /// # Errors
    /// When the device fails.
    pub fn train_replay(&mut self, draw: u64, progress: f32) -> Result<Option<StepReport>, TrainError> {
        self.with_threads(|this| this.replay(draw, progress))
    }

    /// Does it with all threads.
    fn with_threads<T: Send>(&mut self, work: impl FnOnce(&mut Self) -> T + Send) -> T {
        match self.threads.clone() {
            Some(threads) => threads.install(|| work(self)),
            None => work(self),
        }
    }

    fn replay(&mut self, draw: u64, progress: f32) -> Result<Option<StepReport>, TrainError> {
        let n = self.config.replay.batch;
        if n == 0 {
            return Ok(None);
        }
        // One stream chooses the x, the others belong to one replayed x each.
        let mut choice = Stream::new(self.config.seed, Purpose::Replay, draw, u64::MAX);
        let Some(ids) = self.dataset.draw(n, &mut choice) else {
            return Ok(None);
        };
        let seed = self.config.seed;
        let stream = |index| Stream::new(seed, Purpose::Replay, draw, index);
        let train = &self.config.train;
        let (mut betas, mut streams) = train.beta.draw_for(progress, train.beta_group, 0..n as u64, stream);
        let mut objects = States::new(self.task.env.state_width());
        let mut log_rewards = Vec::with_capacity(n);
        for &id in &ids {
            let object = self.dataset.object(id);
            objects.push(object.state);
            log_rewards.push(object.log_reward);
        }
        let origins = ids.iter().filter_map(|id| self.origins.get(id.0 as usize));
        if !self.config.replay.relabel {
            betas = origins.clone().map(|origin| origin.beta).collect();
        }
        let env = &*self.task.env;
        let paths = match self.config.replay.trajectories {
            Replayed::Stored => Paths::from_actions(env, origins.map(|origin| &origin.actions[..]))?,
            Replayed::Backward => {
                self.backward_walker.forget();
                let walks = self
                    .backward_walker
                    .walk(&mut *self.backend, &objects, &betas, 0.0, &mut streams)?;
                Paths::from_actions(env, walks.iter().map(|walk| &walk.actions[..]))?
            }
        };
        self.train_on(&paths, (&betas, &log_rewards), progress).map(Some)
    }

    fn train_on(
        &mut self,
        paths: &Paths,
        (betas, log_rewards): (&[f32], &[f32]),
        progress: f32,
    ) -> Result<StepReport, TrainError> {
        let batch = Batch::new(&*self.task.env, &self.config.policy, paths, betas);
        let mut report = StepReport::default();
        for _ in 0..self.config.train.steps {
            self.step(&batch, log_rewards, progress, &mut report)?;
        }
        if report.skipped > 0 && self.skipped.is_none() {
            self.skipped = Some(Skipped {
                paths: paths.clone(),
                betas: betas.to_vec(),
                log_rewards: log_rewards.to_vec(),
            });
        }
        if self.skipped_in_a_row >= self.config.learner.max_skipped {
            return Err(TrainError::Diverged {
                steps: self.skipped_in_a_row,
            });
        }
        Ok(report)
    }

    /// The first batch that was skipped since this was last asked.
    pub fn take_skipped(&mut self) -> Option<Skipped> {
        self.skipped.take()
    }

    /// One gradient step; a loss or gradient that is not finite leaves weights and optimiser as they are.
    fn step(
        &mut self,
        batch: &Batch,
        log_rewards: &[f32],
        progress: f32,
        report: &mut StepReport,
    ) -> Result<(), TrainError> {
        self.gradient.fill(0.0);
        let objective = (self.config.train.objective, &self.config.settings());
        report.loss = loss_and_gradient(&mut *self.backend, batch, log_rewards, objective, &mut self.gradient)?.loss;
        if !report.loss.is_finite() || !are_finite(&self.gradient) {
            report.skipped += 1;
            self.skipped_in_a_row += 1;
            return Ok(());
        }
        self.skipped_in_a_row = 0;
        let lr_factor = self.config.lr_factor(progress);
        report.gradient_norms = self.optimizer.step(
            &self.config.optimizer,
            lr_factor,
            &mut self.parameters,
            &mut self.gradient,
        );
        self.backend.load(&self.parameters)?;
        Ok(())
    }

    /// Adds the objects of trajectories to the data set of distinct x.
    ///
    /// # Errors
    /// When a trajectory does not fit the task.
    pub fn remember(&mut self, trajectories: &[Trajectory]) -> Result<(), TrainError> {
        for trajectory in trajectories {
            let object = self.task.env.object_of(&trajectory.actions)?;
            let is_new = self.dataset.insert(&object, trajectory.y, trajectory.log_reward);
            if is_new && (self.config.replay.trajectories == Replayed::Stored || !self.config.replay.relabel) {
                self.origins.push(Origin {
                    beta: trajectory.beta,
                    actions: trajectory.actions[..].into(),
                });
            }
        }
        Ok(())
    }

    /// Adds given objects with their raw scores to the data set (offline mode).
    pub fn remember_objects(&mut self, objects: &States, scores: &[f32]) {
        for (object, &y) in objects.iter().zip(scores) {
            self.dataset.insert(object, y, self.task.reward.log_reward(y));
        }
    }

    /// The distinct x so far.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Weights as they are.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Optimiser state as it is.
    pub fn optimizer(&self) -> &AdamState {
        &self.optimizer
    }

    /// Replaces weights and optimiser state (resume). The data set is refilled with [`Self::remember`].
    ///
    /// # Errors
    /// When the device fails.
    pub fn restore(&mut self, parameters: Parameters, optimizer: AdamState) -> Result<(), BackendError> {
        self.parameters = parameters;
        self.optimizer = optimizer;
        self.backend.load(&self.parameters)
    }
}

/// Whether all are; without a way out between numbers, so that many are looked at at once.
fn are_finite(values: &[f32]) -> bool {
    let run = |run: &[f32]| run.iter().fold(true, |all, value| all & value.is_finite());
    values.chunks(1024).all(run)
}

/// The loss of a batch; adds its gradient to `gradient` (`[layout.len()]`).
///
/// # Errors
/// When the device fails.
pub fn loss_and_gradient(
    backend: &mut dyn Backend,
    batch: &Batch,
    log_rewards: &[f32],
    (objective, settings): (Objective, &Settings),
    gradient: &mut [f32],
) -> Result<Loss, BackendError> {
    let log_probs = backend.forward(batch)?;
    let loss = objective.loss(&Terms::new(batch, &log_probs, log_rewards), settings);
    backend.backward(batch, &loss.gradient, gradient)?;
    Ok(loss)
}

#[cfg(test)]
mod tests;
