//! What a scorer's first layer sees of a state in one role: P·(W₂·h + b₂), where h is the encoder's hidden layer and P the
//! columns of scorer.0 for the role (A for sources, B for targets).
//!
//! P·W₂ can be multiplied once per weights instead (DESIGN.md, Speed: folding). That takes H²E multiplications, and as many
//! again for each of two gradients, and saves H·(2E − H) for each state and pass, so it pays only for many states.

use super::gradient::Gradient;
use super::kernels::{add_column_sums, broadcast};
use super::matrix::{Into, Matrix, MatrixMut, multiply};
use super::{Scratch, Side, room};
use crate::policy::{Direction, PolicySpec};
use crate::spread;
use std::ops::Range;

/// So many states of a role, at least, are in a usual batch. Targets of P_F are far more: all neighbours of its states.
const USUAL_STATES: usize = 256;

/// One role of one direction: sizes H and E, and where its tensors lie.
#[derive(Debug)]
pub struct Projection {
    pub hidden: usize,
    pub embed: usize,
    /// Columns of scorer.0 for this role, and how many it has in all.
    pub part: Range<usize>,
    pub joined: usize,
    /// encoder.2 and scorer.0, weight and bias.
    pub encoder: [Range<usize>; 2],
    pub scorer: [Range<usize>; 2],
    /// The bias of scorer.0 is added to sources.
    pub has_bias: bool,
    /// Whether P·W₂ is made.
    pub folds: bool,
}

/// Products of weights that stay the same until the weights change.
#[derive(Debug)]
pub enum Weights {
    /// P·W₂, `[H, H]`, and its bias, `[H]`.
    Folded(Vec<f32>, Vec<f32>),
    /// As they are.
    Plain,
}

/// Whether the weights of a role should be folded. It depends on sizes alone, never on how many states there are: results are
/// the same to the bit for any split of the work over actors.
pub fn folds(spec: &PolicySpec, direction: Direction, is_target: bool) -> bool {
    let saved = (2 * spec.embed).saturating_sub(spec.hidden);
    let has_many = is_target && direction == Direction::Forward;
    saved > 0 && (has_many || spec.hidden * spec.embed <= USUAL_STATES * saved)
}

impl Projection {
    fn part<'a>(&self, values: &'a [f32]) -> Matrix<'a> {
        let scorer = &values[self.scorer[0].clone()];
        Matrix::new(scorer, self.hidden, self.joined).columns(self.part.clone())
    }

    fn part_of_gradient<'a>(&self, gradient: &'a mut Gradient<'_>) -> MatrixMut<'a> {
        let scorer = &mut gradient[self.scorer[0].clone()];
        MatrixMut::new(scorer, self.hidden, self.joined).columns(self.part.clone())
    }

    /// W₂, `[E, H]`.
    fn encoder<'a>(&self, values: &'a [f32]) -> Matrix<'a> {
        Matrix::new(&values[self.encoder[0].clone()], self.embed, self.hidden)
    }

    fn bias(&self, values: &[f32]) -> Vec<f32> {
        if self.has_bias {
            values[self.scorer[1].clone()].to_vec()
        } else {
            vec![0.0; self.hidden]
        }
    }

    /// Folds the weights, where that pays.
    pub fn fold(&self, values: &[f32]) -> Weights {
        if !self.folds {
            return Weights::Plain;
        }
        let (hidden, embed) = (self.hidden, self.embed);
        let (part, mut weight) = (self.part(values), vec![0.0; hidden * hidden]);
        let out = MatrixMut::new(&mut weight, hidden, hidden);
        multiply(out, Into::Replace, part, self.encoder(values));
        let mut bias = self.bias(values);
        let encoder_bias = Matrix::new(&values[self.encoder[1].clone()], embed, 1);
        multiply(MatrixMut::new(&mut bias, hidden, 1), Into::Add, part, encoder_bias);
        Weights::Folded(weight, bias)
    }

    /// Projects hidden layers `[n, H]` into `out`, `[n, H]`. `embedded` gets e(s), `[n, E]`, where weights are not folded.
    pub fn forward(&self, values: &[f32], weights: &Weights, hidden: &[f32], embedded: &mut Vec<f32>, out: &mut [f32]) {
        let (h, embed) = (self.hidden, self.embed);
        let n = hidden.len() / h;
        let hidden = Matrix::new(hidden, n, h);
        match weights {
            Weights::Folded(weight, bias) => {
                broadcast(bias, out);
                let weight = Matrix::new(weight, h, h);
                multiply(MatrixMut::new(out, n, h), Into::Add, hidden, weight.t());
            }
            Weights::Plain => {
                let embedded = room(embedded, n * embed);
                broadcast(&values[self.encoder[1].clone()], embedded);
                let into = MatrixMut::new(embedded, n, embed);
                multiply(into, Into::Add, hidden, self.encoder(values).t());
                broadcast(&self.bias(values), out);
                let embedded = Matrix::new(embedded, n, embed);
                multiply(MatrixMut::new(out, n, h), Into::Add, embedded, self.part(values).t());
            }
        }
    }

    /// Adds the gradient for `upstream` (of what was projected, `[n, H]`) to that of the weights; leaves that of the hidden
    /// layer in `scratch.hidden`.
    pub fn backward(
        &self,
        values: &[f32],
        weights: &Weights,
        (side, upstream): (&Side, &[f32]),
        scratch: &mut Scratch,
        gradient: &mut Gradient<'_>,
    ) {
        let (h, embed) = (self.hidden, self.embed);
        let n = side.states.len();
        let (above, hidden) = (Matrix::new(upstream, n, h), Matrix::new(&side.hidden, n, h));
        let mut bias = vec![0.0; h];
        add_column_sums(upstream, &mut bias);
        if self.has_bias {
            let into = gradient[self.scorer[1].clone()].iter_mut();
            into.zip(&bias).for_each(|(g, b)| *g += b);
        }
        let below = room(&mut scratch.hidden, n * h);
        match weights {
            Weights::Folded(weight, _) => {
                let of_weight = room(&mut scratch.weight, h * h);
                let weight = Matrix::new(weight, h, h);
                spread::both(
                    || multiply(MatrixMut::new(below, n, h), Into::Replace, above, weight),
                    || {
                        multiply(MatrixMut::new(of_weight, h, h), Into::Replace, above.t(), hidden);
                        self.unfold(values, of_weight, &bias, gradient);
                    },
                );
            }
            Weights::Plain => {
                let embedded = Matrix::new(&side.embedded, n, embed);
                let of_embedded = room(&mut scratch.embedded, n * embed);
                let into = MatrixMut::new(of_embedded, n, embed);
                spread::both(
                    || multiply(into, Into::Replace, above, self.part(values)),
                    || multiply(self.part_of_gradient(gradient), Into::Add, above.t(), embedded),
                );
                add_column_sums(of_embedded, &mut gradient[self.encoder[1].clone()]);
                let of_embedded = Matrix::new(of_embedded, n, embed);
                let of_encoder = MatrixMut::new(&mut gradient[self.encoder[0].clone()], embed, h);
                let into = MatrixMut::new(below, n, h);
                spread::both(
                    || multiply(into, Into::Replace, of_embedded, self.encoder(values)),
                    || multiply(of_encoder, Into::Add, of_embedded.t(), hidden),
                );
            }
        }
    }

    /// From the gradient of a folded weight P·W₂ and bias P·b₂ to those of P, W₂ and b₂.
    fn unfold(&self, values: &[f32], weight: &[f32], bias: &[f32], gradient: &mut Gradient<'_>) {
        let (hidden, embed) = (self.hidden, self.embed);
        let (weight, bias) = (Matrix::new(weight, hidden, hidden), Matrix::new(bias, hidden, 1));
        let into = self.part_of_gradient(gradient);
        multiply(into, Into::Add, weight, self.encoder(values).t());
        let encoder_bias = Matrix::new(&values[self.encoder[1].clone()], 1, embed);
        multiply(self.part_of_gradient(gradient), Into::Add, bias, encoder_bias);
        let part = self.part(values);
        let into = MatrixMut::new(&mut gradient[self.encoder[0].clone()], embed, hidden);
        multiply(into, Into::Add, part.t(), weight);
        let into = MatrixMut::new(&mut gradient[self.encoder[1].clone()], embed, 1);
        multiply(into, Into::Add, part.t(), bias);
    }
}
