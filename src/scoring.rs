//! Scores given trajectories with a policy: log Z, log P_F, log P_B, loss, gradients. What `thermoflow score` prints and
//! what `golden/` is compared with.

use crate::config::OptimizerConfig;
use crate::env::{EnvError, Environment};
use crate::objective::{Objective, Settings, Terms};
use crate::optimizer::{AdamState, norm};
use crate::policy::{BackendError, Batch, Parameters, backend};
use crate::rollout::Paths;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Trajectories to score; other keys of a `golden/*.json` are ignored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoreInput {
    /// β of each trajectory, `[trajectories]`.
    pub beta: Vec<f32>,
    /// The trajectories.
    pub trajectories: Vec<StatePath>,
    /// Range of the thermometer code, where the checkpoint does not say.
    #[serde(default)]
    pub thermometer_range: Option<[f32; 2]>,
    /// Whose loss; the run's own (else trajectory balance) when absent.
    #[serde(default)]
    pub objective: Option<Objective>,
}

/// A trajectory as its states, the stop implied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatePath {
    /// From the initial state to the complete object, as people write them.
    pub states: Vec<String>,
    /// log R of the object, nats; the task's own when absent.
    #[serde(default)]
    pub log_reward: Option<f32>,
}

/// What a policy says of trajectories.
#[derive(Debug, Clone, Serialize)]
pub struct Scored {
    /// log Z(β), nats; `[trajectories]`, as the next two.
    pub log_z: Vec<f64>,
    /// Σ log P_F, nats.
    pub log_pf: Vec<f64>,
    /// Σ log P_B, nats.
    pub log_pb: Vec<f64>,
    /// Mean loss, nats².
    pub loss: f64,
    /// With gradients: the norm of every tensor's gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<BTreeMap<String, f64>>,
    /// With gradients: the loss after one optimiser step from a fresh Adam, nats².
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_after_one_step: Option<f64>,
}

/// Why trajectories could not be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoringError {
    /// Not one β per trajectory.
    #[error("there are {betas} β and {trajectories} trajectories; each trajectory needs one β")]
    Count {
        /// Number of β.
        betas: usize,
        /// Number of trajectories.
        trajectories: usize,
    },
    /// β is not a positive number.
    #[error("β of trajectory {trajectory} is {beta}; it must be positive and finite")]
    Beta {
        /// Which, from 0.
        trajectory: usize,
        /// The offending β.
        beta: f32,
    },
    /// Nothing to score.
    #[error("there are no trajectories to score")]
    Empty,
    /// A state cannot be read.
    #[error("trajectory {trajectory}, state {step}")]
    State {
        /// Which trajectory, from 0.
        trajectory: usize,
        /// Which state, from 0.
        step: usize,
        /// What is wrong with it.
        source: EnvError,
    },
    /// Two states do not follow each other.
    #[error("trajectory {trajectory}: {reason}")]
    Path {
        /// Which trajectory, from 0.
        trajectory: usize,
        /// What is wrong.
        reason: String,
    },
    /// The device failed.
    #[error("the device failed")]
    Backend(#[from] BackendError),
}

impl ScoreInput {
    /// What scores a batch of training again.
    pub fn from_paths(env: &dyn Environment, paths: &Paths, betas: &[f32], log_rewards: &[f32]) -> Self {
        let trajectory = |index: usize| StatePath {
            states: paths
                .path(index)
                .iter()
                .map(|&state| env.format(paths.states.states().row(state as usize)))
                .collect(),
            log_reward: Some(log_rewards[index]),
        };
        Self {
            beta: betas.to_vec(),
            trajectories: (0..paths.len()).map(trajectory).collect(),
            thermometer_range: None,
            objective: None,
        }
    }

    /// Checks the trajectories and walks them.
    ///
    /// # Errors
    /// Names the trajectory and what is wrong with it.
    pub fn paths(&self, env: &dyn Environment) -> Result<Paths, ScoringError> {
        let (betas, trajectories) = (self.beta.len(), self.trajectories.len());
        if trajectories == 0 {
            return Err(ScoringError::Empty);
        }
        if betas != trajectories {
            return Err(ScoringError::Count { betas, trajectories });
        }
        if let Some((trajectory, &beta)) = self
            .beta
            .iter()
            .enumerate()
            .find(|(_, b)| !(b.is_finite() && **b > 0.0))
        {
            return Err(ScoringError::Beta { trajectory, beta });
        }
        let mut paths = Paths::new(env.state_width());
        for (trajectory, path) in self.trajectories.iter().enumerate() {
            let mut previous: Option<Vec<u8>> = None;
            for (step, text) in path.states.iter().enumerate() {
                let state = env.parse(text).map_err(|source| ScoringError::State {
                    trajectory,
                    step,
                    source,
                })?;
                let follows = match &previous {
                    None => state == env.initial(),
                    Some(previous) => (0..env.action_count()).any(|action| {
                        let mut next = previous.clone();
                        env.step(&mut next, action as u16) && next == state
                    }),
                };
                if !follows {
                    let reason = format!("state {step} ({text:?}) does not follow the one before it");
                    return Err(ScoringError::Path { trajectory, reason });
                }
                paths.visit(&state);
                previous = Some(state);
            }
            if !previous.is_some_and(|last| env.is_complete(&last)) {
                return Err(ScoringError::Path {
                    trajectory,
                    reason: "it does not end with a complete object".into(),
                });
            }
            paths.finish();
        }
        Ok(paths)
    }
}

/// Scores `paths` at `betas` on `device`; with `optimizer`, also the gradient norms and the loss after one step.
///
/// # Errors
/// When the device is not there or fails.
pub fn score(
    env: &Arc<dyn Environment>,
    parameters: &Parameters,
    device: &str,
    (paths, betas, log_rewards): (&Paths, &[f32], &[f32]),
    (objective, settings): (Objective, &Settings),
    optimizer: Option<&OptimizerConfig>,
) -> Result<Scored, BackendError> {
    let mut backend = backend(device, env.clone(), parameters)?;
    let batch = Batch::new(&**env, &parameters.layout.spec, paths, betas);
    let mut gradient = vec![0.0; parameters.values.len()];
    let log_probs = backend.forward(&batch)?;
    let terms = Terms::new(&batch, &log_probs, log_rewards);
    let loss = objective.loss(&terms, settings);
    backend.backward(&batch, &loss.gradient, &mut gradient)?;
    let mut scored = Scored {
        loss: loss.loss,
        grad_norm: None,
        loss_after_one_step: None,
        log_z: terms.log_z,
        log_pf: terms.log_pf,
        log_pb: terms.log_pb,
    };
    if let Some(optimizer) = optimizer {
        let norms = parameters
            .layout
            .tensors
            .iter()
            .map(|t| (t.name.clone(), norm(&gradient[t.range()])));
        scored.grad_norm = Some(norms.collect());
        let mut moved = parameters.clone();
        AdamState::new(moved.values.len()).step(optimizer, 1.0, &mut moved, &mut gradient);
        backend.load(&moved)?;
        let log_probs = backend.forward(&batch)?;
        let after = objective.loss(&Terms::new(&batch, &log_probs, log_rewards), settings);
        scored.loss_after_one_step = Some(after.loss);
    }
    Ok(scored)
}
