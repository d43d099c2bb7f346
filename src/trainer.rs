//! The learner's arithmetic: gradient steps on received and replayed trajectories. No network, no files, no clock.

use crate::config::RunConfig;
use crate::optimizer::AdamState;
use crate::policy::{BackendError, Parameters};
use crate::rollout::Trajectory;
use crate::task::Task;

/// What a gradient step did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepReport {
    /// Mean TB loss before the step, nats².
    pub loss: f64,
    /// Gradient norms before clipping: forward, backward, log Z.
    pub gradient_norms: [f64; 3],
}

/// Policy, optimiser and the distinct x to replay.
pub struct Trainer {
    _private: (),
}

impl Trainer {
    /// A fresh trainer with initial weights from the run's seed.
    ///
    /// # Errors
    /// When the device is not available.
    pub fn new(_config: &RunConfig, _task: &Task) -> Result<Self, BackendError> {
        todo!()
    }

    /// K gradient steps on trajectories as they were sampled (online). Returns the last step's report.
    ///
    /// # Errors
    /// When the device fails.
    pub fn train_online(&mut self, _trajectories: &[Trajectory]) -> Result<StepReport, BackendError> {
        todo!()
    }

    /// K gradient steps on a batch of replayed x (PRT, β from P_train, backward-sampled). `draw` numbers the replay
    /// batch (sync mode: the round) and names its random streams. None while there are fewer than `min_objects` x.
    ///
    /// # Errors
    /// When the device fails.
    pub fn train_replay(&mut self, _draw: u64) -> Result<Option<StepReport>, BackendError> {
        todo!()
    }

    /// Adds the objects of trajectories to the data set of distinct x.
    pub fn remember(&mut self, _trajectories: &[Trajectory]) {
        todo!()
    }

    /// Weights as they are.
    pub fn parameters(&self) -> &Parameters {
        todo!()
    }

    /// Optimiser state as it is.
    pub fn optimizer(&self) -> &AdamState {
        todo!()
    }

    /// Replaces weights and optimiser state (resume). The data set is refilled with [`Self::remember`].
    pub fn restore(&mut self, _parameters: Parameters, _optimizer: AdamState) {
        todo!()
    }
}
