//! One direction of a policy that scores edges, on the CPU: projected states, edge scores, and their gradients.
//!
//! The scorer's first layer is split (DESIGN.md, Speed): with scorer.0 = [A | B | C] and encoder.2 = (W₂, b₂),
//! U = A·(W₂·h + b₂) + b₁, V = B·(W₂·h + b₂), where h is the encoder's hidden layer, and
//! f(s, s', β) = w·LeakyReLU(U[s] + V[s'] + C·h(β)) + b. [`Projection`] makes U and V.

use super::beta::BetaNetworks;
use super::gradient::Gradient;
use super::kept::Kept;
use super::kernels::{self, Edges, Operands, OperandsGradient};
use super::matrix::{Matrix, MatrixMut};
use super::one_hot;
use super::projection::{self, Projection, Weights};
use super::steps::LogitGradient;
use super::{Scratch, Side, Tape, room, zeros};
use crate::env::{Environment, States};
use crate::policy::{Choices, Direction, Layout, PolicySpec};
use std::ops::Range;

/// Where one direction's tensors lie, and its small networks.
#[derive(Debug)]
pub struct EdgeNetwork {
    spec: PolicySpec,
    encoder: [Range<usize>; 4],
    scorer: [Range<usize>; 4],
    /// Of sources, then of targets.
    projections: [Projection; 2],
    beta: BetaNetworks,
}

/// Products of weights that stay the same until the weights change.
#[derive(Debug)]
pub struct Folded {
    /// First layer by feature, `[features, H]`.
    columns: Vec<f32>,
    /// Of sources, then of targets.
    projections: [Weights; 2],
}

/// Places of the two roles.
const SOURCES: usize = 0;
pub const TARGETS: usize = 1;

impl EdgeNetwork {
    /// The network of `direction`.
    pub fn new(layout: &Layout, direction: Direction) -> Self {
        let stem = direction.stem();
        let ranges = |part: &str| {
            ["0.weight", "0.bias", "2.weight", "2.bias"]
                .map(|name| layout.tensor(&format!("{stem}.{part}.{name}")).range())
        };
        let (spec, encoder, scorer) = (&layout.spec, ranges("encoder"), ranges("scorer"));
        let projections = [false, true].map(|is_target| Projection {
            hidden: spec.hidden,
            embed: spec.embed,
            part: if is_target {
                spec.embed..2 * spec.embed
            } else {
                0..spec.embed
            },
            joined: joined(spec),
            encoder: [encoder[2].clone(), encoder[3].clone()],
            scorer: [scorer[0].clone(), scorer[1].clone()],
            has_bias: !is_target,
            folds: projection::folds(spec, direction, is_target),
        });
        Self {
            spec: spec.clone(),
            encoder,
            scorer,
            projections,
            beta: BetaNetworks::new(layout, stem),
        }
    }

    /// Columns of scorer.0 that see β (C).
    fn beta_columns(&self) -> Range<usize> {
        2 * self.spec.embed..joined(&self.spec)
    }

    fn scorer_weight<'a>(&self, values: &'a [f32]) -> Matrix<'a> {
        Matrix::new(&values[self.scorer[0].clone()], self.spec.hidden, joined(&self.spec))
    }

    /// Folds the weights.
    pub fn fold(&self, values: &[f32]) -> Folded {
        Folded {
            columns: one_hot::columns(&values[self.encoder[0].clone()], self.spec.hidden),
            projections: [0, 1].map(|role| self.projections[role].fold(values)),
        }
    }

    /// Encodes and projects the states of a role, those that are not in `kept`.
    fn project(
        &self,
        env: &dyn Environment,
        values: &[f32],
        folded: &Folded,
        role: usize,
        (states, kept): (&States, Option<&Kept>),
        side: &mut Side,
    ) {
        side.states.fill(env, states.iter());
        let bias = &values[self.encoder[1].clone()];
        side.states.layer(&folded.columns, bias, &mut side.hidden);
        let (projection, weights) = (&self.projections[role], &folded.projections[role]);
        let out = room(&mut side.projected, states.len() * self.spec.hidden);
        match kept {
            Some(kept) => kept.complete(states, out, &side.hidden, |hidden, out| {
                projection.forward(values, weights, hidden, &mut Vec::new(), out);
            }),
            None => projection.forward(values, weights, &side.hidden, &mut side.embedded, out),
        }
    }

    /// Whether a backend that keeps projected targets has use for those of this network.
    pub fn keeps(&self) -> bool {
        self.projections[TARGETS].folds
    }

    /// Scores every edge of `choices` at `betas`, into `tape`.
    pub fn forward(
        &self,
        env: &dyn Environment,
        values: &[f32],
        folded: &Folded,
        (choices, betas): (&Choices, &[f32]),
        kept: Option<&Kept>,
        tape: &mut Tape,
    ) {
        let [sources, targets] = [choices.sources.states(), choices.targets.states()];
        let [of_sources, of_targets] = &mut tape.sides;
        self.project(env, values, folded, SOURCES, (sources, None), of_sources);
        let kept = kept.filter(|_| self.keeps());
        self.project(env, values, folded, TARGETS, (targets, kept), of_targets);
        self.beta.forward(values, betas, &mut tape.beta);
        let of_beta = self.beta_columns();
        tape.projected_beta = if of_beta.is_empty() {
            Vec::new()
        } else {
            let weight = self.scorer_weight(values).columns(of_beta.clone());
            tape.beta.project(weight, [self.spec.hidden, of_beta.len()])
        };
        let mut outputs = [std::mem::take(&mut tape.scores), std::mem::take(&mut tape.offsets)];
        for (output, scores) in outputs.iter_mut().enumerate().take(self.spec.edge_outputs()) {
            let bias = values[self.scorer[3].start + output];
            let out = room(scores, choices.edges());
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
            u: &tape.sides[SOURCES].projected,
            v: &tape.sides[TARGETS].projected,
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
        gradient: &mut Gradient<'_>,
    ) {
        let mut scratch = std::mem::take(&mut tape.scratch);
        let mut of_beta = vec![0.0; tape.projected_beta.len()];
        let mut projected = std::mem::take(&mut scratch.projected);
        let [u, v] = &mut projected;
        let (u, v) = (
            zeros(u, tape.sides[SOURCES].projected.len()),
            zeros(v, tape.sides[TARGETS].projected.len()),
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
        for role in [SOURCES, TARGETS] {
            let upstream = &projected[role][..];
            self.project_backward(
                values,
                folded,
                role,
                (&tape.sides[role], upstream),
                &mut scratch,
                gradient,
            );
        }
        scratch.projected = projected;
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
        (side, upstream): (&Side, &[f32]),
        scratch: &mut Scratch,
        gradient: &mut Gradient<'_>,
    ) {
        let weights = &folded.projections[role];
        self.projections[role].backward(values, weights, (side, upstream), scratch, gradient);
        let below = &mut scratch.hidden[..];
        kernels::leaky_relu_backward(&side.hidden, below);
        kernels::add_column_sums(below, &mut gradient[self.encoder[1].clone()]);
        let first = &mut gradient[self.encoder[0].clone()];
        side.states
            .weight_backward(below, self.spec.hidden, &mut scratch.one_hot, first);
    }

    /// Adds the gradient of the columns that see β; returns that of h(β), empty where there are none.
    fn embedding_backward(
        &self,
        values: &[f32],
        tape: &Tape,
        upstream: &[f32],
        gradient: &mut Gradient<'_>,
    ) -> Vec<f32> {
        let of_beta = self.beta_columns();
        if of_beta.is_empty() {
            return Vec::new();
        }
        let hidden = self.spec.hidden;
        let into = MatrixMut::new(&mut gradient[self.scorer[0].clone()], hidden, joined(&self.spec));
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

/// Inputs of the scorer.
fn joined(spec: &PolicySpec) -> usize {
    2 * spec.embed + spec.joined_beta()
}
