//! Walks through the state graph by a policy, many at once: forward with P_F, backward with P_B.
//!
//! Every distinct state is scored once. Where scores do not depend on β they are kept until the weights change, and
//! serve every later walk at any β.

use crate::env::{Action, Environment, Neighbours, StateIndex, States};
use crate::policy::native::steps::{self, Clamp};
use crate::policy::{Backend, BackendError, Choices, Direction, PolicySpec, choices::group_betas};
use crate::random::Stream;
use std::sync::Arc;

/// Edges kept between walks; past this the memory starts anew. 4 Mi edges take about 120 MB with 8-byte states.
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
    /// Where each edge leads: a row, or one of [`UNKNOWN`] and [`END`]. A state that was met before is found without looking
    /// at it.
    next: Vec<u32>,
    scores: Vec<f32>,
    /// Empty when the policy has none.
    offsets: Vec<f32>,
}

/// Nobody went along this edge yet.
const UNKNOWN: u32 = u32::MAX;
/// Here walks end.
const END: u32 = u32::MAX - 1;

/// A walk that has not ended.
struct Place {
    walk: usize,
    /// The edge it came by; None at its start.
    came_by: Option<usize>,
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
            next: Vec::new(),
            scores: Vec::new(),
            offsets: Vec::new(),
        }
    }

    /// Forgets all scores; to be called when the weights change.
    pub fn forget(&mut self) {
        self.rows.clear();
        self.neighbours.clear();
        self.next.clear();
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
        let new_walk = |_| Walk {
            actions: Vec::with_capacity(self.env.max_steps()),
            log_p: 0.0,
        };
        let mut walks: Vec<Walk> = (0..starts.len()).map(new_walk).collect();
        let new_place = |walk| Place { walk, came_by: None };
        let mut places: Vec<Place> = (0..starts.len()).map(new_place).collect();
        let (mut rows, mut logits) = (Vec::with_capacity(places.len()), Vec::new());
        let mut scales = Vec::new();
        loop {
            let choices = self.arrive((starts, &beta_of), &mut places, &mut rows);
            if places.is_empty() {
                break;
            }
            // T(β) is the same at every step. Where scores do not depend on β, any β will do for those of new rows.
            let first = scales.is_empty();
            let betas = if first || self.scores_depend_on_beta {
                &distinct
            } else {
                &distinct[..1]
            };
            if first || choices.rows() > 0 {
                let scored = backend.edge_scores(self.direction, &choices, betas)?;
                self.scores.extend(scored.scores);
                self.offsets.extend(scored.offsets);
                if first {
                    scales = scored.scales;
                }
            }
            for (place, &row) in places.iter_mut().zip(&rows) {
                let (walk, scale) = (&mut walks[place.walk], scales[beta_of[place.walk] as usize]);
                let (edge, log_p) = self.choose(row as usize, scale, epsilon, &mut streams[place.walk], &mut logits);
                walk.actions.push(self.neighbours.actions[edge]);
                walk.log_p += log_p;
                place.came_by = Some(edge);
            }
        }
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

    /// Takes out the places where walks end, and puts the row of each of the others in `rows`; returns the rows that are new,
    /// which have no scores yet.
    fn arrive(
        &mut self,
        (starts, beta_of): (&States, &[u32]),
        places: &mut Vec<Place>,
        rows: &mut Vec<u32>,
    ) -> Choices {
        let mut new = New {
            states: States::new(self.env.state_width()),
            groups: Vec::new(),
            key: Vec::new(),
        };
        rows.clear();
        places.retain(|place| {
            let group = if self.scores_depend_on_beta {
                beta_of[place.walk]
            } else {
                0
            };
            let row = match place.came_by {
                None => self.find(starts.row(place.walk), group, &mut new),
                Some(edge) if self.next[edge] == UNKNOWN => {
                    let state = self.neighbours.states.row(edge).to_vec();
                    let row = self.find(&state, group, &mut new);
                    self.next[edge] = row;
                    row
                }
                Some(edge) => self.next[edge],
            };
            rows.extend((row != END).then_some(row));
            row != END
        });
        let first_row = self.rows.states().len() - new.states.len();
        self.direction.neighbours(&*self.env, &new.states, &mut self.neighbours);
        self.next.resize(self.neighbours.actions.len(), UNKNOWN);
        let mut choices = Choices::new(self.env.state_width());
        for (place, (state, &group)) in new.states.iter().zip(&new.groups).enumerate() {
            choices.push_row(state, group, &self.neighbours, first_row + place);
        }
        choices
    }

    /// The row of a state, or [`END`]; a row that is new is added to `new`.
    fn find(&mut self, state: &[u8], group: u32, new: &mut New) -> u32 {
        if self.is_end(state) {
            return END;
        }
        new.key.clear();
        new.key.extend_from_slice(state);
        new.key.extend_from_slice(&group.to_le_bytes());
        let (row, is_new) = self.rows.insert(&new.key);
        if is_new {
            new.states.push(state);
            new.groups.push(group);
        }
        row
    }

    /// Chooses an edge of a row; returns it with its log P.
    fn choose(&self, row: usize, scale: f32, epsilon: f32, stream: &mut Stream, logits: &mut Vec<f32>) -> (usize, f32) {
        let edges = self.neighbours.list(row);
        if edges.len() == 1 {
            return (edges.start, 0.0);
        }
        let offsets = steps::offsets_of(&self.offsets, edges.clone());
        steps::logits(&self.scores[edges.clone()], offsets, scale, self.clamp, logits);
        let total = steps::log_sum_exp(logits);
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

/// Rows that were not there before.
struct New {
    states: States,
    /// The β group of each.
    groups: Vec<u32>,
    /// A buffer for the key of a row.
    key: Vec<u8>,
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
