//! States as the positions of their ones, and the first layer on them: a sum of columns of the weight.

use super::kernels::{self, LEAST_ROWS, transpose};
use super::{room, zeros};
use crate::env::Environment;
use crate::spread;

/// One-hot rows. Kept from call to call for its buffers.
#[derive(Debug, Default)]
pub struct OneHot {
    /// Positions of the ones, row after row.
    ones: Vec<u32>,
    /// Ones of row i are `offsets[i]..offsets[i + 1]`; `[rows + 1]`.
    offsets: Vec<u32>,
}

/// A first layer's weight by feature, `[inputs, H]`.
pub fn columns(weight: &[f32], hidden: usize) -> Vec<f32> {
    transpose(weight, hidden, weight.len() / hidden)
}

impl OneHot {
    /// Forgets what was there, takes these states.
    pub fn fill<'a>(&mut self, env: &dyn Environment, states: impl Iterator<Item = &'a [u8]>) {
        self.ones.clear();
        self.offsets.clear();
        self.offsets.push(0);
        for state in states {
            env.features(state, &mut self.ones);
            self.offsets.push(self.ones.len() as u32);
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// LeakyReLU(bias + Σ columns) per row, into `out`, `[rows, H]`.
    pub fn layer(&self, columns: &[f32], bias: &[f32], out: &mut Vec<f32>) {
        let out = room(out, self.len() * bias.len());
        spread::by_rows(out, bias.len(), LEAST_ROWS, |rows, out| {
            kernels::sum_columns(&self.ones, &self.offsets[rows.start..=rows.end], columns, bias, out);
        });
    }

    /// As [`Self::layer`], without the activation.
    pub fn linear(&self, columns: &[f32], bias: &[f32], out: &mut Vec<f32>) {
        let out = room(out, self.len() * bias.len());
        spread::by_rows(out, bias.len(), LEAST_ROWS, |rows, out| {
            kernels::sum_columns_linear(&self.ones, &self.offsets[rows.start..=rows.end], columns, bias, out);
        });
    }

    /// Adds the gradient for `upstream` (`[rows, H]`, before the activation) to that of the weight, `[H, inputs]`. Only the
    /// columns of features that occur are touched: with words of letters among them, most do not.
    pub fn weight_backward(&self, upstream: &[f32], hidden: usize, scratch: &mut Scratch, weight: &mut [f32]) {
        let inputs = weight.len() / hidden;
        // Zero from the last time, but where the sizes are others.
        if scratch.columns.len() != inputs * hidden {
            zeros(&mut scratch.columns, inputs * hidden);
        }
        scratch.note(&self.ones, inputs);
        kernels::scatter_columns(&self.ones, &self.offsets, upstream, hidden, &mut scratch.columns);
        for (row, gradient) in weight.chunks_exact_mut(inputs).enumerate() {
            for &feature in &scratch.occurring {
                gradient[feature as usize] += scratch.columns[feature as usize * hidden + row];
            }
        }
        for &feature in &scratch.occurring {
            scratch.columns[feature as usize * hidden..][..hidden].fill(0.0);
        }
    }
}

/// Buffers of [`OneHot::weight_backward`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// `[inputs, H]`, zero between calls.
    columns: Vec<f32>,
    /// Whether a feature occurs; `[inputs]`.
    occurs: Vec<bool>,
    /// Those that do, rising.
    occurring: Vec<u32>,
}

impl Scratch {
    /// Notes which of `inputs` features occur.
    fn note(&mut self, ones: &[u32], inputs: usize) {
        self.occurs.clear();
        self.occurs.resize(inputs, false);
        ones.iter().for_each(|&one| self.occurs[one as usize] = true);
        self.occurring.clear();
        let occurring = (0..inputs as u32).filter(|&feature| self.occurs[feature as usize]);
        self.occurring.extend(occurring);
    }
}
