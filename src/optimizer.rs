//! Adam with gradient clipping per group, over one flat buffer (METHOD.md, Optimiser).

// `multiversion` expands to guarded calls of `#[target_feature]` functions.
#![allow(unsafe_code)]

use crate::config::OptimizerConfig;
use crate::policy::{Conditioning, GROUPS, Group, Parameters};
use crate::spread;
use multiversion::multiversion;

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
            let moments = [&mut self.first[range.clone()], &mut self.second[range.clone()]];
            update_all(&mut values[range], gradient, moments, [scale, rate, root]);
            norm
        });
        if layout.spec.conditioning == Conditioning::Unconditional {
            let log_z = &mut values[layout.group(Group::LogZ).start];
            *log_z = log_z.max(0.0);
        }
        norms
    }
}

/// Parameters that a thread has at least.
const LEAST: usize = 1 << 14;

/// As [`update`], spread over threads.
fn update_all(values: &mut [f32], gradient: &mut [f32], [first, second]: [&mut [f32]; 2], by: [f32; 3]) {
    let middle = values.len() / 2;
    if middle < LEAST {
        return update(values, gradient, [first, second], by);
    }
    let [values, gradient, first, second] = [values, gradient, first, second].map(|all| all.split_at_mut(middle));
    spread::both(
        || update_all(values.0, gradient.0, [first.0, second.0], by),
        || update_all(values.1, gradient.1, [first.1, second.1], by),
    );
}

/// Scales the gradient and goes a step of Adam.
#[multiversion(targets = "simd")]
fn update(values: &mut [f32], gradient: &mut [f32], moments: [&mut [f32]; 2], [scale, rate, root]: [f32; 3]) {
    let [first, second] = moments;
    let moments = first.iter_mut().zip(second);
    for ((value, g), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
        *g *= scale;
        *m = BETA1 * *m + (1.0 - BETA1) * *g;
        *v = BETA2 * *v + (1.0 - BETA2) * *g * *g;
        *value -= rate * *m / (v.sqrt() * root + EPSILON);
    }
}

/// Numbers that are summed in f32.
const RUN: usize = 256;

/// Runs that are summed at once: an addition to a sum waits for the one before it, but not for those to other sums.
const TOGETHER: usize = 8;

/// Euclidean norm: short runs are summed in f32, the runs in f64.
pub fn norm(values: &[f32]) -> f64 {
    let (groups, rest) = values.as_chunks::<{ RUN * TOGETHER }>();
    let mut total = 0.0;
    for group in groups {
        let mut sums = [0.0f32; TOGETHER];
        for place in 0..RUN {
            for (run, sum) in sums.iter_mut().enumerate() {
                *sum += group[run * RUN + place] * group[run * RUN + place];
            }
        }
        sums.iter().for_each(|sum| total += f64::from(*sum));
    }
    for run in rest.chunks(RUN) {
        total += f64::from(run.iter().map(|v| v * v).sum::<f32>());
    }
    total.sqrt()
}
