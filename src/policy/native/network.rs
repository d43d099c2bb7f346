//! One direction's policy network on the CPU: projected states, edge scores, and their gradients.
//!
//! The scorer's first layer is split and the encoder's last layer folded into it (DESIGN.md, Speed): with
//! scorer.0 = [A | B | C] and encoder.2 = (W₂, b₂), U = h·(A·W₂)ᵀ + (A·b₂ + b₁), V = h·(B·W₂)ᵀ + B·b₂, where h is the
//! encoder's hidden layer, and f(s, s', β) = w·LeakyReLU(U[s] + V[s'] + C·h(β)) + b.

use super::kernels::{self, Edges, Operands, OperandsGradient};
use super::matrix::{Into, Matrix, MatrixMut, multiply};
use super::mlp::{Mlp, MlpTape};
use super::steps::LogitGradient;
use crate::env::{Environment, States};
use crate::policy::spec::LOG_SCALE_LIMIT;
use crate::policy::{Choices, Direction, Layout, PolicySpec};
use std::ops::Range;

/// Where one direction's tensors lie, and its small networks.
#[derive(Debug)]
pub struct Network {
    spec: PolicySpec,
    features: usize,
    encoder: [Range<usize>; 4],
    scorer: [Range<usize>; 4],
    beta_encoder: Option<Mlp>,
    logit_scaler: Option<Mlp>,
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

/// States in one role, encoded and projected.
#[derive(Debug, Default)]
struct Side {
    ones: Vec<u32>,
    offsets: Vec<u32>,
    /// `[states, H]`.
    hidden: Vec<f32>,
    /// `[states, H]`.
    projected: Vec<f32>,
}

/// What the backward pass needs. Kept from one call to the next: its buffers are the large ones of a step, and fresh
/// ones would cost a page fault per 4 KiB.
#[derive(Debug, Default)]
pub struct Tape {
    sides: [Side; 2],
    beta: Option<MlpTape>,
    scaler: Option<MlpTape>,
    /// C·h(β), `[groups, H]`, or empty.
    projected_beta: Vec<f32>,
    /// f, per edge.
    pub scores: Vec<f32>,
    /// g, per edge; empty when there are no offsets.
    pub offsets: Vec<f32>,
    /// T(β), per β; empty when logits are not scaled.
    pub scales: Vec<f32>,
    scratch: Scratch,
}

impl Tape {
    /// Scores of a policy without a network: all the same.
    pub fn score_uniformly(&mut self, choices: &Choices) {
        zeros(&mut self.scores, choices.edges());
    }
}

/// Buffers of the backward pass.
#[derive(Debug, Default)]
struct Scratch {
    /// Gradients of the projected states, then of their hidden layers.
    projected: [Vec<f32>; 2],
    hidden: Vec<f32>,
    folded: Vec<f32>,
    columns: Vec<f32>,
}

/// Makes `buffer` hold `len` zeros.
fn zeros(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.clear();
    buffer.resize(len, 0.0);
    buffer
}

impl Network {
    /// The network of `direction`.
    pub fn new(layout: &Layout, direction: Direction) -> Self {
        let stem = match direction {
            Direction::Forward => "forward",
            Direction::Backward => "backward",
        };
        let ranges = |part: &str| {
            ["0.weight", "0.bias", "2.weight", "2.bias"]
                .map(|name| layout.tensor(&format!("{stem}.{part}.{name}")).range())
        };
        let conditioning = layout.spec.conditioning;
        let mlp = |wanted: bool, part: &str| wanted.then(|| Mlp::new(layout, &format!("{stem}.{part}")));
        Self {
            spec: layout.spec.clone(),
            features: layout.features,
            encoder: ranges("encoder"),
            scorer: ranges("scorer"),
            beta_encoder: mlp(conditioning.is_conditional(), "beta_encoder"),
            logit_scaler: mlp(conditioning.scales_logits(), "logit_scaler"),
        }
    }

    /// Columns of scorer.0 that see the source (A), the target (B) and β (C).
    fn parts(&self) -> [Range<usize>; 3] {
        let embed = self.spec.embed;
        [0..embed, embed..2 * embed, 2 * embed..self.joined()]
    }

    fn joined(&self) -> usize {
        2 * self.spec.embed
            + if self.spec.conditioning.embeds_beta() {
                self.spec.beta_hidden
            } else {
                0
            }
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
        let columns = kernels::transpose(&values[self.encoder[0].clone()], hidden, self.features);
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
        side.ones.clear();
        side.offsets.clear();
        side.offsets.push(0);
        for state in states.iter() {
            env.features(state, &mut side.ones);
            side.offsets.push(side.ones.len() as u32);
        }
        let bias = &values[self.encoder[1].clone()];
        let out = zeros(&mut side.hidden, states.len() * hidden);
        kernels::sum_columns(&side.ones, &side.offsets, &folded.columns, bias, out);
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
        tape.beta = self.beta_encoder.as_ref().map(|encoder| {
            let mut codes = Vec::with_capacity(betas.len() * self.spec.beta_features());
            betas
                .iter()
                .for_each(|&beta| self.spec.encode_policy_beta(beta, &mut codes));
            encoder.forward(values, codes)
        });
        tape.projected_beta = match &tape.beta {
            Some(tape) if self.spec.conditioning.embeds_beta() => self.project_beta(values, tape.output()),
            _ => Vec::new(),
        };
        let scaler = self.logit_scaler.as_ref().zip(tape.beta.as_ref());
        tape.scaler = scaler.map(|(scaler, tape)| scaler.forward(values, tape.output().to_vec()));
        tape.scales.clear();
        tape.scales
            .extend(tape.scaler.iter().flat_map(MlpTape::output).map(|&t| self.scale(t)));
        let mut outputs = [std::mem::take(&mut tape.scores), std::mem::take(&mut tape.offsets)];
        for (output, scores) in outputs.iter_mut().enumerate().take(self.outputs()) {
            let bias = values[self.scorer[3].start + output];
            let out = zeros(scores, choices.edges());
            kernels::score_edges(edges_of(choices), self.operands(values, tape, output), bias, out);
        }
        [tape.scores, tape.offsets] = outputs;
    }

    /// What the scorer says of an edge: f, and g where there are offsets.
    fn outputs(&self) -> usize {
        self.scorer[3].len()
    }

    /// The last weights of one of them.
    fn output_weight(&self, output: usize) -> Range<usize> {
        let start = self.scorer[2].start + output * self.spec.hidden;
        start..start + self.spec.hidden
    }

    /// T from what the scaler says.
    fn scale(&self, output: f32) -> f32 {
        if self.spec.has_positive_scale() {
            output.clamp(-LOG_SCALE_LIMIT, LOG_SCALE_LIMIT).exp()
        } else {
            output
        }
    }

    /// From the gradient for T to that for what the scaler says, in place.
    fn scale_backward(&self, tape: &Tape, scaler: &MlpTape, gradient: &mut [f32]) {
        if self.spec.has_positive_scale() {
            for ((g, t), output) in gradient.iter_mut().zip(&tape.scales).zip(scaler.output()) {
                *g *= if output.abs() < LOG_SCALE_LIMIT { *t } else { 0.0 };
            }
        }
    }

    fn project_beta(&self, values: &[f32], embedded: &[f32]) -> Vec<f32> {
        let (hidden, beta_hidden) = (self.spec.hidden, self.spec.beta_hidden);
        let groups = embedded.len() / beta_hidden;
        let mut out = vec![0.0; groups * hidden];
        let [_, _, part] = self.parts();
        let weight = self.scorer_weight(values).columns(part);
        let input = Matrix::new(embedded, groups, beta_hidden);
        multiply(
            MatrixMut::new(&mut out, groups, hidden),
            Into::Replace,
            input,
            weight.t(),
        );
        out
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
        let mut beta = vec![0.0; tape.projected_beta.len()];
        let [u, v] = &mut scratch.projected;
        let (u, v) = (
            zeros(u, tape.sides[0].projected.len()),
            zeros(v, tape.sides[1].projected.len()),
        );
        for (output, upstream) in [&logits.scores, &logits.offsets]
            .into_iter()
            .enumerate()
            .take(self.outputs())
        {
            let mut into = OperandsGradient {
                u,
                v,
                b: &mut beta,
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
        self.beta_backward(values, tape, &beta, logits.scales, gradient);
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
        let states = side.offsets.len() - 1;
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
        let columns = zeros(&mut scratch.columns, self.features * hidden);
        let first_bias = &mut gradient[self.encoder[1].clone()];
        kernels::sum_columns_backward(&side.ones, &side.offsets, &side.hidden, below, columns, first_bias);
        let first = &mut gradient[self.encoder[0].clone()];
        for (row, column) in first.chunks_exact_mut(self.features).enumerate() {
            column
                .iter_mut()
                .enumerate()
                .for_each(|(feature, g)| *g += columns[feature * hidden + row]);
        }
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

    fn beta_backward(
        &self,
        values: &[f32],
        tape: &Tape,
        projected: &[f32],
        mut scales: Vec<f32>,
        gradient: &mut [f32],
    ) {
        let (Some(encoder), Some(embedded)) = (&self.beta_encoder, &tape.beta) else {
            return;
        };
        let PolicySpec {
            hidden, beta_hidden, ..
        } = self.spec;
        let mut upstream = vec![0.0; embedded.output().len()];
        if !projected.is_empty() {
            let groups = projected.len() / hidden;
            let above = Matrix::new(projected, groups, hidden);
            let [_, _, part] = self.parts();
            let into = MatrixMut::new(&mut gradient[self.scorer[0].clone()], hidden, self.joined());
            let input = Matrix::new(embedded.output(), groups, beta_hidden);
            multiply(into.columns(part.clone()), Into::Add, above.t(), input);
            let weight = self.scorer_weight(values).columns(part);
            multiply(
                MatrixMut::new(&mut upstream, groups, beta_hidden),
                Into::Replace,
                above,
                weight,
            );
        }
        if let (Some(scaler), Some(output)) = (&self.logit_scaler, &tape.scaler) {
            self.scale_backward(tape, output, &mut scales);
            let below = scaler.backward(values, output, scales, gradient);
            upstream.iter_mut().zip(below).for_each(|(g, b)| *g += b);
        }
        encoder.backward(values, embedded, upstream, gradient);
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
