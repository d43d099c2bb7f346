//! One direction of a policy that scores edges, on the CPU: projected states, edge scores, and their gradients.
//!
//! The scorer's first layer is split and the encoder's last layer folded into it (DESIGN.md, Speed): with
//! scorer.0 = [A | B | C] and encoder.2 = (W₂, b₂), U = h·(A·W₂)ᵀ + (A·b₂ + b₁), V = h·(B·W₂)ᵀ + B·b₂, where h is the
//! encoder's hidden layer, and f(s, s', β) = w·LeakyReLU(U[s] + V[s'] + C·h(β)) + b.

use super::beta::BetaNetworks;
use super::kernels::{self, Edges, Operands, OperandsGradient};
use super::matrix::{Into, Matrix, MatrixMut, multiply};
use super::one_hot;
use super::steps::LogitGradient;
use super::{Scratch, Side, Tape, zeros};
use crate::env::{Environment, States};
use crate::policy::{Choices, Direction, Layout, PolicySpec};
use std::ops::Range;

/// Where one direction's tensors lie, and its small networks.
#[derive(Debug)]
pub struct EdgeNetwork {
    spec: PolicySpec,
    encoder: [Range<usize>; 4],
    scorer: [Range<usize>; 4],
    beta: BetaNetworks,
}

/// Products of weights that stay the same until the weights change.
#[derive(Debug)]
pub struct Folded {
    /// First layer by feature, `[features, H]`.
    columns: Vec<f32>,
    /// For sources, then for targets.
    roles: [Role; 2],
}

#[derive(Debug)]
struct Role {
    /// A·W₂ or B·W₂, `[H, H]`.
    weight: Vec<f32>,
    /// `[H]`.
    bias: Vec<f32>,
}

impl EdgeNetwork {
    /// The network of `direction`.
    pub fn new(layout: &Layout, direction: Direction) -> Self {
        let stem = direction.stem();
        let ranges = |part: &str| {
            ["0.weight", "0.bias", "2.weight", "2.bias"]
                .map(|name| layout.tensor(&format!("{stem}.{part}.{name}")).range())
        };
        Self {
            spec: layout.spec.clone(),
            encoder: ranges("encoder"),
            scorer: ranges("scorer"),
            beta: BetaNetworks::new(layout, stem),
        }
    }

    /// Columns of scorer.0 that see the source (A), the target (B) and β (C).
    fn parts(&self) -> [Range<usize>; 3] {
        let embed = self.spec.embed;
        [0..embed, embed..2 * embed, 2 * embed..self.joined()]
    }

    fn joined(&self) -> usize {
        2 * self.spec.embed + self.spec.joined_beta()
    }

    fn scorer_weight<'a>(&self, values: &'a [f32]) -> Matrix<'a> {
        Matrix::new(&values[self.scorer[0].clone()], self.spec.hidden, self.joined())
    }

    fn encoder_output<'a>(&self, values: &'a [f32]) -> Matrix<'a> {
        Matrix::new(&values[self.encoder[2].clone()], self.spec.embed, self.spec.hidden)
    }

    /// Folds the weights.
    pub fn fold(&self, values: &[f32]) -> Folded {
        let (hidden, embed) = (self.spec.hidden, self.spec.embed);
        let columns = one_hot::columns(&values[self.encoder[0].clone()], hidden);
        let encoder_bias = Matrix::new(&values[self.encoder[3].clone()], embed, 1);
        let [a, b, _] = self.parts();
        let roles = [(a, self.scorer[1].clone()), (b, 0..0)].map(|(part, own_bias)| {
            let part = self.scorer_weight(values).columns(part);
            let mut weight = vec![0.0; hidden * hidden];
            multiply(
                MatrixMut::new(&mut weight, hidden, hidden),
                Into::Replace,
                part,
                self.encoder_output(values),
            );
            let mut bias = if own_bias.is_empty() {
                vec![0.0; hidden]
            } else {
                values[own_bias].to_vec()
            };
            multiply(MatrixMut::new(&mut bias, hidden, 1), Into::Add, part, encoder_bias);
            Role { weight, bias }
        });
        Folded { columns, roles }
    }

    fn project(
        &self,
        env: &dyn Environment,
        values: &[f32],
        folded: &Folded,
        role: usize,
        states: &States,
        side: &mut Side,
    ) {
        let hidden = self.spec.hidden;
        side.states.fill(env, states.iter());
        let bias = &values[self.encoder[1].clone()];
        side.states.layer(&folded.columns, bias, &mut side.hidden);
        let Role { weight, bias } = &folded.roles[role];
        let out = zeros(&mut side.projected, states.len() * hidden);
        kernels::broadcast(bias, out);
        let (input, weight) = (
            Matrix::new(&side.hidden, states.len(), hidden),
            Matrix::new(weight, hidden, hidden),
        );
        multiply(MatrixMut::new(out, states.len(), hidden), Into::Add, input, weight.t());
    }

    /// Scores every edge of `choices` at `betas`, into `tape`.
    pub fn forward(
        &self,
        env: &dyn Environment,
        values: &[f32],
        folded: &Folded,
        (choices, betas): (&Choices, &[f32]),
        tape: &mut Tape,
    ) {
        for (role, states) in [choices.sources.states(), choices.targets.states()]
            .into_iter()
            .enumerate()
        {
            self.project(env, values, folded, role, states, &mut tape.sides[role]);
        }
        self.beta.forward(values, betas, &mut tape.beta);
        let [_, _, of_beta] = self.parts();
        tape.projected_beta = if of_beta.is_empty() {
            Vec::new()
        } else {
            let weight = self.scorer_weight(values).columns(of_beta.clone());
            tape.beta.project(weight, [self.spec.hidden, of_beta.len()])
        };
        let mut outputs = [std::mem::take(&mut tape.scores), std::mem::take(&mut tape.offsets)];
        for (output, scores) in outputs.iter_mut().enumerate().take(self.spec.edge_outputs()) {
            let bias = values[self.scorer[3].start + output];
            let out = zeros(scores, choices.edges());
            kernels::score_edges(edges_of(choices), self.operands(values, tape, output), bias, out);
        }
        [tape.scores, tape.offsets] = outputs;
    }

    /// The last weights of f, or of g.
    fn output_weight(&self, output: usize) -> Range<usize> {
        let start = self.scorer[2].start + output * self.spec.hidden;
        start..start + self.spec.hidden
    }

    fn operands<'a>(&self, values: &'a [f32], tape: &'a Tape, output: usize) -> Operands<'a> {
        Operands {
            u: &tape.sides[0].projected,
            v: &tape.sides[1].projected,
            b: &tape.projected_beta,
            w: &values[self.output_weight(output)],
        }
    }

    /// Adds the gradient for what logits are made of.
    pub fn backward(
        &self,
        values: &[f32],
        folded: &Folded,
        (choices, tape): (&Choices, &mut Tape),
        logits: LogitGradient,
        gradient: &mut [f32],
    ) {
        let mut scratch = std::mem::take(&mut tape.scratch);
        let mut of_beta = vec![0.0; tape.projected_beta.len()];
        let [u, v] = &mut scratch.projected;
        let (u, v) = (
            zeros(u, tape.sides[0].projected.len()),
            zeros(v, tape.sides[1].projected.len()),
        );
        for (output, upstream) in [&logits.scores, &logits.offsets]
            .into_iter()
            .enumerate()
            .take(self.spec.edge_outputs())
        {
            let mut into = OperandsGradient {
                u,
                v,
                b: &mut of_beta,
                w: &mut gradient[self.output_weight(output)],
            };
            kernels::score_edges_backward(
                edges_of(choices),
                self.operands(values, tape, output),
                upstream,
                &mut into,
            );
            gradient[self.scorer[3].start + output] += upstream.iter().sum::<f32>();
        }
        for role in [0, 1] {
            self.project_backward(values, folded, role, &tape.sides[role], &mut scratch, gradient);
        }
        let embedded = self.embedding_backward(values, tape, &of_beta, gradient);
        self.beta
            .backward(values, &tape.beta, embedded, logits.scales, gradient);
        tape.scratch = scratch;
    }

    fn project_backward(
        &self,
        values: &[f32],
        folded: &Folded,
        role: usize,
        side: &Side,
        scratch: &mut Scratch,
        gradient: &mut [f32],
    ) {
        let hidden = self.spec.hidden;
        let states = side.states.len();
        let upstream = &scratch.projected[role][..];
        let (above, input) = (
            Matrix::new(upstream, states, hidden),
            Matrix::new(&side.hidden, states, hidden),
        );
        let weight = zeros(&mut scratch.folded, hidden * hidden);
        multiply(MatrixMut::new(weight, hidden, hidden), Into::Replace, above.t(), input);
        let mut bias = vec![0.0; hidden];
        kernels::add_column_sums(upstream, &mut bias);
        self.unfold(values, role, weight, &bias, gradient);

        let below = zeros(&mut scratch.hidden, states * hidden);
        let folded_weight = Matrix::new(&folded.roles[role].weight, hidden, hidden);
        multiply(
            MatrixMut::new(below, states, hidden),
            Into::Replace,
            above,
            folded_weight,
        );
        kernels::leaky_relu_backward(&side.hidden, below);
        kernels::add_column_sums(below, &mut gradient[self.encoder[1].clone()]);
        let first = &mut gradient[self.encoder[0].clone()];
        side.states.weight_backward(below, hidden, &mut scratch.one_hot, first);
    }

    /// From the gradient of a folded weight P·W₂ and bias P·b₂ (+ b₁) to those of P, W₂, b₂ and b₁.
    fn unfold(&self, values: &[f32], role: usize, weight: &[f32], bias: &[f32], gradient: &mut [f32]) {
        let PolicySpec { hidden, embed, .. } = self.spec;
        let part = self.parts()[role].clone();
        let folded = Matrix::new(weight, hidden, hidden);
        let folded_bias = Matrix::new(bias, hidden, 1);
        let scorer = &mut gradient[self.scorer[0].clone()];
        let into = MatrixMut::new(scorer, hidden, self.joined()).columns(part.clone());
        multiply(into, Into::Add, folded, self.encoder_output(values).t());
        let encoder_bias = Matrix::new(&values[self.encoder[3].clone()], 1, embed);
        let into = MatrixMut::new(scorer, hidden, self.joined()).columns(part.clone());
        multiply(into, Into::Add, folded_bias, encoder_bias);
        let part = self.scorer_weight(values).columns(part);
        let into = MatrixMut::new(&mut gradient[self.encoder[2].clone()], embed, hidden);
        multiply(into, Into::Add, part.t(), folded);
        let into = MatrixMut::new(&mut gradient[self.encoder[3].clone()], embed, 1);
        multiply(into, Into::Add, part.t(), folded_bias);
        if role == 0 {
            gradient[self.scorer[1].clone()]
                .iter_mut()
                .zip(bias)
                .for_each(|(g, b)| *g += b);
        }
    }

    /// Adds the gradient of the columns that see β; returns that of h(β), empty where there are none.
    fn embedding_backward(&self, values: &[f32], tape: &Tape, upstream: &[f32], gradient: &mut [f32]) -> Vec<f32> {
        let [_, _, of_beta] = self.parts();
        if of_beta.is_empty() {
            return Vec::new();
        }
        let hidden = self.spec.hidden;
        let into = MatrixMut::new(&mut gradient[self.scorer[0].clone()], hidden, self.joined());
        let weight = self.scorer_weight(values).columns(of_beta.clone());
        let parts = (weight, into.columns(of_beta.clone()));
        tape.beta.project_backward(upstream, parts, [hidden, of_beta.len()])
    }
}

fn edges_of(choices: &Choices) -> Edges<'_> {
    Edges {
        row_source: &choices.row_source,
        row_group: &choices.row_group,
        offsets: &choices.offsets,
        target: &choices.edge_target,
    }
}
