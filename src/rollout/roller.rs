//! What an actor runs: forward roll-outs of a policy version at drawn β, scored.

use super::Trajectory;
use crate::config::RunConfig;
use crate::policy::{BackendError, Parameters};
use crate::task::{ScoreError, Task};
use crate::units::PolicyVersion;

/// A roll-out to do: trajectories `indices` of `round`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollRequest {
    /// Names the random streams (seed, Explore, round, index).
    pub round: u64,
    /// Places in the round.
    pub indices: std::ops::Range<u32>,
    /// Weights to use; must be loaded.
    pub version: PolicyVersion,
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
    _private: (),
}

impl Roller {
    /// A roller for a run. `seed` replaces the run's seed for the random streams (async actors mix in their
    /// incarnation so that no two draw the same).
    ///
    /// # Errors
    /// When the device is not available.
    pub fn new(_config: &RunConfig, _task: &Task, _seed: u64) -> Result<Self, BackendError> {
        todo!()
    }

    /// Uses these weights from now on.
    pub fn load(&mut self, _version: PolicyVersion, _parameters: Parameters) {
        todo!()
    }

    /// Version in use, if any.
    pub fn version(&self) -> Option<PolicyVersion> {
        todo!()
    }

    /// Rolls out and scores trajectories.
    ///
    /// # Errors
    /// When the device or the oracle fails.
    pub fn roll(&mut self, _request: &RollRequest) -> Result<Vec<Trajectory>, RollError> {
        todo!()
    }
}
