//! The learner's arithmetic: gradient steps on received and replayed trajectories. No network, no files, no clock.

use crate::config::{Replayed, RunConfig};
use crate::env::{Action, EnvError, States};
use crate::objective::{Loss, Objective, Settings, Terms};
use crate::optimizer::AdamState;
use crate::policy::{Backend, BackendError, Batch, Direction, GROUPS, Layout, Parameters, backend};
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
        backend.use_threads(config.learner.threads);
        Ok(Self {
            backend,
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
        if !report.loss.is_finite() || self.gradient.iter().any(|g| !g.is_finite()) {
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
mod tests {
    use super::*;
    use crate::units::PolicyVersion;

    /// A small run that replays its one object.
    fn config(change: impl FnOnce(&mut RunConfig)) -> RunConfig {
        let mut config = RunConfig::published("tfbind8").unwrap();
        (config.policy.hidden, config.policy.embed) = (16, 16);
        (config.replay.batch, config.replay.min_objects) = (4, 1);
        change(&mut config);
        config.check().unwrap();
        config
    }

    fn trajectory(actions: [Action; 8], beta: f32) -> Trajectory {
        Trajectory {
            beta,
            actions: actions.into(),
            y: 0.5,
            log_reward: 0.25,
            log_pf: -9.0,
            policy_version: PolicyVersion(0),
            round: 0,
            index: 0,
        }
    }

    fn replayed(config: &RunConfig, known: &[Trajectory]) -> f64 {
        let task = Task::load(&config.task).unwrap();
        let mut trainer = Trainer::new(config, &task).unwrap();
        trainer.remember(known).unwrap();
        trainer.train_replay(0, 0.0).unwrap().unwrap().loss
    }

    #[test]
    fn without_replay_nothing_is_trained_on_again() {
        let config = config(|config| config.replay.batch = 0);
        let task = Task::load(&config.task).unwrap();
        let mut trainer = Trainer::new(&config, &task).unwrap();
        // A step first: another on nothing would go on in its direction.
        let known = [trajectory([0; 8], 1.0)];
        trainer.remember(&known).unwrap();
        trainer.train_online(&known, 0.0).unwrap();
        let before = trainer.parameters().values.clone();
        assert_eq!(trainer.train_replay(0, 0.0).unwrap(), None);
        assert_eq!(trainer.parameters().values, before);
    }

    fn online(config: &RunConfig, trajectory: &Trajectory) -> f64 {
        let task = Task::load(&config.task).unwrap();
        let mut trainer = Trainer::new(config, &task).unwrap();
        trainer
            .train_online(std::slice::from_ref(trajectory), 0.0)
            .unwrap()
            .loss
    }

    #[test]
    fn stored_replay_repeats_the_first_trajectory_to_an_object_at_its_beta() {
        // Two ways to ACGTACGT: letter by letter, and with the first letter last.
        let first = trajectory([0, 1, 2, 3, 0, 1, 2, 3], 2.5);
        let second = trajectory([1, 2, 3, 0, 1, 2, 3, 4], 1.5);
        let known = [first.clone(), second.clone()];
        let stored = config(|c| (c.replay.trajectories, c.replay.relabel) = (Replayed::Stored, false));
        let close = |a: f64, b: f64| (a - b).abs() < 1e-4 * b.abs();
        assert!(close(replayed(&stored, &known), online(&stored, &first)));
        assert!(!close(replayed(&stored, &known), online(&stored, &second)));
        let relabelled = config(|c| c.replay.trajectories = Replayed::Stored);
        assert!(
            !close(replayed(&relabelled, &known), online(&stored, &first)),
            "a new β"
        );
        let constant = crate::beta::BetaDistribution::Constant { value: 1.5 };
        let relabelled = config(|c| (c.replay.trajectories, c.train.beta) = (Replayed::Stored, constant));
        let at_new_beta = trajectory([0, 1, 2, 3, 0, 1, 2, 3], 1.5);
        assert!(close(replayed(&relabelled, &known), online(&stored, &at_new_beta)));
    }

    /// Invariant: what is not finite never reaches the weights; the batch is there to look into, and it does not go on for ever.
    #[test]
    fn steps_that_are_not_finite_change_nothing_and_end_training_in_the_end() {
        let config = config(|c| (c.optimizer.policy_lr, c.learner.max_skipped, c.train.steps) = (1e30, 3, 2));
        let task = Task::load(&config.task).unwrap();
        let mut trainer = Trainer::new(&config, &task).unwrap();
        let batch = [trajectory([0, 1, 2, 3, 0, 1, 2, 3], 2.5)];
        // The first step is fine, and leads to where nothing is.
        let report = trainer.train_online(&batch, 0.0).unwrap();
        assert_eq!(report.skipped, 1);
        let weights = trainer.parameters().values.clone();
        assert!(weights.iter().all(|value| value.is_finite()));
        let skipped = trainer.take_skipped().unwrap();
        assert_eq!((skipped.paths.len(), &skipped.betas[..]), (1, &[2.5][..]));

        let error = trainer.train_online(&batch, 0.0).unwrap_err();
        assert!(matches!(error, TrainError::Diverged { steps: 3 }), "{error}");
        assert_eq!(trainer.parameters().values, weights);
        assert!(trainer.take_skipped().is_some());
    }

    #[test]
    fn a_cosine_of_learning_rates_ends_at_its_share() {
        let config = config(|c| c.optimizer.final_lr = 0.2);
        for (progress, factor) in [(0.0, 1.0), (0.5, 0.6), (1.0, 0.2)] {
            assert!((config.lr_factor(progress) - factor).abs() < 1e-6);
        }
        assert_eq!(
            super::tests::config(|_| {}).lr_factor(0.7),
            1.0,
            "constant as published"
        );
    }
}
