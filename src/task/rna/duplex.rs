//! The lowest free energy of two RNA strands that pair with each other and not with themselves. No structures.
//!
//! A duplex is a row of base pairs (i, j): i rises along the strand x while j falls along the target. C(i, j) is the
//! lowest energy of all that lies before the pair (i, j), the pair included:
//!
//! ```text
//! C(i, j) = min { start + exterior end at (i, j),  min over k < i, l > j of C(k, l) + loop between (k, l) and (i, j) }
//! energy  = min over (i, j) of C(i, j) + exterior end at (i, j), seen from the other side
//! ```
//!
//! with at most 30 unpaired bases in a loop: what `duplexfold` of ViennaRNA computes with its default settings. What
//! makes it fast: a row of C, over all j, is computed at once. The costs of small loops and of ends are tables over j
//! made when a target is made, and those of large loops are end + sizes + end, so that the minimum over all loops with
//! the same sizes is one addition and one comparison per j.

// `multiversion` expands to guarded calls of `#[target_feature]` functions.
#![allow(unsafe_code)]

use super::base::Base;
use super::model::{Kind, LONGEST_LOOP, MODEL, SMALL};
use super::tables::{NO_PAIR, Tables};
use multiversion::multiversion;
use std::sync::LazyLock;

/// The energy of strands that cannot pair at all, in 0.01 kcal/mol; ViennaRNA says so too.
pub const NO_DUPLEX: i32 = 10_000_000;

/// Rows before row i that a loop can reach, and row i.
const ROWS: usize = LONGEST_LOOP + 2;
/// Cells after the last that a loop can reach.
const MARGIN: usize = LONGEST_LOOP + 1;

/// Loops of one kind with neighbouring sizes on the target: `first`, `first + 1`, … unpaired bases.
struct Span {
    kind: Kind,
    first: usize,
    /// What each size costs.
    costs: Vec<i32>,
}

/// All larger loops by their number of unpaired bases on x.
static SPANS: LazyLock<Vec<Vec<Span>>> = LazyLock::new(|| (0..=LONGEST_LOOP).map(spans).collect());

fn spans(on_x: usize) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for on_target in 0..=LONGEST_LOOP - on_x {
        let Some(kind) = Kind::of([on_x, on_target]) else {
            continue;
        };
        let cost = i32::from(MODEL.size(kind, [on_x, on_target]));
        let goes_on = |span: &&mut Span| span.kind == kind && span.first + span.costs.len() == on_target;
        if let Some(span) = spans.last_mut().filter(goes_on) {
            span.costs.push(cost);
        } else {
            let costs = vec![cost];
            spans.push(Span {
                kind,
                first: on_target,
                costs,
            });
        }
    }
    spans
}

/// The last rows of C and what loops start from; kept between calls, for targets of one length.
#[derive(Debug, Clone)]
pub struct Scratch {
    /// `[ROWS, stride]`, row i at i modulo ROWS: C(i, ·).
    paired: Vec<i32>,
    /// Per kind the same plus the end of a loop at (i, ·).
    opened: [Vec<i32>; Kind::COUNT],
    /// `[width]`: the best way to (i, ·), at first by small loops only.
    best: Vec<i32>,
    /// Per kind `[width]`, without the end at (i, ·).
    reached: [Vec<i32>; Kind::COUNT],
    width: usize,
}

impl Scratch {
    /// Room for targets with these tables.
    pub fn new(tables: &Tables) -> Self {
        let width = tables.width();
        // Cells beyond the width are read but never written.
        let rows = || vec![NO_DUPLEX; ROWS * (width + MARGIN)];
        let row = || vec![NO_DUPLEX; width];
        Self {
            paired: rows(),
            opened: std::array::from_fn(|_| rows()),
            best: row(),
            reached: std::array::from_fn(|_| row()),
            width,
        }
    }

    /// Where row i is, up to the end of its margin.
    fn at(&self, i: usize) -> std::ops::Range<usize> {
        let start = i % ROWS * (self.width + MARGIN);
        start..start + self.width + MARGIN
    }
}

/// The lowest energy of `x` bound to the target of `tables`, in 0.01 kcal/mol; [`NO_DUPLEX`] when nothing pairs.
/// `scratch` is one for these tables.
pub fn energy(tables: &Tables, x: &[Base], scratch: &mut Scratch) -> i32 {
    assert_eq!(scratch.width, tables.width(), "a scratch for another target");
    lowest(tables, x, scratch, &SPANS)
}

#[multiversion(targets = "simd")]
fn lowest(tables: &Tables, x: &[Base], scratch: &mut Scratch, spans: &[Vec<Span>]) -> i32 {
    let mut lowest = NO_DUPLEX;
    for i in 0..x.len() {
        small_loops(tables, x, i, scratch);
        large_loops(i, scratch, spans);
        lowest = lowest.min(finish_row(tables, x, i, scratch));
    }
    lowest
}

/// The best ways to row i by small loops.
#[inline(always)]
fn small_loops(tables: &Tables, x: &[Base], i: usize, scratch: &mut Scratch) {
    scratch.best.fill(NO_DUPLEX);
    for (loops, [on_x, on_target]) in SMALL.into_iter().enumerate() {
        let Some(k) = i.checked_sub(on_x + 1) else {
            continue;
        };
        let costs = tables.small(loops, [x[k], x[k + 1], x[i - 1], x[i]]);
        let before = &scratch.paired[scratch.at(k)][on_target + 1..];
        lower(&mut scratch.best, before, costs);
    }
}

/// The best ways to row i by larger loops, per kind.
#[inline(always)]
fn large_loops(i: usize, scratch: &mut Scratch, spans: &[Vec<Span>]) {
    for reached in &mut scratch.reached {
        reached.fill(NO_DUPLEX);
    }
    for (k, spans) in (0..i).rev().zip(spans) {
        let row = scratch.at(k);
        for span in spans {
            let kind = span.kind as usize;
            let opened = &scratch.opened[kind][row.clone()][span.first + 1..];
            reach(&mut scratch.reached[kind], opened, &span.costs);
        }
    }
}

/// `reached[j]` becomes at most `opened[j + m] + costs[m]` for every m.
#[inline(always)]
fn reach(reached: &mut [i32], opened: &[i32], costs: &[i32]) {
    for (m, &cost) in costs.iter().enumerate() {
        for (reached, &opened) in reached.iter_mut().zip(&opened[m..]) {
            *reached = (*reached).min(opened + cost);
        }
    }
}

/// `best[j]` becomes at most `before[j] + costs[j]`.
#[inline(always)]
fn lower(best: &mut [i32], before: &[i32], costs: &[i16]) {
    for ((best, &before), &cost) in best.iter_mut().zip(before).zip(costs) {
        *best = (*best).min(before + i32::from(cost));
    }
}

/// Writes row i and what loops start from; returns the lowest energy of a duplex that ends in it.
#[inline(always)]
fn finish_row(tables: &Tables, x: &[Base], i: usize, scratch: &mut Scratch) -> i32 {
    let row = scratch.at(i).start..scratch.at(i).end - MARGIN;
    let (before, after) = (i.checked_sub(1).map(|place| x[place]), x.get(i + 1).copied());
    if let Some(before) = before {
        for (kind, reached) in Kind::ALL.into_iter().zip(&scratch.reached) {
            lower(&mut scratch.best, reached, tables.loop_end(kind, [before, x[i]]));
        }
    }
    let paired = &mut scratch.paired[row.clone()];
    let starts = tables.start(before, x[i]);
    for ((paired, &best), &start) in paired.iter_mut().zip(&scratch.best).zip(starts) {
        let lowest = best.min(i32::from(start));
        *paired = if start == NO_PAIR { NO_DUPLEX } else { lowest };
    }
    if let Some(after) = after {
        for (kind, opened) in Kind::ALL.into_iter().zip(&mut scratch.opened) {
            let costs = tables.loop_start(kind, [x[i], after]);
            for ((opened, &paired), &cost) in opened[row.clone()].iter_mut().zip(&*paired).zip(costs) {
                *opened = paired + i32::from(cost);
            }
        }
    }
    let costs = tables.end(x[i], after).iter().map(|&cost| i32::from(cost));
    paired
        .iter()
        .zip(costs)
        .map(|(paired, cost)| paired + cost)
        .fold(NO_DUPLEX, i32::min)
}
