//! Adam with gradient clipping per group, over one flat buffer (METHOD.md, Optimiser).

use crate::config::OptimizerConfig;
use crate::policy::{Conditioning, GROUPS, Group, Parameters};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// First and second moments, `[layout.len()]` each, and the number of steps taken.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AdamState {
    /// Steps taken.
    pub step: u64,
    /// Running mean of gradients.
    pub first: Vec<f32>,
    /// Running mean of squared gradients.
    pub second: Vec<f32>,
}

impl AdamState {
    /// The state before the first step.
    pub fn new(parameters: usize) -> Self {
        Self {
            step: 0,
            first: vec![0.0; parameters],
            second: vec![0.0; parameters],
        }
    }

    /// One step: clips `gradient` per group in place and updates the parameters; a log Z that is one number stays ≥ 0.
    /// Returns the norms before clipping, in the order of [`Group::ALL`]. Learning rates are multiplied by `lr_factor`.
    pub fn step(
        &mut self,
        config: &OptimizerConfig,
        lr_factor: f64,
        parameters: &mut Parameters,
        gradient: &mut [f32],
    ) -> [f64; GROUPS] {
        let Parameters { layout, values } = parameters;
        self.step += 1;
        let correction1 = 1.0 - f64::from(BETA1).powf(self.step as f64);
        let correction2 = 1.0 - f64::from(BETA2).powf(self.step as f64);
        let norms = Group::ALL.map(|group| {
            let range = layout.group(group);
            let gradient = &mut gradient[range.clone()];
            let norm = norm(gradient);
            // As torch.nn.utils.clip_grad_norm_.
            let scale = (f64::from(config.clip_norm) / (norm + 1e-6)).min(1.0) as f32;
            let lr = match group {
                Group::Forward | Group::Backward => config.policy_lr,
                Group::LogZ => config.log_z_lr,
                Group::LogFlow => config.log_flow_lr,
            };
            let rate = (lr_factor * f64::from(lr) / correction1) as f32;
            let root = (1.0 / correction2.sqrt()) as f32;
            let moments = self.first[range.clone()]
                .iter_mut()
                .zip(&mut self.second[range.clone()]);
            for ((value, g), (m, v)) in values[range].iter_mut().zip(gradient).zip(moments) {
                *g *= scale;
                *m = BETA1 * *m + (1.0 - BETA1) * *g;
                *v = BETA2 * *v + (1.0 - BETA2) * *g * *g;
                *value -= rate * *m / (v.sqrt() * root + EPSILON);
            }
            norm
        });
        if layout.spec.conditioning == Conditioning::Unconditional {
            let log_z = &mut values[layout.group(Group::LogZ).start];
            *log_z = log_z.max(0.0);
        }
        norms
    }
}

/// Euclidean norm, summed in f64.
pub fn norm(values: &[f32]) -> f64 {
    // Partial sums over short runs in f32 let the compiler vectorise; the runs are added in f64.
    values
        .chunks(256)
        .map(|run| f64::from(run.iter().map(|v| v * v).sum::<f32>()))
        .sum::<f64>()
        .sqrt()
}
