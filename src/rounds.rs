//! Whole rounds in one process (METHOD.md, One online round): what `bench round` times and what distributed sync runs
//! must reproduce.

use crate::config::RunConfig;
use crate::policy::{BackendError, Layout, Parameters, shared};
use crate::rollout::{RollError, RollRequest, Roller, Trajectory};
use crate::task::Task;
use crate::trainer::{StepReport, TrainError, Trainer};
use crate::units::PolicyVersion;

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// Rolling out.
    #[error(transparent)]
    Roll(#[from] RollError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The device.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundReport {
    /// Training on what was rolled out.
    pub online: StepReport,
    /// Replayed training, if there was any.
    pub replay: Option<StepReport>,
}

/// A roller and a trainer taking turns.
pub struct Rounds {
    config: RunConfig,
    /// Rolls out.
    pub roller: Roller,
    /// Trains.
    pub trainer: Trainer,
    round: u64,
}

impl Rounds {
    /// A fresh run. On the CPU roller and trainer share what they compute with the same weights.
    ///
    /// # Errors
    /// When a device is not available.
    pub fn new(config: &RunConfig, task: &Task) -> Result<Self, BackendError> {
        if [&config.actor.device, &config.learner.device]
            .iter()
            .any(|device| *device != "cpu")
        {
            return Self::apart(config, task);
        }
        let zeros = Parameters::zeros(Layout::new(&config.policy, task.env.sizes()));
        let [rolls, trains] = shared(task.env.clone(), &zeros);
        let roller = Roller::with(rolls, config, task, config.seed);
        Ok(Self::of(config, roller, Trainer::with(trains, config, task)?))
    }

    /// As [`Self::new`], where roller and trainer have nothing in common, as in a run of several processes.
    ///
    /// # Errors
    /// When a device is not available.
    pub fn apart(config: &RunConfig, task: &Task) -> Result<Self, BackendError> {
        let roller = Roller::new(config, task, config.seed)?;
        Ok(Self::of(config, roller, Trainer::new(config, task)?))
    }

    fn of(config: &RunConfig, roller: Roller, trainer: Trainer) -> Self {
        Self {
            roller,
            trainer,
            config: config.clone(),
            round: 0,
        }
    }

    /// Rolls out the trajectories of the next round with the newest weights.
    ///
    /// # Errors
    /// When the device or the oracle fails.
    pub fn roll(&mut self) -> Result<Vec<Trajectory>, RoundError> {
        self.roller.load(PolicyVersion(self.round), self.trainer.parameters())?;
        let indices = 0..self.config.train.batch as u32;
        let progress = self.config.progress(self.round);
        Ok(self.roller.roll(&RollRequest {
            round: self.round,
            indices,
            progress,
        })?)
    }

    /// Does the next round.
    ///
    /// # Errors
    /// When the device or the oracle fails.
    pub fn round(&mut self) -> Result<RoundReport, RoundError> {
        let trajectories = self.roll()?;
        let progress = self.config.progress(self.round);
        let online = self.trainer.train_online(&trajectories, progress)?;
        self.trainer.remember(&trajectories)?;
        let replay = self.trainer.train_replay(self.round, progress)?;
        self.round += 1;
        Ok(RoundReport { online, replay })
    }
}
