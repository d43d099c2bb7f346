//! One direction of a state-action policy on the CPU: an MLP from a state to a score for each action.
//!
//! The first layer sums columns (`one_hot`), the other hidden layers and the direction's head are one MLP on distinct states.
//! Both directions share all but the head. An edge has the score of its action; where several actions are one edge, that of
//! the action that the environment names.

use super::beta::BetaNetworks;
use super::gradient::Gradient;
use super::kernels::{add_column_sums, leaky_relu, leaky_relu_backward};
use super::matrix::{Matrix, MatrixMut};
use super::mlp::Mlp;
use super::one_hot;
use super::steps::LogitGradient;
use super::{Tape, room};
use crate::env::{Environment, Sizes};
use crate::policy::{Choices, Direction, Layout, PolicySpec};
use std::ops::Range;

/// Where the tensors lie.
#[derive(Debug)]
pub struct StateActionNetwork {
    spec: PolicySpec,
    sizes: Sizes,
    /// Weight of the first layer, `[H, features + β hidden]` or `[H, features]`, and its bias.
    first: [Range<usize>; 2],
    /// The layers above it.
    rest: Mlp,
    beta: BetaNetworks,
}

impl StateActionNetwork {
    /// The network of `direction`.
    pub fn new(layout: &Layout, direction: Direction) -> Self {
        let stem = direction.stem();
        let hidden = (1..layout.spec.layers).map(|layer| format!("forward.trunk.{}", 2 * layer));
        let layers: Vec<String> = hidden.chain([format!("{stem}.head")]).collect();
        Self {
            spec: layout.spec.clone(),
            sizes: layout.sizes,
            first: ["weight", "bias"].map(|part| layout.tensor(&format!("forward.trunk.0.{part}")).range()),
            rest: Mlp::of_layers(layout, &layers),
            beta: BetaNetworks::new(layout, stem),
        }
    }

    /// The first layer's weight by input, `[inputs, H]`.
    pub fn fold(&self, values: &[f32]) -> Vec<f32> {
        one_hot::columns(&values[self.first[0].clone()], self.spec.hidden)
    }

    /// Columns of the first layer's weight that see β.
    fn beta_columns(&self) -> Range<usize> {
        self.sizes.features..self.first[0].len() / self.spec.hidden
    }

    fn first_weight<'a>(&self, values: &'a [f32]) -> Matrix<'a> {
        let inputs = self.first[0].len() / self.spec.hidden;
        Matrix::new(&values[self.first[0].clone()], self.spec.hidden, inputs)
    }

    /// Where the score of an edge lies among the head's outputs for row `row`.
    fn place(&self, choices: &Choices, row: usize, edge: usize, output: usize) -> usize {
        let outputs = self.sizes.actions * self.spec.edge_outputs();
        row * outputs + output * self.sizes.actions + usize::from(choices.edge_action[edge])
    }

    /// Scores every edge of `choices` at `betas`, into `tape`.
    pub fn forward(
        &self,
        env: &dyn Environment,
        values: &[f32],
        columns: &[f32],
        (choices, betas): (&Choices, &[f32]),
        tape: &mut Tape,
    ) {
        self.beta.forward(values, betas, &mut tape.beta);
        let states = choices.sources.states();
        let sources = choices.row_source.iter().map(|&source| states.row(source as usize));
        let side = &mut tape.sides[0];
        side.states.fill(env, sources);
        let bias = &values[self.first[1].clone()];
        if self.beta_columns().is_empty() {
            side.states.layer(columns, bias, &mut side.hidden);
        } else {
            side.states.linear(columns, bias, &mut side.hidden);
            let weight = self.first_weight(values).columns(self.beta_columns());
            let embedded = tape.beta.project(weight, [self.spec.hidden, self.beta_columns().len()]);
            let rows = side.hidden.chunks_exact_mut(self.spec.hidden);
            for (row, &group) in rows.zip(&choices.row_group) {
                let of_beta = &embedded[group as usize * self.spec.hidden..][..self.spec.hidden];
                row.iter_mut().zip(of_beta).for_each(|(x, b)| *x += b);
            }
            leaky_relu(&mut side.hidden);
        }
        let above = self.rest.forward(values, std::mem::take(&mut side.hidden));
        let mut outputs = [std::mem::take(&mut tape.scores), std::mem::take(&mut tape.offsets)];
        for (output, scores) in outputs.iter_mut().enumerate().take(self.spec.edge_outputs()) {
            let scores = room(scores, choices.edges());
            for row in 0..choices.rows() {
                for edge in choices.row(row) {
                    scores[edge] = above.output()[self.place(choices, row, edge, output)];
                }
            }
        }
        [tape.scores, tape.offsets] = outputs;
        tape.above = Some(above);
    }

    /// Adds the gradient for what logits are made of.
    pub fn backward(
        &self,
        values: &[f32],
        (choices, tape): (&Choices, &mut Tape),
        logits: LogitGradient,
        gradient: &mut Gradient<'_>,
    ) {
        let above = tape.above.take().expect("backward follows forward");
        let mut upstream = vec![0.0; above.output().len()];
        let outputs = [&logits.scores, &logits.offsets];
        for (output, of_edges) in outputs.into_iter().enumerate().take(self.spec.edge_outputs()) {
            for row in 0..choices.rows() {
                for edge in choices.row(row) {
                    upstream[self.place(choices, row, edge, output)] += of_edges[edge];
                }
            }
        }
        let mut below = self.rest.backward(values, &above, upstream, gradient);
        leaky_relu_backward(above.input(), &mut below);
        add_column_sums(&below, &mut gradient[self.first[1].clone()]);
        let weight = &mut gradient[self.first[0].clone()];
        tape.sides[0]
            .states
            .weight_backward(&below, self.spec.hidden, &mut tape.scratch.one_hot, weight);
        let embedded = self.embedding_backward(values, (choices, tape), &below, gradient);
        self.beta
            .backward(values, &tape.beta, embedded, logits.scales, gradient);
    }

    /// Adds the gradient of the columns that see β; returns that of the embedding, `[betas, β hidden]` or empty.
    fn embedding_backward(
        &self,
        values: &[f32],
        (choices, tape): (&Choices, &Tape),
        below: &[f32],
        gradient: &mut Gradient<'_>,
    ) -> Vec<f32> {
        let (hidden, columns) = (self.spec.hidden, self.beta_columns());
        if columns.is_empty() {
            return Vec::new();
        }
        let mut of_betas = vec![0.0; tape.beta.embedded().len() / columns.len() * hidden];
        for (row, &group) in below.chunks_exact(hidden).zip(&choices.row_group) {
            let sum = &mut of_betas[group as usize * hidden..][..hidden];
            sum.iter_mut().zip(row).for_each(|(x, g)| *x += g);
        }
        let inputs = self.first[0].len() / hidden;
        let into = MatrixMut::new(&mut gradient[self.first[0].clone()], hidden, inputs).columns(columns.clone());
        let weight = self.first_weight(values).columns(columns.clone());
        tape.beta
            .project_backward(&of_betas, (weight, into), [hidden, columns.len()])
    }
}
