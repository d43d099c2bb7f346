//! What an actor runs: forward roll-outs of a policy version at drawn β, scored.

use super::{Trajectory, Walker};
use crate::config::RunConfig;
use crate::env::States;
use crate::policy::{Backend, BackendError, Direction, Layout, Parameters, backend};
use crate::random::{Purpose, Stream};
use crate::task::{ScoreError, Task};
use crate::units::PolicyVersion;
use std::sync::Arc;

/// A roll-out to do: trajectories `indices` of `round`.
#[derive(Debug, Clone, PartialEq)]
pub struct RollRequest {
    /// Names the random streams (seed, Explore, round, index).
    pub round: u64,
    /// Places in the round.
    pub indices: std::ops::Range<u32>,
    /// Share of training that is done, 0 to 1, for annealed β.
    pub progress: f32,
}

/// Why a roll-out failed.
#[derive(Debug, thiserror::Error)]
pub enum RollError {
    /// The device failed.
    #[error("rolling out failed")]
    Backend(#[from] BackendError),
    /// The oracle failed.
    #[error("scoring failed")]
    Score(#[from] ScoreError),
}

/// Rolls out trajectories with the newest weights it was given.
pub struct Roller {
    config: RunConfig,
    task: Task,
    seed: u64,
    backend: Box<dyn Backend>,
    walker: Walker,
    version: Option<PolicyVersion>,
}

impl Roller {
    /// A roller for a run on the actor's device. `seed` names the random streams: the run's own in sync mode; async
    /// actors mix in their incarnation so that no two draw the same.
    ///
    /// # Errors
    /// When the device is not available.
    pub fn new(config: &RunConfig, task: &Task, seed: u64) -> Result<Self, BackendError> {
        let layout = Layout::new(&config.policy, task.env.feature_count());
        let zeros = Parameters {
            values: vec![0.0; layout.len()],
            layout,
        };
        Ok(Self {
            backend: backend(&config.actor.device, task.env.clone(), &zeros)?,
            walker: Walker::new(task.env.clone(), &config.policy, Direction::Forward),
            config: config.clone(),
            task: task.clone(),
            seed,
            version: None,
        })
    }

    /// Names and shapes of the weights that [`Self::load`] takes.
    pub fn layout(&self) -> Arc<Layout> {
        Layout::new(&self.config.policy, self.task.env.feature_count())
    }

    /// Uses these weights from now on; only the forward policy matters.
    ///
    /// # Errors
    /// When the device fails.
    pub fn load(&mut self, version: PolicyVersion, parameters: &Parameters) -> Result<(), BackendError> {
        self.backend.load(parameters)?;
        self.walker.forget();
        self.version = Some(version);
        Ok(())
    }

    /// Version in use, if any.
    pub fn version(&self) -> Option<PolicyVersion> {
        self.version
    }

    /// Rolls out and scores trajectories, in the order of their indices.
    ///
    /// # Errors
    /// When the device or the oracle fails.
    ///
    /// # Panics
    /// Before weights were loaded.
    pub fn roll(&mut self, request: &RollRequest) -> Result<Vec<Trajectory>, RollError> {
        let policy_version = self.version.expect("weights come before work");
        let stream = |index| Stream::new(self.seed, Purpose::Explore, request.round, u64::from(index));
        let mut streams: Vec<Stream> = request.indices.clone().map(stream).collect();
        let explore = &self.config.train.explore;
        let betas: Vec<f32> = streams
            .iter_mut()
            .map(|stream| explore.draw(request.progress, stream))
            .collect();
        let env = &*self.task.env;
        let mut starts = States::new(env.state_width());
        starts.extend(betas.iter().map(|_| env.initial()));
        let walks = self.walker.walk(
            &mut *self.backend,
            &starts,
            &betas,
            self.config.train.epsilon,
            &mut streams,
        )?;

        let mut objects = States::new(env.state_width());
        for walk in &walks {
            objects.push(&env.object_of(&walk.actions).expect("a walk ends with an object"));
        }
        let scores = self.task.scorer.score(&objects)?;
        let trajectories = walks.into_iter().zip(betas).zip(scores).zip(request.indices.clone());
        let trajectories = trajectories.map(|(((walk, beta), y), index)| Trajectory {
            beta,
            actions: walk.actions,
            y,
            log_reward: self.task.reward.log_reward(y),
            log_pf: walk.log_p,
            policy_version,
            round: request.round,
            index,
        });
        Ok(trajectories.collect())
    }
}
