//! Trajectory balance: L(τ; β) = (log Z(β) + Σ log P_F − β·log R(x) − Σ log P_B)², mean over the batch (METHOD.md).

use crate::policy::{Batch, LogProbs};

/// The loss of a batch and its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Balance {
    /// Mean loss, nats².
    pub loss: f64,
    /// log Z(β) of each trajectory, nats.
    pub log_z: Vec<f64>,
    /// Σ log P_F of each trajectory, nats.
    pub log_pf: Vec<f64>,
    /// Σ log P_B of each trajectory, nats.
    pub log_pb: Vec<f64>,
    /// log Z + log P_F − β·log R − log P_B of each trajectory, nats.
    pub residuals: Vec<f64>,
    /// Gradient of `loss` with respect to every log-probability.
    pub gradient: LogProbs,
}

/// Trajectory balance of `batch` with `log_probs`; `log_rewards` is log R per trajectory, without β.
pub fn trajectory_balance(batch: &Batch, log_probs: &LogProbs, log_rewards: &[f32]) -> Balance {
    let n = batch.len();
    assert_eq!(log_rewards.len(), n, "one log R per trajectory");
    let log_pf = batch.forward.sum_by_trajectory(&log_probs.forward, n);
    let log_pb = batch.backward.sum_by_trajectory(&log_probs.backward, n);
    let log_z: Vec<f64> = batch
        .beta_of
        .iter()
        .map(|&b| log_probs.log_z[b as usize].into())
        .collect();
    let residuals: Vec<f64> = (0..n)
        .map(|i| {
            let beta = f64::from(batch.betas[batch.beta_of[i] as usize]);
            log_z[i] + log_pf[i] - beta * f64::from(log_rewards[i]) - log_pb[i]
        })
        .collect();
    let loss = residuals.iter().map(|r| r * r).sum::<f64>() / n as f64;
    let slope: Vec<f32> = residuals.iter().map(|r| (2.0 * r / n as f64) as f32).collect();
    let mut gradient = LogProbs {
        forward: batch
            .forward
            .step_trajectory
            .iter()
            .map(|&t| slope[t as usize])
            .collect(),
        backward: batch
            .backward
            .step_trajectory
            .iter()
            .map(|&t| -slope[t as usize])
            .collect(),
        log_z: vec![0.0; batch.betas.len()],
    };
    for (&beta, slope) in batch.beta_of.iter().zip(&slope) {
        gradient.log_z[beta as usize] += slope;
    }
    Balance {
        loss,
        log_z,
        log_pf,
        log_pb,
        residuals,
        gradient,
    }
}
