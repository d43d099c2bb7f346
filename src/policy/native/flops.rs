//! Floating-point operations that this thread has done in the built-in kernels, for `thermoflow bench` to set against the speed of
//! the machine.
//!
//! Counted from sizes, once a call, in products of matrices, scores of edges and sums of columns. Not counted: whole layers'
//! activations, softmax, sampling, the optimiser.

use std::cell::Cell;

/// A number of a fused edge's score: a sum, its slope, its weight, and adding it up.
pub const EDGE: usize = 4;

/// The same number's gradients: the sum, the slope, the weight, and one addition each to source and target, two to the weight.
pub const EDGE_BACKWARD: usize = 7;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Counts so many operations.
pub fn add(operations: usize) {
    COUNT.set(COUNT.get() + operations as u64);
}

/// Operations of this thread so far.
pub fn so_far() -> u64 {
    COUNT.get()
}

#[cfg(test)]
mod tests {
    use super::super::kernels::{Edges, Operands, OperandsGradient, score_edges, score_edges_backward, sum_columns};
    use super::super::matrix::{Into, Matrix, MatrixMut, multiply};
    use super::*;

    fn counted(work: impl FnOnce()) -> u64 {
        let before = so_far();
        work();
        so_far() - before
    }

    #[test]
    fn a_product_is_a_multiplication_and_an_addition_for_each_of_its_terms() {
        let (a, b, mut out) = ([1.0; 6], [1.0; 12], [0.0; 8]);
        let count = counted(|| {
            let out = MatrixMut::new(&mut out, 2, 4);
            multiply(out, Into::Replace, Matrix::new(&a, 2, 3), Matrix::new(&b, 3, 4));
        });
        assert_eq!(count, 2 * 2 * 3 * 4);
    }

    #[test]
    fn edges_and_columns_are_counted_by_their_width() {
        // Two sources with two targets and one, three numbers wide.
        let edges = Edges {
            row_source: &[0, 1],
            row_group: &[0, 0],
            offsets: &[0, 2, 3],
            target: &[0, 1, 1],
        };
        let (states, weights) = ([1.0; 6], [1.0; 3]);
        let on = Operands {
            u: &states,
            v: &states,
            b: &[],
            w: &weights,
        };
        assert_eq!(counted(|| score_edges(edges, on, 0.0, &mut [0.0; 3])), 3 * 3 * 4);
        let (mut u, mut v, mut w) = ([0.0; 6], [0.0; 6], [0.0; 3]);
        let mut gradient = OperandsGradient {
            u: &mut u,
            v: &mut v,
            b: &mut [],
            w: &mut w,
        };
        let backward = counted(|| score_edges_backward(edges, on, &[1.0; 3], &mut gradient));
        assert_eq!(backward, 3 * 3 * 7);
        let columns = counted(|| sum_columns(&[0, 1, 1], &[0, 2, 3], &[1.0; 6], &[0.0; 3], &mut [0.0; 6]));
        assert_eq!(columns, 3 * 3);
    }
}
