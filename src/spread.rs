//! Work spread over the threads of the pool that it is called in, such as `learner.threads` makes; outside of one, the calling
//! thread does it all.
//!
//! Invariant: results are the same to the bit with any number of threads. A piece is some whole rows, computed as alone.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ops::Range;
use std::sync::Arc;

/// Pieces for each thread: more than one, so that one that waits for its core, or has other work, does not hold up the rest.
const PIECES: usize = 2;

/// A pool of so many threads; None for one, or where a system has no more to give.
pub fn threads(number: usize) -> Option<Arc<ThreadPool>> {
    let name = |number| format!("spread-{number}");
    let pool = || ThreadPoolBuilder::new().num_threads(number).thread_name(name).build();
    (number > 1).then(|| pool().ok()).flatten().map(Arc::new)
}

/// Calls `work` with some rows of `out` (`[rows, width]`) after others, at least `least` of them, until all have been.
pub fn by_rows(out: &mut [f32], width: usize, least: usize, work: impl Fn(Range<usize>, &mut [f32]) + Sync) {
    let rows = out.len() / width;
    let pieces = match rayon::current_thread_index() {
        Some(_) => (rows / least).min(PIECES * rayon::current_num_threads()),
        None => 1,
    };
    if pieces <= 1 {
        return work(0..rows, out);
    }
    let each = rows.div_ceil(pieces);
    let parts = out.par_chunks_mut(each * width).enumerate().with_max_len(1);
    parts.for_each(|(part, out)| {
        let first = part * each;
        work(first..first + out.len() / width, out);
    });
}

/// Does both, at once if there is a thread for it.
pub fn both<A: Send, B: Send>(first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B + Send) -> (A, B) {
    match rayon::current_thread_index() {
        Some(_) => rayon::join(first, second),
        None => (first(), second()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_done_once_in_a_pool_and_outside() {
        let pool = threads(3).unwrap();
        for rows in [0, 1, 7, 16, 100] {
            let done = || {
                let mut out = vec![0.0; rows * 2];
                by_rows(&mut out, 2, 3, |rows, out| {
                    assert_eq!(rows.len() * 2, out.len());
                    for (row, out) in rows.zip(out.chunks_exact_mut(2)) {
                        out.iter_mut().for_each(|x| *x += row as f32 + 1.0);
                    }
                });
                out
            };
            let expected: Vec<f32> = (0..rows).flat_map(|row| [row as f32 + 1.0; 2]).collect();
            assert_eq!(done(), expected);
            assert_eq!(pool.install(done), expected);
        }
    }
}
