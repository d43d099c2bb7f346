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
    /// Raw scores; NaN where there is none.
    pub y: Vec<f32>,
    /// The walks that made them.
    pub walks: Vec<Walk>,
}

impl Samples {
    /// Those that have a score.
    fn scored(self) -> Self {
        let has_score: Vec<bool> = self.y.iter().map(|y| y.is_finite()).collect();
        let mut objects = States::new(self.objects.width());
        let rows = self.objects.iter().zip(&has_score).filter(|(_, scored)| **scored);
        objects.extend(rows.map(|(object, _)| object));
        let walks = self.walks.into_iter().zip(&has_score).filter(|(_, scored)| **scored);
        Self {
            objects,
            y: self.y.into_iter().filter(|y| y.is_finite()).collect(),
            walks: walks.map(|(walk, _)| walk).collect(),
        }
    }
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

    /// Metrics of `n` samples at `beta`; those without a score are counted and left out.
    ///
    /// # Errors
    /// When the device or the oracle fails.
    pub fn evaluate(&mut self, beta: f32, call: u64, n: u64) -> Result<SampledMetrics, SampleError> {
        let mut seen = Seen::default();
        let mut elbo = 0.0;
        for start in (0..n).step_by(CHUNK) {
            let samples = self.sample(beta, call, start..(start + CHUNK as u64).min(n))?.scored();
            let log_rewards: Vec<f32> = samples.y.iter().map(|&y| self.task.reward.log_reward(y)).collect();
            let log_pb = self.log_pb(beta, &samples)?;
            let parts = samples.walks.iter().zip(&log_rewards).zip(&log_pb);
            elbo += parts
                .map(|((w, &r), pb)| f64::from(beta * r - w.log_p) + pb)
                .sum::<f64>();
            seen.add(samples, &log_rewards, &log_pb);
        }
        let log_z_model = self.backend.log_z(&[beta])?[0];
        Ok(seen.metrics(self.task, n as usize, beta, log_z_model, elbo))
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

/// What samples say of a policy at one β. Numbers that there are none of, such as means over no sample, are NaN.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampledMetrics {
    /// Inverse temperature.
    pub beta: f64,
    /// Number of samples, those without a score included.
    pub samples: usize,
    /// Samples without a score, which nothing below is about.
    pub unscored: usize,
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

    /// `elbo` is the sum over the samples that have a score.
    fn metrics(mut self, task: &Task, samples: usize, beta: f32, log_z_model: f32, elbo: f64) -> SampledMetrics {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (mean_y, expected_log_reward) = (mean(&self.y), mean(&self.log_rewards));
        let correlation = pearson(&self.log_p, &self.log_rewards);
        self.y.sort_by(f64::total_cmp);
        let percentile = |share: f64| {
            let last = self.y.len().saturating_sub(1) as f64;
            self.y.get((last * share).round() as usize).copied().unwrap_or(f64::NAN)
        };
        let mut best: Vec<(&Vec<u8>, f32)> = self.distinct.iter().map(|(object, &y)| (object, y)).collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1));
        best.truncate(TOP);
        SampledMetrics {
            beta: beta.into(),
            samples,
            unscored: samples - self.y.len(),
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
            elbo: elbo / self.y.len() as f64,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TaskConfig;
    use crate::policy::{Conditioning, Layout, Parameters, backend};
    use crate::task::TaskKind;

    /// Metrics of an untrained policy on strings of two letters of AB, scored by a table.
    fn metrics(table: &str) -> SampledMetrics {
        let config = TaskConfig {
            alphabet: Some("AB".into()),
            length: Some(2),
            table: Some("table.csv".into()),
            ..TaskKind::find("sequence").unwrap().config()
        };
        let task = Task::build(&config, Some(table.as_bytes())).unwrap();
        let spec = PolicySpec {
            hidden: 4,
            embed: 4,
            ..PolicySpec::published(Conditioning::Logit)
        };
        let parameters = Parameters::initial(Layout::new(&spec, task.env.sizes()), 1);
        let mut backend = backend("cpu", task.env.clone(), &parameters).unwrap();
        let mut sampler = Sampler::new(&task, &spec, &mut *backend, 0);
        sampler.evaluate(1.0, 0, 2000).unwrap()
    }

    #[test]
    fn samples_without_a_score_are_counted_and_left_out() {
        let all = metrics("x,y\nAA,1\nAB,1\nBA,1\nBB,1\n");
        assert_eq!((all.samples, all.unscored, all.distinct), (2000, 0, 4));
        let three = metrics("x,y\nAA,1\nAB,1\nBA,1\n");
        assert!(
            three.samples == 2000 && (1..2000).contains(&three.unscored),
            "{three:?}"
        );
        assert_eq!(
            (three.distinct, three.mean_y, three.y_p10, three.top100_y),
            (3, 1.0, 1.0, 1.0)
        );
        assert!(three.elbo.is_finite() && three.expected_log_reward == 0.0);
    }

    #[test]
    fn without_any_score_there_are_no_statistics() {
        let task = Task::load(&TaskKind::find("tfbind8").unwrap().config()).unwrap();
        let none = Seen::default().metrics(&task, 5, 1.0, 0.0, 0.0);
        assert_eq!((none.samples, none.unscored, none.distinct), (5, 5, 0));
        assert!(none.mean_y.is_nan() && none.y_p50.is_nan() && none.elbo.is_nan());
        assert_eq!(serde_json::to_value(none).unwrap()["mean_y"], serde_json::Value::Null);
    }
}
