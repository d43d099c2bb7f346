//! Which distinct states and edges a batch of steps touches, in flat arrays. No arithmetic here.
//!
//! A *row* is one softmax: a state in one direction, for one group of β. Conditionings whose scores do not depend on
//! β have one group, so trajectories at any β share their rows; the others have a group per distinct β.

use super::PolicySpec;
use crate::env::{Action, Environment, Neighbours, StateIndex, States};
use crate::rollout::Paths;
use crate::spread;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

/// Towards complete objects or back to the initial state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Children, P_F.
    Forward,
    /// Parents, P_B.
    Backward,
}

impl Direction {
    /// What the names of its tensors begin with.
    pub fn stem(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
        }
    }

    /// The neighbours of each state in this direction.
    pub fn neighbours(self, env: &dyn Environment, states: &States, out: &mut Neighbours) {
        match self {
            Self::Forward => env.children(states, out),
            Self::Backward => env.parents(states, out),
        }
    }
}

/// Rows of edges in one direction, and the steps that choose among them.
#[derive(Debug, Clone)]
pub struct Choices {
    /// Distinct states that choose.
    pub sources: StateIndex,
    /// Distinct neighbours.
    pub targets: StateIndex,
    /// The source of each row; `[rows]`.
    pub row_source: Vec<u32>,
    /// The β group of each row; `[rows]`.
    pub row_group: Vec<u32>,
    /// Edges of row r are `offsets[r]..offsets[r + 1]`; `[rows + 1]`.
    pub offsets: Vec<u32>,
    /// The target of each edge.
    pub edge_target: Vec<u32>,
    /// The forward action of each edge (for parents too: the one that leads back from there).
    pub edge_action: Vec<Action>,
    /// Row of each step; `[steps]`.
    pub step_row: Vec<u32>,
    /// Chosen edge of each step (a number into the edges); `[steps]`.
    pub step_edge: Vec<u32>,
    /// Trajectory of each step; `[steps]`, rising.
    pub step_trajectory: Vec<u32>,
    /// Place of each step in its trajectory: from its state `place` to `place + 1`, in forward order; `[steps]`.
    pub step_place: Vec<u32>,
}

impl Choices {
    /// No rows yet.
    pub fn new(width: usize) -> Self {
        Self {
            sources: StateIndex::new(width),
            targets: StateIndex::new(width),
            row_source: Vec::new(),
            row_group: Vec::new(),
            offsets: vec![0],
            edge_target: Vec::new(),
            edge_action: Vec::new(),
            step_row: Vec::new(),
            step_edge: Vec::new(),
            step_trajectory: Vec::new(),
            step_place: Vec::new(),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.row_source.len()
    }

    /// Number of edges.
    pub fn edges(&self) -> usize {
        self.edge_target.len()
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.step_row.len()
    }

    /// The edges of a row.
    pub fn row(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// Adds a row whose neighbours are list `list` of `neighbours`; returns its number.
    pub fn push_row(&mut self, source: &[u8], group: u32, neighbours: &Neighbours, list: usize) -> u32 {
        let (source, _) = self.sources.insert(source);
        let row = self.row_source.len() as u32;
        self.row_source.push(source);
        self.row_group.push(group);
        for edge in neighbours.list(list) {
            let (target, _) = self.targets.insert(neighbours.states.row(edge));
            self.edge_target.push(target);
            self.edge_action.push(neighbours.actions[edge]);
        }
        self.offsets.push(self.edge_target.len() as u32);
        row
    }

    /// The choices along `paths` in one direction; path i has β group `groups[i]`. A step with a single neighbour has
    /// probability 1 and is left out.
    pub fn along(env: &dyn Environment, direction: Direction, paths: &Paths, groups: &[u32]) -> Self {
        let mut choices = Self::new(env.state_width());
        let states = paths.states.states();
        let mut neighbours = Neighbours::new(env.state_width());
        direction.neighbours(env, states, &mut neighbours);
        let mut rows: HashMap<(u32, u32), u32, FxBuildHasher> = HashMap::default();
        for (trajectory, &group) in groups.iter().enumerate() {
            for (place, pair) in paths.path(trajectory).windows(2).enumerate() {
                let (source, target) = match direction {
                    Direction::Forward => (pair[0], pair[1]),
                    Direction::Backward => (pair[1], pair[0]),
                };
                if neighbours.list(source as usize).len() < 2 {
                    continue;
                }
                let row = *rows.entry((source, group)).or_insert_with(|| {
                    choices.push_row(states.row(source as usize), group, &neighbours, source as usize)
                });
                choices.push_step(row, states.row(target as usize));
                choices.step_trajectory.push(trajectory as u32);
                choices.step_place.push(place as u32);
            }
        }
        choices
    }

    fn push_step(&mut self, row: u32, chosen: &[u8]) {
        let target = self.targets.get(chosen).expect("a step leads to a neighbour");
        let edges = self.row(row as usize);
        let place = self.edge_target[edges.clone()].iter().position(|&t| t == target);
        self.step_row.push(row);
        self.step_edge
            .push((edges.start + place.expect("a step leads to a neighbour")) as u32);
    }

    /// Sums a value per step into a value per trajectory.
    pub fn sum_by_trajectory(&self, per_step: &[f32], trajectories: usize) -> Vec<f64> {
        let mut sums = vec![0.0; trajectories];
        for (&trajectory, &value) in self.step_trajectory.iter().zip(per_step) {
            sums[trajectory as usize] += f64::from(value);
        }
        sums
    }
}

/// What a training step sees: forward and backward choices along the same paths, and their β.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Choices of P_F.
    pub forward: Choices,
    /// Choices of P_B.
    pub backward: Choices,
    /// Distinct β; `[groups]`.
    pub betas: Vec<f32>,
    /// The β of each trajectory, as a number into `betas`; `[trajectories]`.
    pub beta_of: Vec<u32>,
    /// The states whose flow is asked for, where the policy has a network for it.
    pub flows: Option<Flows>,
}

impl Batch {
    /// The batch of `paths` at `betas` (one per path).
    pub fn new(env: &dyn Environment, spec: &PolicySpec, paths: &Paths, betas: &[f32]) -> Self {
        assert_eq!(paths.len(), betas.len(), "one β per path");
        let (distinct, beta_of) = group_betas(betas);
        let groups = if spec.conditioning.embeds_beta() {
            beta_of.clone()
        } else {
            vec![0; betas.len()]
        };
        let along = |direction| Choices::along(env, direction, paths, &groups);
        let (forward, backward) = spread::both(|| along(Direction::Forward), || along(Direction::Backward));
        Self {
            forward,
            backward,
            flows: spec.state_flow.then(|| Flows::along(env, paths, &beta_of)),
            betas: distinct,
            beta_of,
        }
    }

    /// Number of trajectories.
    pub fn len(&self) -> usize {
        self.beta_of.len()
    }

    /// True when there is no trajectory.
    pub fn is_empty(&self) -> bool {
        self.beta_of.is_empty()
    }

    /// The choices of a direction.
    pub fn choices(&self, direction: Direction) -> &Choices {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Backward => &self.backward,
        }
    }
}

/// States with the β at which their flow log F(s; β) is asked for. A row is a pair of both; rows are sorted by state.
#[derive(Debug, Clone)]
pub struct Flows {
    /// Distinct states.
    pub states: States,
    /// Rows of state s are `offsets[s]..offsets[s + 1]`; `[states + 1]`.
    pub offsets: Vec<u32>,
    /// β of each row, as a number into the batch's; `[rows]`.
    pub row_beta: Vec<u32>,
    /// Row of each visited state, trajectory after trajectory; each ends with [`Self::STOPPED`].
    pub visit_row: Vec<u32>,
    /// Visits of trajectory i are `visits[i]..visits[i + 1]`; `[trajectories + 1]`.
    pub visits: Vec<u32>,
}

impl Flows {
    /// Stands for the object itself, after the step that stops: its flow is the reward, not a row.
    pub const STOPPED: u32 = u32::MAX;

    fn along(env: &dyn Environment, paths: &Paths, beta_of: &[u32]) -> Self {
        // Where stopping is a step of its own, the last state of a path is the stopped object.
        let open = |i| {
            let path = paths.path(i);
            &path[..path.len() - usize::from(!env.stop_is_implied())]
        };
        let pairs = |i: usize| open(i).iter().map(move |&state| (state, beta_of[i]));
        let mut rows: Vec<(u32, u32)> = (0..paths.len()).flat_map(pairs).collect();
        rows.sort_unstable();
        rows.dedup();
        let (mut visit_row, mut visits) = (Vec::new(), vec![0]);
        for i in 0..paths.len() {
            visit_row.extend(pairs(i).map(|pair| rows.binary_search(&pair).expect("every visit has a row") as u32));
            visit_row.push(Self::STOPPED);
            visits.push(visit_row.len() as u32);
        }
        let mut flows = Self {
            states: States::new(env.state_width()),
            offsets: vec![0],
            row_beta: rows.iter().map(|row| row.1).collect(),
            visit_row,
            visits,
        };
        for of_state in rows.chunk_by(|a, b| a.0 == b.0) {
            flows.states.push(paths.states.states().row(of_state[0].0 as usize));
            flows
                .offsets
                .push(flows.offsets.last().copied().unwrap_or(0) + of_state.len() as u32);
        }
        flows
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.row_beta.len()
    }
}

/// Distinct β in order of appearance, and the number of each β among them.
pub fn group_betas(betas: &[f32]) -> (Vec<f32>, Vec<u32>) {
    let mut numbers: HashMap<u32, u32, FxBuildHasher> = HashMap::default();
    let mut distinct = Vec::new();
    let numbered = betas.iter().map(|beta| {
        *numbers.entry(beta.to_bits()).or_insert_with(|| {
            distinct.push(*beta);
            distinct.len() as u32 - 1
        })
    });
    let numbered = numbered.collect();
    (distinct, numbered)
}
