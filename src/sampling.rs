//! Samples of a trained policy at a given β, and what they say about it. No training here.

use crate::env::{States, hamming};
use crate::exact::pearson;
use crate::policy::{Backend, BackendError, Batch, Direction, PolicySpec};
use crate::random::{Purpose, Stream};
use crate::rollout::{Paths, Walk, Walker};
use crate::task::{ScoreError, Task};
use serde::Serialize;

/// Trajectories walked at once: bounds memory, large enough for matrix products to be efficient.
pub const CHUNK: usize = 1024;

/// How many of the best distinct objects `top100_y` and `top100_diversity` look at.
const TOP: usize = 100;

/// Why sampling failed.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The device failed.
    #[error("sampling failed")]
    Backend(#[from] BackendError),
    /// The oracle failed.
    #[error("scoring failed")]
    Score(#[from] ScoreError),
}

/// Scored samples at one β.
#[derive(Debug, Clone)]
pub struct Samples {
    /// Complete objects, `[samples]`.
    pub objects: States,
    /// Raw scores.
    pub y: Vec<f32>,
    /// The walks that made them.
    pub walks: Vec<Walk>,
}

/// Draws samples of one policy; sample i depends on the seed, β's place in the calls, and i alone.
pub struct Sampler<'a> {
    task: &'a Task,
    backend: &'a mut dyn Backend,
    walker: Walker,
    spec: &'a PolicySpec,
    seed: u64,
}

impl<'a> Sampler<'a> {
    /// A sampler for the weights that `backend` holds.
    pub fn new(task: &'a Task, spec: &'a PolicySpec, backend: &'a mut dyn Backend, seed: u64) -> Self {
        let walker = Walker::new(task.env.clone(), spec, Direction::Forward);
        Self {
            task,
            backend,
            walker,
            spec,
            seed,
        }
    }

    /// Samples `indices` at `beta`; `call` numbers the random streams.
    ///
    /// # Errors
    /// When the device or the oracle fails.
    pub fn sample(&mut self, beta: f32, call: u64, indices: std::ops::Range<u64>) -> Result<Samples, SampleError> {
        let env = &*self.task.env;
        let mut streams: Vec<Stream> = indices
            .map(|index| Stream::new(self.seed, Purpose::Sample, call, index))
            .collect();
        let mut starts = States::new(env.state_width());
        starts.extend(streams.iter().map(|_| env.initial()));
        let betas = vec![beta; starts.len()];
        let walks = self.walker.walk(self.backend, &starts, &betas, 0.0, &mut streams)?;
        let mut objects = States::new(env.state_width());
        for walk in &walks {
            objects.push(&env.object_of(&walk.actions).expect("a walk ends with an object"));
        }
        let y = self.task.scorer.score(&objects)?;
        Ok(Samples { objects, y, walks })
    }

    /// Metrics of `n` samples at `beta`.
    ///
    /// # Errors
    /// When the device or the oracle fails.
    pub fn evaluate(&mut self, beta: f32, call: u64, n: u64) -> Result<SampledMetrics, SampleError> {
        let mut seen = Seen::default();
        let mut elbo = 0.0;
        for start in (0..n).step_by(CHUNK) {
            let samples = self.sample(beta, call, start..(start + CHUNK as u64).min(n))?;
            let log_rewards: Vec<f32> = samples.y.iter().map(|&y| self.task.reward.log_reward(y)).collect();
            let log_pb = self.log_pb(beta, &samples)?;
            let parts = samples.walks.iter().zip(&log_rewards).zip(&log_pb);
            elbo += parts
                .map(|((w, &r), pb)| f64::from(beta * r - w.log_p) + pb)
                .sum::<f64>();
            seen.add(samples, &log_rewards, &log_pb);
        }
        let log_z_model = self.backend.log_z(&[beta])?[0];
        Ok(seen.metrics(self.task, beta, log_z_model, elbo / n as f64))
    }

    /// Σ log P_B of each sample's own trajectory, nats.
    fn log_pb(&mut self, beta: f32, samples: &Samples) -> Result<Vec<f64>, BackendError> {
        let env = &*self.task.env;
        let paths = Paths::from_actions(env, samples.walks.iter().map(|w| &w.actions[..])).expect("walks are valid");
        let batch = Batch::new(env, self.spec, &paths, &vec![beta; samples.walks.len()]);
        let log_probs = self.backend.forward(&batch)?;
        Ok(batch
            .backward
            .sum_by_trajectory(&log_probs.backward, samples.walks.len()))
    }
}

/// What samples say of a policy at one β.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampledMetrics {
    /// Inverse temperature.
    pub beta: f64,
    /// Number of samples.
    pub samples: usize,
    /// Distinct objects among them.
    pub distinct: usize,
    /// Mean raw score.
    pub mean_y: f64,
    /// 10th, 50th and 90th percentile of y.
    pub y_p10: f64,
    /// Median of y.
    pub y_p50: f64,
    /// 90th percentile of y.
    pub y_p90: f64,
    /// Mean y of the 100 best distinct objects.
    pub top100_y: f64,
    /// Mean pairwise Hamming distance of the 100 best distinct objects.
    pub top100_diversity: f64,
    /// Listed modes among the samples.
    pub modes: usize,
    /// Mean log R, nats.
    pub expected_log_reward: f64,
    /// Lower bound on log Z(β): E[β·log R + log P_B − log P_F], nats.
    pub elbo: f64,
    /// log Z(β) of the network, nats.
    pub log_z_model: f64,
    /// Pearson correlation of log P_F − log P_B (a one-trajectory estimate of log P) and log R over the samples; null
    /// when either is constant.
    pub pearson_logp_logr: Option<f64>,
}

#[derive(Default)]
struct Seen {
    y: Vec<f64>,
    log_rewards: Vec<f64>,
    log_p: Vec<f64>,
    distinct: std::collections::BTreeMap<Vec<u8>, f32>,
}

impl Seen {
    fn add(&mut self, samples: Samples, log_rewards: &[f32], log_pb: &[f64]) {
        self.y.extend(samples.y.iter().map(|&y| f64::from(y)));
        self.log_rewards.extend(log_rewards.iter().map(|&r| f64::from(r)));
        self.log_p
            .extend(samples.walks.iter().zip(log_pb).map(|(w, pb)| f64::from(w.log_p) - pb));
        let scored = samples.objects.iter().zip(&samples.y);
        self.distinct.extend(scored.map(|(object, &y)| (object.to_vec(), y)));
    }

    fn metrics(mut self, task: &Task, beta: f32, log_z_model: f32, elbo: f64) -> SampledMetrics {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (mean_y, expected_log_reward) = (mean(&self.y), mean(&self.log_rewards));
        let correlation = pearson(&self.log_p, &self.log_rewards);
        self.y.sort_by(f64::total_cmp);
        let percentile = |share: f64| self.y[((self.y.len() - 1) as f64 * share).round() as usize];
        let mut best: Vec<(&Vec<u8>, f32)> = self.distinct.iter().map(|(object, &y)| (object, y)).collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1));
        best.truncate(TOP);
        SampledMetrics {
            beta: beta.into(),
            samples: self.y.len(),
            distinct: self.distinct.len(),
            mean_y,
            y_p10: percentile(0.1),
            y_p50: percentile(0.5),
            y_p90: percentile(0.9),
            top100_y: mean(&best.iter().map(|b| f64::from(b.1)).collect::<Vec<_>>()),
            top100_diversity: diversity(&best),
            modes: self
                .distinct
                .keys()
                .filter(|object| task.modes.contains(object))
                .count(),
            expected_log_reward,
            elbo,
            log_z_model: log_z_model.into(),
            pearson_logp_logr: correlation.is_finite().then_some(correlation),
        }
    }
}

/// Mean Hamming distance over all pairs; 0 with fewer than two.
fn diversity(best: &[(&Vec<u8>, f32)]) -> f64 {
    let (mut sum, mut pairs) = (0, 0);
    for (i, a) in best.iter().enumerate() {
        for b in &best[..i] {
            sum += hamming(a.0, b.0);
            pairs += 1;
        }
    }
    sum as f64 / f64::from(pairs.max(1))
}
