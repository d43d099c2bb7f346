//! log F(s; β) on the CPU: an MLP [features, β] → H → 1 whose first layer splits, W·[one-hot(s), code(β)] = U[s] + V[β].
//!
//! That is the form of an edge's score, so the edge kernels do it: a row per state, an edge per β asked for.

use super::gradient::Gradient;
use super::kernels::{self, Edges, Operands, OperandsGradient};
use super::matrix::{Into, Matrix, MatrixMut, multiply};
use super::one_hot::{self, OneHot};
use crate::env::Environment;
use crate::policy::{Flows, Layout, PolicySpec};
use std::ops::Range;

/// Where the tensors of log F lie.
#[derive(Debug)]
pub struct FlowNetwork {
    spec: PolicySpec,
    features: usize,
    /// First weight `[H, features + β features]`, its bias, last weight `[1, H]`, its bias.
    tensors: [Range<usize>; 4],
}

/// What the backward pass needs.
#[derive(Debug, Default)]
pub struct FlowTape {
    states: OneHot,
    /// Projected states, `[states, H]`.
    u: Vec<f32>,
    /// Projected β, `[betas, H]`.
    v: Vec<f32>,
    /// Codes of β, `[betas, β features]`.
    codes: Vec<f32>,
    row_source: Vec<u32>,
}

impl FlowNetwork {
    /// The network of a layout that has one.
    pub fn new(layout: &Layout) -> Option<Self> {
        let range = |name: &str| layout.tensor(&format!("log_flow.{name}")).range();
        layout.spec.state_flow.then(|| Self {
            spec: layout.spec.clone(),
            features: layout.sizes.features,
            tensors: ["0.weight", "0.bias", "2.weight", "2.bias"].map(range),
        })
    }

    fn first<'a>(&self, values: &'a [f32]) -> Matrix<'a> {
        let columns = self.features + self.spec.flow_beta_features();
        Matrix::new(&values[self.tensors[0].clone()], self.spec.hidden, columns)
    }

    fn beta_columns(&self) -> Range<usize> {
        self.features..self.features + self.spec.flow_beta_features()
    }

    /// log F of every row of `flows`.
    pub fn forward(&self, env: &dyn Environment, values: &[f32], flows: &Flows, betas: &[f32]) -> (Vec<f32>, FlowTape) {
        let hidden = self.spec.hidden;
        let mut tape = FlowTape {
            row_source: (0..flows.states.len() as u32).collect(),
            ..FlowTape::default()
        };
        tape.states.fill(env, flows.states.iter());
        let columns = one_hot::columns(&values[self.tensors[0].clone()], hidden);
        let bias = &values[self.tensors[1].clone()];
        tape.states.linear(&columns, bias, &mut tape.u);
        tape.v = vec![0.0; betas.len() * hidden];
        let codes = self.spec.flow_beta_features();
        if codes > 0 {
            betas
                .iter()
                .for_each(|&beta| self.spec.encode_beta(beta, &mut tape.codes));
            let input = Matrix::new(&tape.codes, betas.len(), codes);
            let weight = self.first(values).columns(self.beta_columns());
            multiply(
                MatrixMut::new(&mut tape.v, betas.len(), hidden),
                Into::Replace,
                input,
                weight.t(),
            );
        }
        let mut log_flow = vec![0.0; flows.rows()];
        let bias = values[self.tensors[3].start];
        let (edges, operands) = self.edges(values, flows, &tape);
        kernels::score_edges(edges, operands, bias, &mut log_flow);
        (log_flow, tape)
    }

    fn edges<'a>(&self, values: &'a [f32], flows: &'a Flows, tape: &'a FlowTape) -> (Edges<'a>, Operands<'a>) {
        let edges = Edges {
            row_source: &tape.row_source,
            row_group: &tape.row_source,
            offsets: &flows.offsets,
            target: &flows.row_beta,
        };
        let operands = Operands {
            u: &tape.u,
            v: &tape.v,
            b: &[],
            w: &values[self.tensors[2].clone()],
        };
        (edges, operands)
    }

    /// Adds the gradient for `upstream` (per row).
    pub fn backward(
        &self,
        values: &[f32],
        flows: &Flows,
        tape: &FlowTape,
        upstream: &[f32],
        gradient: &mut Gradient<'_>,
    ) {
        let hidden = self.spec.hidden;
        let (mut u, mut v) = (vec![0.0; tape.u.len()], vec![0.0; tape.v.len()]);
        let (edges, operands) = self.edges(values, flows, tape);
        let mut into = OperandsGradient {
            u: &mut u,
            v: &mut v,
            b: &mut [],
            w: &mut gradient[self.tensors[2].clone()],
        };
        kernels::score_edges_backward(edges, operands, upstream, &mut into);
        gradient[self.tensors[3].start] += upstream.iter().sum::<f32>();
        kernels::add_column_sums(&u, &mut gradient[self.tensors[1].clone()]);
        let width = self.features + self.spec.flow_beta_features();
        let first = &mut gradient[self.tensors[0].clone()];
        tape.states
            .weight_backward(&u, hidden, &mut one_hot::Scratch::default(), first);
        let codes = self.spec.flow_beta_features();
        if codes > 0 {
            let betas = v.len() / hidden;
            let above = Matrix::new(&v, betas, hidden);
            let into = MatrixMut::new(&mut gradient[self.tensors[0].clone()], hidden, width);
            let input = Matrix::new(&tape.codes, betas, codes);
            multiply(into.columns(self.beta_columns()), Into::Add, above.t(), input);
        }
    }
}
