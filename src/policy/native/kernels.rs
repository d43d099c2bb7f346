//! The loops that matrix products do not cover, compiled for several instruction sets and chosen at run time.
//!
//! Each works on `[rows, width]` row-major slices and goes along `width`, so that the compiler vectorises it.

// `multiversion` expands to guarded calls of `#[target_feature]` functions.
#![allow(unsafe_code)]

use super::flops;
use crate::spread;
use multiversion::multiversion;

/// Slope of LeakyReLU below zero.
pub const SLOPE: f32 = 0.01;

/// Rows that a thread has at least, where each takes little time.
pub const LEAST_ROWS: usize = 128;

const LANES: usize = 16;

/// Columns that are transposed at a time.
const BLOCK: usize = 64;

/// Rows of edges over projected sources and targets, as [`super::super::Choices`] holds them.
#[derive(Debug, Clone, Copy)]
pub struct Edges<'a> {
    /// Source of each row.
    pub row_source: &'a [u32],
    /// β group of each row.
    pub row_group: &'a [u32],
    /// `[rows + 1]`.
    pub offsets: &'a [u32],
    /// Target of each edge.
    pub target: &'a [u32],
}

/// The operands of an edge's score f = w·LeakyReLU(U[source] + V[target] + B[group]).
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a> {
    /// Projected sources, `[sources, width]`.
    pub u: &'a [f32],
    /// Projected targets, `[targets, width]`.
    pub v: &'a [f32],
    /// Projected β, `[groups, width]`; empty when scores do not depend on β.
    pub b: &'a [f32],
    /// Output weights, `[width]`.
    pub w: &'a [f32],
}

/// Gradients of [`Operands`], to be added to.
#[derive(Debug)]
pub struct OperandsGradient<'a> {
    /// `[sources, width]`.
    pub u: &'a mut [f32],
    /// `[targets, width]`.
    pub v: &'a mut [f32],
    /// `[groups, width]` or empty.
    pub b: &'a mut [f32],
    /// `[width]`.
    pub w: &'a mut [f32],
}

#[inline(always)]
fn leaky(z: f32) -> f32 {
    if z > 0.0 { z } else { SLOPE * z }
}

#[inline(always)]
fn row_of(matrix: &[f32], row: u32, width: usize) -> &[f32] {
    &matrix[row as usize * width..][..width]
}

#[inline(always)]
fn row_of_mut(matrix: &mut [f32], row: u32, width: usize) -> &mut [f32] {
    &mut matrix[row as usize * width..][..width]
}

/// Scores of all edges plus `bias`; `scores` is `[edges]`. Nothing of size `[edges, width]` is stored.
#[multiversion(targets = "simd")]
pub fn score_edges(edges: Edges, on: Operands, bias: f32, scores: &mut [f32]) {
    let width = on.w.len();
    flops::add(flops::EDGE * width * edges.target.len());
    let mut base = vec![0.0f32; width];
    for (row, (&source, &group)) in edges.row_source.iter().zip(edges.row_group).enumerate() {
        base.copy_from_slice(row_of(on.u, source, width));
        if !on.b.is_empty() {
            base.iter_mut()
                .zip(row_of(on.b, group, width))
                .for_each(|(x, b)| *x += b);
        }
        let range = edges.offsets[row] as usize..edges.offsets[row + 1] as usize;
        for (&target, score) in edges.target[range.clone()].iter().zip(&mut scores[range]) {
            let target = row_of(on.v, target, width);
            let mut sums = [0.0f32; LANES];
            let (base, base_rest) = base.as_chunks::<LANES>();
            let (target, target_rest) = target.as_chunks::<LANES>();
            let (weights, weights_rest) = on.w.as_chunks::<LANES>();
            for ((x, v), w) in base.iter().zip(target).zip(weights) {
                for lane in 0..LANES {
                    sums[lane] += w[lane] * leaky(x[lane] + v[lane]);
                }
            }
            let rest = base_rest.iter().zip(target_rest).zip(weights_rest);
            let rest: f32 = rest.map(|((x, v), w)| w * leaky(x + v)).sum();
            *score = sums.iter().sum::<f32>() + rest + bias;
        }
    }
}

/// Adds the gradients of Σ upstream·score; `upstream` is `[edges]`.
#[multiversion(targets = "simd")]
pub fn score_edges_backward(edges: Edges, on: Operands, upstream: &[f32], gradient: &mut OperandsGradient) {
    let width = on.w.len();
    flops::add(flops::EDGE_BACKWARD * width * edges.target.len());
    let mut base = vec![0.0f32; width];
    let mut source_gradient = vec![0.0f32; width];
    for (row, (&source, &group)) in edges.row_source.iter().zip(edges.row_group).enumerate() {
        base.copy_from_slice(row_of(on.u, source, width));
        if !on.b.is_empty() {
            base.iter_mut()
                .zip(row_of(on.b, group, width))
                .for_each(|(x, b)| *x += b);
        }
        source_gradient.fill(0.0);
        let range = edges.offsets[row] as usize..edges.offsets[row + 1] as usize;
        for (&edge_target, &g) in edges.target[range.clone()].iter().zip(&upstream[range]) {
            let target = row_of(on.v, edge_target, width);
            let target_gradient = row_of_mut(gradient.v, edge_target, width);
            let inputs = base.iter().zip(target).zip(on.w);
            let outputs = source_gradient
                .iter_mut()
                .zip(target_gradient)
                .zip(gradient.w.iter_mut());
            for (((x, v), w), ((du, dv), dw)) in inputs.zip(outputs) {
                let z = x + v;
                let slope = if z > 0.0 { g } else { SLOPE * g };
                let dz = slope * w;
                *du += dz;
                *dv += dz;
                *dw += slope * z;
            }
        }
        let du = row_of_mut(gradient.u, source, width);
        du.iter_mut().zip(&source_gradient).for_each(|(x, g)| *x += g);
        if !gradient.b.is_empty() {
            let db = row_of_mut(gradient.b, group, width);
            db.iter_mut().zip(&source_gradient).for_each(|(x, g)| *x += g);
        }
    }
}

/// First layer on one-hot input: LeakyReLU(bias + Σ columns). State i has the ones `ones[offsets[i]..offsets[i + 1]]`;
/// `columns` is `[features, width]`, `out` `[states, width]`.
#[multiversion(targets = "simd")]
pub fn sum_columns(ones: &[u32], offsets: &[u32], columns: &[f32], bias: &[f32], out: &mut [f32]) {
    sum_linear(ones, offsets, columns, bias, out);
    out.iter_mut().for_each(|x| *x = leaky(*x));
}

/// As [`sum_columns`], without the activation.
#[multiversion(targets = "simd")]
pub fn sum_columns_linear(ones: &[u32], offsets: &[u32], columns: &[f32], bias: &[f32], out: &mut [f32]) {
    sum_linear(ones, offsets, columns, bias, out);
}

#[inline(always)]
fn sum_linear(ones: &[u32], offsets: &[u32], columns: &[f32], bias: &[f32], out: &mut [f32]) {
    let width = bias.len();
    flops::add(width * (offsets[offsets.len() - 1] - offsets[0]) as usize);
    for (pair, row) in offsets.windows(2).zip(out.chunks_exact_mut(width)) {
        row.copy_from_slice(bias);
        for &one in &ones[pair[0] as usize..pair[1] as usize] {
            row.iter_mut()
                .zip(row_of(columns, one, width))
                .for_each(|(x, c)| *x += c);
        }
    }
}

/// Adds row i of `rows` (`[states, width]`) to the columns of the ones of state i.
#[multiversion(targets = "simd")]
pub fn scatter_columns(ones: &[u32], offsets: &[u32], rows: &[f32], width: usize, columns: &mut [f32]) {
    flops::add(width * ones.len());
    for (pair, row) in offsets.windows(2).zip(rows.chunks_exact(width)) {
        for &one in &ones[pair[0] as usize..pair[1] as usize] {
            row_of_mut(columns, one, width)
                .iter_mut()
                .zip(row)
                .for_each(|(c, g)| *c += g);
        }
    }
}

/// Adds the sum over the rows of `matrix` to `out` (`[width]`).
#[multiversion(targets = "simd")]
pub fn add_column_sums(matrix: &[f32], out: &mut [f32]) {
    for row in matrix.chunks_exact(out.len()) {
        out.iter_mut().zip(row).for_each(|(x, v)| *x += v);
    }
}

/// LeakyReLU in place.
#[multiversion(targets = "simd")]
pub fn leaky_relu(values: &mut [f32]) {
    values.iter_mut().for_each(|v| *v = leaky(*v));
}

/// Multiplies `upstream` by the slope of LeakyReLU; `activations` is its output (which keeps the sign of its input).
#[multiversion(targets = "simd")]
pub fn leaky_relu_backward(activations: &[f32], upstream: &mut [f32]) {
    for (g, a) in upstream.iter_mut().zip(activations) {
        *g *= if *a > 0.0 { 1.0 } else { SLOPE };
    }
}

/// Sets every row of `out` to `row`.
pub fn broadcast(row: &[f32], out: &mut [f32]) {
    spread::by_rows(out, row.len(), LEAST_ROWS, |_, out| {
        out.chunks_exact_mut(row.len())
            .for_each(|target| target.copy_from_slice(row));
    });
}

/// `[rows, columns]` to `[columns, rows]`.
pub fn transpose(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; matrix.len()];
    // In blocks, so that what is written stays in the cache until its line is full.
    for first in (0..columns).step_by(BLOCK) {
        let block = first..(first + BLOCK).min(columns);
        for (r, row) in matrix.chunks_exact(columns).enumerate() {
            for c in block.clone() {
                out[c * rows + r] = row[c];
            }
        }
    }
    out
}
