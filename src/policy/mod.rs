//! Policies over state graphs: P_F, P_B and log Z for every conditioning.
//!
//! `spec` says what a policy is, `layout` where its numbers lie, `choices` which distinct states and edges a batch
//! touches, and a [`Backend`] does the arithmetic: `native` (CPU, own kernels), or that of `thermoflow-torch` (any device).

pub mod choices;
pub mod layout;
pub mod native;
mod shared;
pub mod spec;
#[cfg(test)]
mod tests;

pub use choices::{Batch, Choices, Direction, Flows};
pub use layout::{GROUPS, Group, Layout, Parameters, TensorSpec};
pub use native::NativeBackend;
pub use shared::shared;
pub use spec::{BackwardPolicy, Conditioning, LogitScale, Parameterization, Parity, PolicySpec};

use crate::env::Environment;
use crate::libtorch::{self, Missing};
use native::steps::{self, Clamp};
use std::sync::Arc;

/// Log-probabilities of a batch, or gradients with respect to them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogProbs {
    /// Per step of `batch.forward`, nats.
    pub forward: Vec<f32>,
    /// Per step of `batch.backward`, nats.
    pub backward: Vec<f32>,
    /// Per distinct β of the batch, nats.
    pub log_z: Vec<f32>,
    /// log F per row of `batch.flows`, nats; empty when the batch has none.
    pub log_flow: Vec<f32>,
}

/// Scores of every edge of some choices, before clamp and softmax.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EdgeScores {
    /// f(s, s'), per edge.
    pub scores: Vec<f32>,
    /// g(s, s'), per edge; empty when the policy has no offsets.
    pub offsets: Vec<f32>,
    /// T(β) per β; all 1 when the conditioning does not scale logits.
    pub scales: Vec<f32>,
}

impl EdgeScores {
    /// log P of each of the edges of a row, nats, for the β of place `beta`.
    pub fn log_probabilities(&self, spec: &PolicySpec, row: std::ops::Range<usize>, beta: usize) -> Vec<f32> {
        let clamp = Clamp::of(spec);
        let mut logits = Vec::with_capacity(row.len());
        let offsets = steps::offsets_of(&self.offsets, row.clone());
        steps::logits(&self.scores[row], offsets, self.scales[beta], clamp, &mut logits);
        let total = steps::log_sum_exp(&logits);
        let log_p = |logit: &f32| steps::clamp_log_probability(logit - total, clamp);
        logits.iter().map(log_p).collect()
    }
}

/// Why a backend could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The device does not exist here.
    #[error(
        "device {0:?} is not available (known are cpu, cpu-torch, cuda, cuda:N and mps; `thermoflow doctor` says what is here)"
    )]
    Device(String),
    /// libtorch failed.
    #[error("libtorch failed")]
    Torch(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// This program has no libtorch.
    #[error("the device cannot be used")]
    Libtorch(#[from] Missing),
}

/// Does the arithmetic of a policy with the weights it was last given. One thread owns it.
pub trait Backend: Send {
    /// Uses these weights from now on; they must have the layout that the backend was made for.
    ///
    /// # Errors
    /// When the device fails.
    fn load(&mut self, parameters: &Parameters) -> Result<(), BackendError>;

    /// Log-probabilities of the steps of a batch; keeps what [`Self::backward`] needs.
    ///
    /// # Errors
    /// When the device fails.
    fn forward(&mut self, batch: &Batch) -> Result<LogProbs, BackendError>;

    /// Adds to `gradient` (`[layout.len()]`) the gradient of Σ `upstream`·log-probability. `batch` is that of the last
    /// [`Self::forward`], with no [`Self::load`] between.
    ///
    /// # Errors
    /// When the device fails.
    fn backward(&mut self, batch: &Batch, upstream: &LogProbs, gradient: &mut [f32]) -> Result<(), BackendError>;

    /// Scores of all edges of `choices` in `direction`; `betas` are its groups.
    ///
    /// # Errors
    /// When the device fails.
    fn edge_scores(
        &mut self,
        direction: Direction,
        choices: &Choices,
        betas: &[f32],
    ) -> Result<EdgeScores, BackendError>;

    /// log Z at each β, nats.
    ///
    /// # Errors
    /// When the device fails.
    fn log_z(&mut self, betas: &[f32]) -> Result<Vec<f32>, BackendError>;

    /// Where it computes, in words.
    fn device(&self) -> String;
}

/// The backend for a device: `cpu` (own kernels), `cpu-torch` (libtorch), `cuda`, `cuda:N`, `mps`.
///
/// # Errors
/// When the device is unknown or not here.
pub fn backend(
    device: &str,
    env: Arc<dyn Environment>,
    parameters: &Parameters,
) -> Result<Box<dyn Backend>, BackendError> {
    if device == "cpu" {
        return Ok(Box::new(NativeBackend::new(env, parameters)));
    }
    (libtorch::needed_by("a device other than cpu")?.backend)(device, env, parameters)
}
