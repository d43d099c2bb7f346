//! What every objective is made of: log-probabilities summed per trajectory, and the target β·log R.

use crate::policy::{Batch, LogProbs};

/// A batch with its log-probabilities and rewards.
#[derive(Debug)]
pub struct Terms<'a> {
    /// The batch.
    pub batch: &'a Batch,
    /// Its log-probabilities.
    pub log_probs: &'a LogProbs,
    /// log Z(β) of each trajectory, nats.
    pub log_z: Vec<f64>,
    /// Σ log P_F of each trajectory, nats.
    pub log_pf: Vec<f64>,
    /// Σ log P_B of each trajectory, nats.
    pub log_pb: Vec<f64>,
    /// β·log R of each trajectory, nats.
    pub log_target: Vec<f64>,
}

impl<'a> Terms<'a> {
    /// `log_rewards` is log R per trajectory, without β.
    pub fn new(batch: &'a Batch, log_probs: &'a LogProbs, log_rewards: &[f32]) -> Self {
        let n = batch.len();
        assert_eq!(log_rewards.len(), n, "one log R per trajectory");
        let beta_of = || batch.beta_of.iter().map(|&b| b as usize);
        let log_target = beta_of()
            .zip(log_rewards)
            .map(|(b, &log_r)| f64::from(batch.betas[b]) * f64::from(log_r));
        Self {
            log_pf: batch.forward.sum_by_trajectory(&log_probs.forward, n),
            log_pb: batch.backward.sum_by_trajectory(&log_probs.backward, n),
            log_z: beta_of().map(|b| log_probs.log_z[b].into()).collect(),
            log_target: log_target.collect(),
            batch,
            log_probs,
        }
    }

    /// Number of trajectories.
    pub fn len(&self) -> usize {
        self.log_pf.len()
    }

    /// True when there is no trajectory.
    pub fn is_empty(&self) -> bool {
        self.log_pf.is_empty()
    }

    /// Σ log P_F − β·log R − Σ log P_B of trajectory `index`, nats; −log Z(β) for a perfect policy.
    pub fn excess(&self, index: usize) -> f64 {
        self.log_pf[index] - self.log_target[index] - self.log_pb[index]
    }

    /// The gradient that is `slope[i]` for every log P_F of trajectory i, and −`slope[i]` for its log P_B.
    pub fn spread(&self, slope: &[f32]) -> LogProbs {
        let of = |trajectories: &[u32], sign: f32| trajectories.iter().map(|&t| sign * slope[t as usize]).collect();
        LogProbs {
            forward: of(&self.batch.forward.step_trajectory, 1.0),
            backward: of(&self.batch.backward.step_trajectory, -1.0),
            log_z: vec![0.0; self.batch.betas.len()],
            log_flow: Vec::new(),
        }
    }
}
