//! Walks through the state graph by a policy, many at once: forward with P_F, backward with P_B.
//!
//! Every distinct state is scored once. Where scores do not depend on β they are kept until the weights change, and
//! serve every later walk at any β.

use crate::env::{Action, Environment, Neighbours, StateIndex, States};
use crate::policy::native::steps::{self, Clamp};
use crate::policy::{Backend, BackendError, Choices, Direction, PolicySpec, choices::group_betas};
use crate::random::Stream;
use std::sync::Arc;

/// Edges kept between walks; past this the memory starts anew. 4 Mi edges take about 100 MB with 8-byte states.
const KEPT_EDGES: usize = 4 << 20;

/// What one walk did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Walk {
    /// Actions in forward order, whatever the direction walked.
    pub actions: Vec<Action>,
    /// Σ log P of the policy (without ε) along the walk, nats.
    pub log_p: f32,
}

/// Walks in one direction, with a memory of scored states.
#[derive(Debug)]
pub struct Walker {
    env: Arc<dyn Environment>,
    direction: Direction,
    clamp: Clamp,
    /// Scores differ between β, so they belong to one walk's β groups.
    scores_depend_on_beta: bool,
    /// State, then its β group in 4 bytes.
    rows: StateIndex,
    neighbours: Neighbours,
    scores: Vec<f32>,
    /// Empty when the policy has none.
    offsets: Vec<f32>,
}

impl Walker {
    /// A walker for policies of `spec`.
    pub fn new(env: Arc<dyn Environment>, spec: &PolicySpec, direction: Direction) -> Self {
        let width = env.state_width();
        Self {
            env,
            direction,
            clamp: Clamp::of(spec),
            scores_depend_on_beta: spec.conditioning.embeds_beta(),
            rows: StateIndex::new(width + 4),
            neighbours: Neighbours::new(width),
            scores: Vec::new(),
            offsets: Vec::new(),
        }
    }

    /// Forgets all scores; to be called when the weights change.
    pub fn forget(&mut self) {
        self.rows.clear();
        self.neighbours.clear();
        self.scores.clear();
        self.offsets.clear();
    }

    /// Walks from every state of `starts` to the end, walk i at `betas[i]` with `streams[i]`; each step is uniform
    /// over the neighbours with probability `epsilon`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn walk(
        &mut self,
        backend: &mut dyn Backend,
        starts: &States,
        betas: &[f32],
        epsilon: f32,
        streams: &mut [Stream],
    ) -> Result<Vec<Walk>, BackendError> {
        if self.scores_depend_on_beta || self.scores.len() > KEPT_EDGES {
            self.forget();
        }
        let (distinct, beta_of) = group_betas(betas);
        let mut walks = vec![Walk::default(); starts.len()];
        let mut places: Vec<(usize, Vec<u8>)> = starts.iter().map(<[u8]>::to_vec).enumerate().collect();
        let scales = loop {
            places.retain(|(_, state)| !self.is_end(state));
            let (rows, scales) = self.score(backend, &places, &distinct, &beta_of)?;
            if places.is_empty() {
                break scales;
            }
            for ((walk, state), row) in places.iter_mut().zip(rows) {
                let scale = scales[beta_of[*walk] as usize];
                let (edge, log_p) = self.choose(row, scale, epsilon, &mut streams[*walk]);
                walks[*walk].actions.push(self.neighbours.actions[edge]);
                walks[*walk].log_p += log_p;
                state.copy_from_slice(self.neighbours.states.row(edge));
            }
        };
        drop(scales);
        if self.direction == Direction::Backward {
            walks.iter_mut().for_each(|walk| walk.actions.reverse());
        }
        Ok(walks)
    }

    fn is_end(&self, state: &[u8]) -> bool {
        match self.direction {
            Direction::Forward => self.env.is_complete(state),
            Direction::Backward => state == self.env.initial(),
        }
    }

    /// Makes sure that every place has a scored row; returns the rows, and T of every β.
    fn score(
        &mut self,
        backend: &mut dyn Backend,
        places: &[(usize, Vec<u8>)],
        betas: &[f32],
        beta_of: &[u32],
    ) -> Result<(Vec<usize>, Vec<f32>), BackendError> {
        let mut key = Vec::new();
        let mut new = States::new(self.env.state_width());
        let mut new_groups = Vec::new();
        let rows = places.iter().map(|(walk, state)| {
            let group = if self.scores_depend_on_beta { beta_of[*walk] } else { 0 };
            key.clear();
            key.extend_from_slice(state);
            key.extend_from_slice(&group.to_le_bytes());
            let (row, is_new) = self.rows.insert(&key);
            if is_new {
                new.push(state);
                new_groups.push(group);
            }
            row as usize
        });
        let rows: Vec<usize> = rows.collect();
        let first_row = self.rows.states().len() - new.len();
        self.direction.neighbours(&*self.env, &new, &mut self.neighbours);
        let mut choices = Choices::new(self.env.state_width());
        for (place, (state, &group)) in new.iter().zip(&new_groups).enumerate() {
            choices.push_row(state, group, &self.neighbours, first_row + place);
        }
        let scored = backend.edge_scores(self.direction, &choices, betas)?;
        self.scores.extend(scored.scores);
        self.offsets.extend(scored.offsets);
        Ok((rows, scored.scales))
    }

    /// Chooses an edge of a row; returns it with its log P.
    fn choose(&self, row: usize, scale: f32, epsilon: f32, stream: &mut Stream) -> (usize, f32) {
        let edges = self.neighbours.list(row);
        if edges.len() == 1 {
            return (edges.start, 0.0);
        }
        let mut logits = Vec::with_capacity(edges.len());
        let offsets = steps::offsets_of(&self.offsets, edges.clone());
        steps::logits(&self.scores[edges.clone()], offsets, scale, self.clamp, &mut logits);
        let total = steps::log_sum_exp(&logits);
        let place = if epsilon > 0.0 && stream.unit() < f64::from(epsilon) {
            stream.below(edges.len())
        } else {
            sample(logits.iter().map(|logit| f64::from(logit - total).exp()), stream.unit())
        };
        (
            edges.start + place,
            steps::clamp_log_probability(logits[place] - total, self.clamp),
        )
    }
}

/// The index whose share of the cumulated probabilities holds `unit`; rounding leaves the last one.
fn sample(probabilities: impl ExactSizeIterator<Item = f64>, unit: f64) -> usize {
    let last = probabilities.len() - 1;
    let mut sum = 0.0;
    let mut reached = probabilities.map(|p| {
        sum += p;
        sum > unit
    });
    reached.position(|r| r).unwrap_or(last)
}
