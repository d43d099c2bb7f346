//! The learner's arithmetic: gradient steps on received and replayed trajectories. No network, no files, no clock.

use crate::config::RunConfig;
use crate::env::{EnvError, States};
use crate::objective::{Balance, trajectory_balance};
use crate::optimizer::AdamState;
use crate::policy::{Backend, BackendError, Batch, Direction, Layout, Parameters, backend};
use crate::random::{Purpose, Stream};
use crate::replay::Dataset;
use crate::rollout::{Paths, Trajectory, Walker};
use crate::task::Task;

/// Why training failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device failed.
    #[error("a gradient step failed")]
    Backend(#[from] BackendError),
    /// A trajectory does not fit the task.
    #[error("a trajectory does not fit the task")]
    Trajectory(#[from] EnvError),
}

/// What the last of K gradient steps did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepReport {
    /// Mean TB loss before the step, nats².
    pub loss: f64,
    /// Gradient norms before clipping: forward, backward, log Z.
    pub gradient_norms: [f64; 3],
    /// Steps of the K that were skipped because their loss or gradient was not finite.
    pub skipped: u64,
}

/// Policy, optimiser and the distinct x to replay.
pub struct Trainer {
    config: RunConfig,
    task: Task,
    parameters: Parameters,
    optimizer: AdamState,
    gradient: Vec<f32>,
    backend: Box<dyn Backend>,
    backward_walker: Walker,
    dataset: Dataset,
}

impl Trainer {
    /// A fresh trainer on the learner's device, with initial weights from the run's seed.
    ///
    /// # Errors
    /// When the device is not available.
    pub fn new(config: &RunConfig, task: &Task) -> Result<Self, BackendError> {
        let layout = Layout::new(&config.policy, task.env.feature_count());
        let parameters = Parameters::initial(layout, config.seed);
        Ok(Self {
            backend: backend(&config.learner.device, task.env.clone(), &parameters)?,
            backward_walker: Walker::new(task.env.clone(), &config.policy, Direction::Backward),
            dataset: Dataset::new(task.env.state_width(), &config.replay, task.modes.clone()),
            optimizer: AdamState::new(parameters.values.len()),
            gradient: vec![0.0; parameters.values.len()],
            parameters,
            config: config.clone(),
            task: task.clone(),
        })
    }

    /// K gradient steps on trajectories at the β they were sampled at (online).
    ///
    /// # Errors
    /// When the device fails or a trajectory does not fit the task.
    pub fn train_online(&mut self, trajectories: &[Trajectory]) -> Result<StepReport, TrainError> {
        let actions = trajectories.iter().map(|t| &t.actions[..]);
        let betas: Vec<f32> = trajectories.iter().map(|t| t.beta).collect();
        let log_rewards: Vec<f32> = trajectories.iter().map(|t| t.log_reward).collect();
        let paths = Paths::from_actions(&*self.task.env, actions)?;
        self.train_on(&paths, &betas, &log_rewards)
    }

    /// K gradient steps on replayed x: PRT, β from P_train, a trajectory sampled backward from each x with P_B.
    /// `draw` numbers the replay batch (sync mode: the round) and names its random streams; `progress` is the share of
    /// training that is done. None while there are too few x, or with replayed training off.
    ///
    /// # Errors
    /// When the device fails.
    pub fn train_replay(&mut self, draw: u64, progress: f32) -> Result<Option<StepReport>, TrainError> {
        let n = self.config.replay.batch;
        // One stream chooses the x, the others belong to one replayed x each.
        let mut choice = Stream::new(self.config.seed, Purpose::Replay, draw, u64::MAX);
        let Some(ids) = self.dataset.draw(n, &mut choice) else {
            return Ok(None);
        };
        let stream = |index| Stream::new(self.config.seed, Purpose::Replay, draw, index);
        let mut streams: Vec<Stream> = (0..n as u64).map(stream).collect();
        let betas: Vec<f32> = streams
            .iter_mut()
            .map(|s| self.config.train.beta.draw(progress, s))
            .collect();
        let mut objects = States::new(self.task.env.state_width());
        let mut log_rewards = Vec::with_capacity(n);
        for id in ids {
            let object = self.dataset.object(id);
            objects.push(object.state);
            log_rewards.push(object.log_reward);
        }
        self.backward_walker.forget();
        let walks = self
            .backward_walker
            .walk(&mut *self.backend, &objects, &betas, 0.0, &mut streams)?;
        let paths = Paths::from_actions(&*self.task.env, walks.iter().map(|w| &w.actions[..]))?;
        self.train_on(&paths, &betas, &log_rewards).map(Some)
    }

    fn train_on(&mut self, paths: &Paths, betas: &[f32], log_rewards: &[f32]) -> Result<StepReport, TrainError> {
        let batch = Batch::new(&*self.task.env, self.config.policy.conditioning, paths, betas);
        let mut report = StepReport::default();
        for _ in 0..self.config.train.steps {
            self.step(&batch, log_rewards, &mut report)?;
        }
        Ok(report)
    }

    /// One gradient step; a loss or gradient that is not finite leaves weights and optimiser as they are.
    fn step(&mut self, batch: &Batch, log_rewards: &[f32], report: &mut StepReport) -> Result<(), TrainError> {
        self.gradient.fill(0.0);
        report.loss = loss_and_gradient(&mut *self.backend, batch, log_rewards, &mut self.gradient)?.loss;
        if !report.loss.is_finite() || self.gradient.iter().any(|g| !g.is_finite()) {
            report.skipped += 1;
            return Ok(());
        }
        let parameters = &mut self.parameters;
        report.gradient_norms = self
            .optimizer
            .step(&self.config.optimizer, parameters, &mut self.gradient);
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
            self.dataset.insert(&object, trajectory.y, trajectory.log_reward);
        }
        Ok(())
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

/// The TB loss of a batch with its parts; adds its gradient to `gradient` (`[layout.len()]`).
///
/// # Errors
/// When the device fails.
pub fn loss_and_gradient(
    backend: &mut dyn Backend,
    batch: &Batch,
    log_rewards: &[f32],
    gradient: &mut [f32],
) -> Result<Balance, BackendError> {
    let log_probs = backend.forward(batch)?;
    let balance = trajectory_balance(batch, &log_probs, log_rewards);
    backend.backward(batch, &balance.gradient, gradient)?;
    Ok(balance)
}
