//! What an actor runs: forward roll-outs of a policy version at drawn β, scored.

use super::{Trajectory, Walk, Walker};
use crate::config::RunConfig;
use crate::env::States;
use crate::policy::{Backend, BackendError, Direction, Layout, Parameters, backend};
use crate::random::{Purpose, Stream};
use crate::task::oracle::OracleHealth;
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
    /// The oracle gives no scores.
    #[error(
        "{unscored} objects could not be scored, nor could those rolled out in their place, {attempts} times in a row"
    )]
    Unscored {
        /// How many places are without a score.
        unscored: usize,
        /// How often they were rolled out.
        attempts: u64,
    },
}

/// How often a trajectory whose object cannot be scored is rolled out anew before the actor gives up.
const ATTEMPTS: u64 = 16;

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
        let zeros = Parameters::zeros(Layout::new(&config.policy, task.env.sizes()));
        let backend = backend(&config.actor.device, task.env.clone(), &zeros)?;
        Ok(Self::with(backend, config, task, seed))
    }

    /// As [`Self::new`], with a backend for the run's policy.
    pub fn with(backend: Box<dyn Backend>, config: &RunConfig, task: &Task, seed: u64) -> Self {
        Self {
            backend,
            walker: Walker::new(task.env.clone(), &config.policy, Direction::Forward),
            config: config.clone(),
            task: task.clone(),
            seed,
            version: None,
        }
    }

    /// Names and shapes of the weights that [`Self::load`] takes.
    pub fn layout(&self) -> Arc<Layout> {
        Layout::new(&self.config.policy, self.task.env.sizes())
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

    /// How the task's oracle is doing.
    pub fn oracle_health(&self) -> OracleHealth {
        self.task.scorer.health()
    }

    /// Version in use, if any.
    pub fn version(&self) -> Option<PolicyVersion> {
        self.version
    }

    /// Rolls out and scores trajectories, in the order of their indices. A trajectory whose object could not be scored is
    /// rolled out anew at its β, so that a round is always complete and nothing without a score reaches training.
    ///
    /// # Errors
    /// When the device or the oracle fails, or gives no scores again and again.
    ///
    /// # Panics
    /// Before weights were loaded.
    pub fn roll(&mut self, request: &RollRequest) -> Result<Vec<Trajectory>, RollError> {
        let policy_version = self.version.expect("weights come before work");
        let train = &self.config.train;
        let indices = u64::from(request.indices.start)..u64::from(request.indices.end);
        let (seed, round) = (self.seed, request.round);
        let stream = |index| Stream::new(seed, Purpose::Explore, round, index);
        let (betas, mut streams) = train
            .explore
            .draw_for(request.progress, train.beta_group, indices.clone(), stream);
        let mut rolled: Vec<Option<Rolled>> = vec![None; betas.len()];
        for attempt in 1..=ATTEMPTS {
            let missing: Vec<usize> = (0..rolled.len()).filter(|&place| rolled[place].is_none()).collect();
            let wanted: Vec<f32> = missing.iter().map(|&place| betas[place]).collect();
            for (place, found) in missing.iter().zip(self.walk_and_score(&wanted, &mut streams)?) {
                rolled[*place] = Some(found).filter(|found| found.y.is_finite());
            }
            let again = (0..rolled.len()).filter(|&place| rolled[place].is_none());
            // An index takes 32 bits; what lies above names the attempt.
            streams = again
                .map(|place| stream((indices.start + place as u64) | attempt << 32))
                .collect();
            if streams.is_empty() {
                break;
            }
        }
        let unscored = rolled.iter().filter(|rolled| rolled.is_none()).count();
        if unscored > 0 {
            return Err(RollError::Unscored {
                unscored,
                attempts: ATTEMPTS,
            });
        }
        let trajectories = rolled.into_iter().flatten().zip(betas).zip(request.indices.clone());
        let trajectories = trajectories.map(|((rolled, beta), index)| Trajectory {
            beta,
            actions: rolled.walk.actions,
            y: rolled.y,
            log_reward: self.task.reward.log_reward(rolled.y),
            log_pf: rolled.walk.log_p,
            policy_version,
            round,
            index,
        });
        Ok(trajectories.collect())
    }

    /// One walk from the initial state per β, with its raw score.
    fn walk_and_score(&mut self, betas: &[f32], streams: &mut [Stream]) -> Result<Vec<Rolled>, RollError> {
        let env = &*self.task.env;
        let mut starts = States::new(env.state_width());
        starts.extend(betas.iter().map(|_| env.initial()));
        let epsilon = self.config.train.epsilon;
        let walks = self.walker.walk(&mut *self.backend, &starts, betas, epsilon, streams)?;
        let mut objects = States::new(env.state_width());
        for walk in &walks {
            objects.push(&env.object_of(&walk.actions).expect("a walk ends with an object"));
        }
        let scores = self.task.scorer.score(&objects)?;
        Ok(walks
            .into_iter()
            .zip(scores)
            .map(|(walk, y)| Rolled { walk, y })
            .collect())
    }
}

/// A walk and its raw score, NaN when there is none.
#[derive(Debug, Clone)]
struct Rolled {
    walk: Walk,
    y: f32,
}
