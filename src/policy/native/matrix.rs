//! Matrix products on borrowed slices. The only unsafe code of the project: a bounds-checked call into `gemm`.

#![allow(unsafe_code)]

use super::flops;
use crate::spread;
use std::ops::Range;

/// A matrix that borrows its numbers: element (r, c) is `data[offset + r·row_stride + c·column_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    shape: Shape,
}

/// A matrix to write to.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    data: &'a mut [f32],
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
    offset: usize,
}

impl Shape {
    fn row_major(len: usize, rows: usize, columns: usize) -> Self {
        assert_eq!(len, rows * columns, "a {rows}×{columns} matrix");
        Self {
            rows,
            columns,
            row_stride: columns,
            column_stride: 1,
            offset: 0,
        }
    }

    fn columns(self, range: Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= self.columns,
            "columns {range:?} of {}",
            self.columns
        );
        let offset = self.offset + range.start * self.column_stride;
        Self {
            columns: range.len(),
            offset,
            ..self
        }
    }

    fn rows(self, range: Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= self.rows,
            "rows {range:?} of {}",
            self.rows
        );
        let offset = self.offset + range.start * self.row_stride;
        Self {
            rows: range.len(),
            offset,
            ..self
        }
    }

    fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// True when every element lies within `len` numbers.
    fn fits(self, len: usize) -> bool {
        if self.rows == 0 || self.columns == 0 {
            return true;
        }
        self.offset + (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride < len
    }
}

impl<'a> Matrix<'a> {
    /// A row-major matrix; `data` has exactly `rows·columns` numbers.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self {
            data,
            shape: Shape::row_major(data.len(), rows, columns),
        }
    }

    /// Some of the columns.
    pub fn columns(self, range: Range<usize>) -> Self {
        Self {
            shape: self.shape.columns(range),
            ..self
        }
    }

    /// Some of the rows.
    fn rows(self, range: Range<usize>) -> Self {
        Self {
            shape: self.shape.rows(range),
            ..self
        }
    }

    /// The transpose.
    pub fn t(self) -> Self {
        Self {
            shape: self.shape.transposed(),
            ..self
        }
    }
}

impl<'a> MatrixMut<'a> {
    /// A row-major matrix; `data` has exactly `rows·columns` numbers.
    pub fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        let shape = Shape::row_major(data.len(), rows, columns);
        Self { data, shape }
    }

    /// Some of the columns.
    pub fn columns(self, range: Range<usize>) -> Self {
        Self {
            shape: self.shape.columns(range),
            data: self.data,
        }
    }
}

/// Whether a product replaces what is there or is added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// out = a·b.
    Replace,
    /// out = out + a·b.
    Add,
}

/// Rows of a product that a thread has at least: for fewer, arranging `b` for the kernel would cost too much of their time.
const LEAST_ROWS: usize = 64;

/// out (+)= a·b, spread over threads.
///
/// # Panics
/// When the shapes do not agree.
pub fn multiply(out: MatrixMut, into: Into, a: Matrix, b: Matrix) {
    let (m, n, k) = (out.shape.rows, out.shape.columns, a.shape.columns);
    assert_eq!(
        (a.shape.rows, b.shape.rows, b.shape.columns),
        (m, k, n),
        "shapes of a product"
    );
    if m == 0 || n == 0 {
        return;
    }
    flops::add(2 * m * n * k);
    let shape = out.shape;
    spread::by_rows(out.data, shape.row_stride, LEAST_ROWS, |rows, data| {
        let shape = Shape {
            rows: rows.len(),
            ..shape
        };
        product(MatrixMut { data, shape }, into, a.rows(rows), b);
    });
}

/// out (+)= a·b, on the calling thread.
fn product(out: MatrixMut, into: Into, a: Matrix, b: Matrix) {
    let (m, n, k) = (out.shape.rows, out.shape.columns, a.shape.columns);
    assert!(out.shape.fits(out.data.len()) && a.shape.fits(a.data.len()) && b.shape.fits(b.data.len()));
    let keep = if into == Into::Add { 1.0 } else { 0.0 };
    // SAFETY: `fits` has checked that every element of the three matrices lies within its slice (offset included), and
    // `out` is an exclusive borrow, so it overlaps neither `a` nor `b`; its elements are distinct because its shape
    // comes from a row-major matrix.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.data.as_mut_ptr().add(out.shape.offset),
            out.shape.column_stride as isize,
            out.shape.row_stride as isize,
            into == Into::Add,
            a.data.as_ptr().add(a.shape.offset),
            a.shape.column_stride as isize,
            a.shape.row_stride as isize,
            b.data.as_ptr().add(b.shape.offset),
            b.shape.column_stride as isize,
            b.shape.row_stride as isize,
            keep,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_transposes_and_columns() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // 2×3
        let b = [1.0, 0.0, 2.0, 0.0, 1.0, 1.0]; // 2×3
        let mut out = [10.0; 4];
        multiply(
            MatrixMut::new(&mut out, 2, 2),
            Into::Replace,
            Matrix::new(&a, 2, 3),
            Matrix::new(&b, 2, 3).t(),
        );
        assert_eq!(out, [7.0, 5.0, 16.0, 11.0]);
        let (left, right) = (Matrix::new(&a, 2, 3).columns(1..3), Matrix::new(&b, 2, 3).columns(1..2));
        let mut wide = [0.0; 6];
        multiply(MatrixMut::new(&mut wide, 2, 3).columns(2..3), Into::Add, left, right);
        assert_eq!(wide, [0.0, 0.0, 3.0, 0.0, 0.0, 6.0]);
    }

    #[test]
    #[should_panic(expected = "shapes")]
    fn wrong_shapes_panic() {
        let a = [0.0; 6];
        multiply(
            MatrixMut::new(&mut [0.0; 4], 2, 2),
            Into::Replace,
            Matrix::new(&a, 2, 3),
            Matrix::new(&a, 2, 3),
        );
    }
}
