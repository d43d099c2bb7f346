//! Exact evaluation by dynamic programming over the whole state graph, for tasks small enough to enumerate.
//!
//! Metrics as METHOD.md lists them; JSON keys as in `golden/*.exact.json`.

use crate::env::{Environment, Neighbours, StateIndex, States};
use crate::policy::native::steps::{self, Clamp};
use crate::policy::{Backend, BackendError, Choices, Direction, PolicySpec};
use crate::task::{ScoreError, Task};
use serde::Serialize;

/// States scored at once: bounds the memory of the projected targets.
const CHUNK: usize = 4096;

/// The state graph, level by level: every edge leads to a later state.
#[derive(Debug, Clone)]
pub struct StateGraph {
    /// All states in order of their distance from the initial one.
    pub states: States,
    /// Children of state i are `children[offsets[i]..offsets[i + 1]]`; `[states + 1]`.
    pub offsets: Vec<u32>,
    /// State numbers.
    pub children: Vec<u32>,
    /// Numbers of the complete states.
    pub complete: Vec<u32>,
}

impl StateGraph {
    /// Enumerates the environment.
    pub fn new(env: &dyn Environment) -> Self {
        let mut index = StateIndex::new(env.state_width());
        index.insert(env.initial());
        let (mut offsets, mut children, mut complete) = (vec![0], Vec::new(), Vec::new());
        let mut neighbours = Neighbours::new(env.state_width());
        let mut level = States::new(env.state_width());
        let mut next = 0;
        while next < index.states().len() {
            level.clear();
            level.extend((next..index.states().len()).map(|id| index.states().row(id)));
            neighbours.clear();
            env.children(&level, &mut neighbours);
            for place in 0..level.len() {
                if env.is_complete(level.row(place)) {
                    complete.push((next + place) as u32);
                }
                children.extend(
                    neighbours
                        .list(place)
                        .map(|edge| index.insert(neighbours.states.row(edge)).0),
                );
                offsets.push(children.len() as u32);
            }
            next += level.len();
        }
        Self {
            states: index.states().clone(),
            offsets,
            children,
            complete,
        }
    }

    /// The complete objects in order.
    pub fn objects(&self) -> States {
        let mut objects = States::new(self.states.width());
        objects.extend(self.complete.iter().map(|&id| self.states.row(id as usize)));
        objects
    }

    fn edges(&self, state: usize) -> std::ops::Range<usize> {
        self.offsets[state] as usize..self.offsets[state + 1] as usize
    }
}

/// Terminal distributions of one policy at any β.
#[derive(Debug)]
pub struct ExactPolicy<'a> {
    graph: &'a StateGraph,
    clamp: Clamp,
    scores_depend_on_beta: bool,
    /// Edge scores and the β they belong to.
    scores: Vec<f32>,
    /// Empty when the policy has none.
    offsets: Vec<f32>,
    scored_at: Option<f32>,
}

impl<'a> ExactPolicy<'a> {
    /// For the policies of `spec` on `graph`.
    pub fn new(graph: &'a StateGraph, spec: &PolicySpec) -> Self {
        let scores_depend_on_beta = spec.conditioning.embeds_beta();
        Self {
            graph,
            clamp: Clamp::of(spec),
            scores_depend_on_beta,
            scores: Vec::new(),
            offsets: Vec::new(),
            scored_at: None,
        }
    }

    /// log P(x | β) of every complete object, in the order of [`StateGraph::complete`].
    ///
    /// # Errors
    /// When the device fails.
    pub fn log_probabilities(
        &mut self,
        env: &dyn Environment,
        backend: &mut dyn Backend,
        beta: f32,
    ) -> Result<Vec<f64>, BackendError> {
        let scale = self.score(env, backend, beta)?;
        let graph = self.graph;
        let mut reached = vec![0f64; graph.states.len()];
        reached[0] = 1.0;
        let mut logits = Vec::new();
        for state in 0..graph.states.len() {
            let edges = graph.edges(state);
            if edges.is_empty() {
                continue;
            }
            let offsets = steps::offsets_of(&self.offsets, edges.clone());
            steps::logits(&self.scores[edges.clone()], offsets, scale, self.clamp, &mut logits);
            let total = log_sum_exp(&logits);
            for (edge, &logit) in edges.zip(&logits) {
                reached[graph.children[edge] as usize] += reached[state] * (f64::from(logit) - total).exp();
            }
        }
        Ok(graph.complete.iter().map(|&id| reached[id as usize].ln()).collect())
    }

    /// Fills the edge scores for `beta`; returns T(β).
    fn score(&mut self, env: &dyn Environment, backend: &mut dyn Backend, beta: f32) -> Result<f32, BackendError> {
        let known = self
            .scored_at
            .is_some_and(|at| !self.scores_depend_on_beta || at == beta);
        if known {
            return Ok(backend
                .edge_scores(Direction::Forward, &Choices::new(env.state_width()), &[beta])?
                .scales[0]);
        }
        self.scores.clear();
        self.offsets.clear();
        let mut scale = 1.0;
        let (mut chunk, mut neighbours) = (States::new(env.state_width()), Neighbours::new(env.state_width()));
        for start in (0..self.graph.states.len()).step_by(CHUNK) {
            let end = (start + CHUNK).min(self.graph.states.len());
            chunk.clear();
            neighbours.clear();
            chunk.extend((start..end).map(|id| self.graph.states.row(id)));
            env.children(&chunk, &mut neighbours);
            let mut choices = Choices::new(env.state_width());
            for (place, state) in chunk.iter().enumerate() {
                choices.push_row(state, 0, &neighbours, place);
            }
            let scored = backend.edge_scores(Direction::Forward, &choices, &[beta])?;
            self.scores.extend(scored.scores);
            self.offsets.extend(scored.offsets);
            scale = scored.scales[0];
        }
        self.scored_at = Some(beta);
        Ok(scale)
    }
}

/// All objects of a task with their rewards, to measure policies against.
#[derive(Debug, Clone)]
pub struct Enumerated {
    /// The way to them.
    pub graph: StateGraph,
    /// log R of every complete object, in the order of [`StateGraph::complete`].
    pub log_rewards: Vec<f32>,
}

impl Enumerated {
    /// Enumerates and scores; only for tasks whose scorer enumerates as well ([`crate::task::Scorer::enumerate`]).
    ///
    /// # Errors
    /// When an object cannot be scored: without its reward there is no Z.
    pub fn new(task: &Task) -> Result<Self, ScoreError> {
        let graph = StateGraph::new(&*task.env);
        let objects = graph.objects();
        let scores = task.scorer.score(&objects)?;
        if let Some(first) = scores.iter().position(|y| y.is_nan()) {
            let (unscored, all) = (scores.iter().filter(|y| y.is_nan()).count(), scores.len());
            let example = task.env.format(objects.row(first));
            return Err(ScoreError(format!(
                "{unscored} of {all} have no score, such as {example:?}; exact metrics need all"
            )));
        }
        let log_rewards = scores.into_iter().map(|y| task.reward.log_reward(y)).collect();
        Ok(Self { graph, log_rewards })
    }

    /// Compares the policy with the target at `beta`; `exact` is of this graph, `backend` of the same policy.
    ///
    /// # Errors
    /// When the device fails.
    pub fn measure(
        &self,
        exact: &mut ExactPolicy,
        env: &dyn Environment,
        backend: &mut dyn Backend,
        beta: f32,
    ) -> Result<ExactMetrics, BackendError> {
        let log_p = exact.log_probabilities(env, backend, beta)?;
        let log_z = backend.log_z(&[beta])?[0];
        Ok(ExactMetrics::new(beta, &log_p, &self.log_rewards, log_z))
    }
}

/// How close P(x|β) is to R(x)^β / Z(β).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ExactMetrics {
    /// Inverse temperature.
    pub beta: f64,
    /// Total variation, 0 to 1.
    pub tv: f64,
    /// Jensen–Shannon divergence, nats.
    pub jsd: f64,
    /// KL(target ‖ model), nats.
    pub kl_target_model: f64,
    /// log Σ R^β, nats.
    pub log_z_true: f64,
    /// log Z(β) of the network, nats.
    pub log_z_model: f64,
    /// E[log R] under the model, nats.
    pub expected_log_reward: f64,
    /// E[log R] under the target, nats.
    pub expected_log_reward_target: f64,
    /// Pearson correlation of log P and log R over all x.
    pub pearson_logp_logr: f64,
    /// Spearman correlation of log P and log R over all x.
    pub spearman_logp_logr: f64,
}

impl ExactMetrics {
    /// Compares log P(x|β) with the target; both arguments list every object once.
    pub fn new(beta: f32, log_p: &[f64], log_rewards: &[f32], log_z_model: f32) -> Self {
        let beta = f64::from(beta);
        let log_r: Vec<f64> = log_rewards.iter().map(|&r| r.into()).collect();
        let scaled: Vec<f64> = log_r.iter().map(|r| beta * r).collect();
        let largest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_z_true = largest + scaled.iter().map(|s| (s - largest).exp()).sum::<f64>().ln();
        let log_q: Vec<f64> = scaled.iter().map(|s| s - log_z_true).collect();
        let pairs = || log_p.iter().copied().zip(log_q.iter().copied());
        let half_kl = |(a, b): (f64, f64)| {
            // One object's share of KL(a ‖ (a + b)/2).
            let (a, b) = (a.exp(), b.exp());
            if a > 0.0 { a * (2.0 * a / (a + b)).ln() } else { 0.0 }
        };
        Self {
            beta,
            tv: 0.5 * pairs().map(|(p, q)| (p.exp() - q.exp()).abs()).sum::<f64>(),
            jsd: 0.5 * pairs().map(|(p, q)| half_kl((p, q)) + half_kl((q, p))).sum::<f64>(),
            kl_target_model: pairs().map(|(p, q)| q.exp() * (q - p)).sum(),
            log_z_true,
            log_z_model: log_z_model.into(),
            expected_log_reward: log_p.iter().zip(&log_r).map(|(p, r)| p.exp() * r).sum(),
            expected_log_reward_target: log_q.iter().zip(&log_r).map(|(q, r)| q.exp() * r).sum(),
            pearson_logp_logr: pearson(log_p, &log_r),
            spearman_logp_logr: pearson(&ranks(log_p), &ranks(&log_r)),
        }
    }
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    largest + logits.iter().map(|&l| (f64::from(l) - largest).exp()).sum::<f64>().ln()
}

/// Pearson correlation; NaN when one side is constant.
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut covariance, mut variance_a, mut variance_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        covariance += x * y;
        variance_a += x * x;
        variance_b += y * y;
    }
    covariance / (variance_a * variance_b).sqrt()
}

/// Ranks from 0, ties get their mean rank.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (tied.len() - 1) as f64 / 2.0;
        tied.iter().for_each(|&place| ranks[place] = rank);
        first += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{GridEnv, Growth, SequenceEnv};
    use crate::policy::{Conditioning, Layout, Parameters, backend};
    use std::sync::Arc;

    #[test]
    fn a_perfect_policy_has_no_distance() {
        let log_rewards = [0.5f32, -1.0, 2.0];
        let z: f64 = log_rewards.iter().map(|&r| (2.0 * f64::from(r)).exp()).sum();
        let log_p: Vec<f64> = log_rewards.iter().map(|&r| 2.0 * f64::from(r) - z.ln()).collect();
        let metrics = ExactMetrics::new(2.0, &log_p, &log_rewards, z.ln() as f32);
        assert!(metrics.tv < 1e-12 && metrics.jsd < 1e-12 && metrics.kl_target_model.abs() < 1e-12);
        assert!((metrics.pearson_logp_logr - 1.0).abs() < 1e-12 && (metrics.log_z_true - z.ln()).abs() < 1e-12);
        assert_eq!(metrics.spearman_logp_logr, 1.0);
    }

    #[test]
    fn ties_share_their_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 0.0]), [2.5, 1.0, 2.5, 0.0]);
    }

    #[test]
    fn probabilities_sum_to_one_where_stopping_is_a_step() {
        let envs: [Arc<dyn Environment>; 3] = [
            Arc::new(SequenceEnv::variable("ACG", 1..=4, Growth::PrependAppend)),
            Arc::new(SequenceEnv::variable("ACG", 2..=4, Growth::AppendOnly)),
            Arc::new(GridEnv::new(2, 5)),
        ];
        let spec = PolicySpec::published(Conditioning::Logit);
        for env in envs {
            let parameters = Parameters::initial(Layout::new(&spec, env.sizes()), 7);
            let mut backend = backend("cpu", env.clone(), &parameters).unwrap();
            let graph = StateGraph::new(&*env);
            let mut exact = ExactPolicy::new(&graph, &spec);
            let log_p = exact.log_probabilities(&*env, &mut *backend, 2.0).unwrap();
            assert!(log_p.iter().all(|p| p.is_finite()), "every object is reached");
            let sum: f64 = log_p.iter().map(|p| p.exp()).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{env:?}: {sum}");
        }
    }

    #[test]
    fn the_graph_of_tfbind8_has_the_published_size() {
        let graph = StateGraph::new(&SequenceEnv::new("ACGT", 8, Growth::PrependAppend));
        assert_eq!((graph.states.len(), graph.complete.len()), (87_381, 65_536));
    }
}
