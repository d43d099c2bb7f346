//! One direction's network, whatever it scores, and what a pass through it leaves behind.

use super::beta::BetaTape;
use super::edges::{EdgeNetwork, Folded as FoldedEdges, TARGETS};
use super::gradient::Gradient;
use super::kept::Kept;
use super::mlp::MlpTape;
use super::one_hot::{self, OneHot};
use super::state_action::StateActionNetwork;
use super::steps::LogitGradient;
use crate::env::Environment;
use crate::policy::{Choices, Direction, Layout, Parameterization};

/// The network of one direction.
#[derive(Debug)]
pub enum Network {
    /// Scores edges.
    Edges(Box<EdgeNetwork>),
    /// Scores actions.
    StateAction(Box<StateActionNetwork>),
}

/// Products of weights that stay the same until the weights change.
#[derive(Debug)]
pub enum Folded {
    /// Of [`Network::Edges`].
    Edges(FoldedEdges),
    /// Of [`Network::StateAction`]: the first layer's weight by input, `[inputs, H]`.
    StateAction(Vec<f32>),
}

/// States in one role, encoded and projected.
#[derive(Debug, Default)]
pub struct Side {
    pub states: OneHot,
    /// `[states, H]`.
    pub hidden: Vec<f32>,
    /// `[states, E]`, where weights are not folded.
    pub embedded: Vec<f32>,
    /// `[states, H]`.
    pub projected: Vec<f32>,
}

/// What the backward pass needs. Kept from one call to the next: its buffers are the large ones of a step, and fresh
/// ones would cost a page fault per 4 KiB.
#[derive(Debug, Default)]
pub struct Tape {
    /// Sources and targets; where actions are scored only sources, one per row.
    pub sides: [Side; 2],
    pub beta: BetaTape,
    /// C·h(β), `[groups, H]`, or empty.
    pub projected_beta: Vec<f32>,
    /// Where actions are scored: the layers above the first.
    pub above: Option<MlpTape>,
    /// f, per edge.
    pub scores: Vec<f32>,
    /// g, per edge; empty when there are no offsets.
    pub offsets: Vec<f32>,
    pub scratch: Scratch,
}

impl Tape {
    /// Scores of a policy without a network: all the same.
    pub fn score_uniformly(&mut self, choices: &Choices) {
        zeros(&mut self.scores, choices.edges());
    }
}

/// Buffers of the backward pass.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Gradients of the projected states, then of their hidden layers.
    pub projected: [Vec<f32>; 2],
    pub hidden: Vec<f32>,
    /// Gradients of embedded states, and of a folded weight.
    pub embedded: Vec<f32>,
    pub weight: Vec<f32>,
    pub one_hot: one_hot::Scratch,
}

/// Makes `buffer` hold `len` zeros.
pub fn zeros(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.clear();
    buffer.resize(len, 0.0);
    buffer
}

/// Makes `buffer` hold `len` numbers that are all to be replaced.
pub fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len, 0.0);
    buffer
}

impl Network {
    /// The network of `direction`.
    pub fn new(layout: &Layout, direction: Direction) -> Self {
        match layout.spec.parameterization {
            Parameterization::Edge => Self::Edges(Box::new(EdgeNetwork::new(layout, direction))),
            Parameterization::StateAction => Self::StateAction(Box::new(StateActionNetwork::new(layout, direction))),
        }
    }

    /// Folds the weights.
    pub fn fold(&self, values: &[f32]) -> Folded {
        match self {
            Self::Edges(network) => Folded::Edges(network.fold(values)),
            Self::StateAction(network) => Folded::StateAction(network.fold(values)),
        }
    }

    /// Scores every edge of `choices` at `betas`, into `tape`; what is in `kept` is not projected again.
    ///
    /// # Panics
    /// When another network folded the weights, as in [`Self::backward`].
    pub fn forward(
        &self,
        env: &dyn Environment,
        values: &[f32],
        folded: &Folded,
        choices: (&Choices, &[f32]),
        kept: Option<&Kept>,
        tape: &mut Tape,
    ) {
        match (self, folded) {
            (Self::Edges(network), Folded::Edges(folded)) => network.forward(env, values, folded, choices, kept, tape),
            (Self::StateAction(network), Folded::StateAction(columns)) => {
                network.forward(env, values, columns, choices, tape);
            }
            _ => unreachable!("a network folds its own weights"),
        }
    }

    /// Keeps what the last pass projected.
    pub fn keep(&self, choices: &Choices, tape: &Tape, kept: &mut Kept) {
        if let Self::Edges(network) = self
            && network.keeps()
        {
            kept.keep(choices.targets.states(), &tape.sides[TARGETS].projected);
        }
    }

    /// Adds the gradient for what logits are made of.
    pub fn backward(
        &self,
        values: &[f32],
        folded: &Folded,
        pass: (&Choices, &mut Tape),
        logits: LogitGradient,
        gradient: &mut Gradient<'_>,
    ) {
        match (self, folded) {
            (Self::Edges(network), Folded::Edges(folded)) => network.backward(values, folded, pass, logits, gradient),
            (Self::StateAction(network), _) => network.backward(values, pass, logits, gradient),
            _ => unreachable!("a network folds its own weights"),
        }
    }
}
