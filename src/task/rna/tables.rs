//! Costs along a target, by the bases of the other strand that matter. Made once per target; no search.

use super::base::{BASES, Base, Pair};
use super::model::{End, Kind, MODEL, SMALL};

/// In place of a cost where two bases do not pair.
pub const NO_PAIR: i16 = i16::MAX;

/// Rows are padded to a multiple of this, for vector instructions.
const LANES: usize = 16;

/// Rows of costs in 0.01 kcal/mol, each over all places j of the target.
///
/// Where bases do not pair, a row holds 0, those of [`Tables::start`] hold [`NO_PAIR`].
#[derive(Clone)]
pub struct Tables {
    width: usize,
    start: Rows,
    end: Rows,
    loop_start: [Rows; Kind::COUNT],
    loop_end: [Rows; Kind::COUNT],
    small: [Rows; SMALL.len()],
}

impl Tables {
    /// The tables of a target.
    pub fn new(target: &[Base]) -> Self {
        let along = Along(target);
        Self {
            width: target.len().next_multiple_of(LANES),
            start: along.rows(5, NO_PAIR, |[before, base], j| {
                along.start(neighbour(before), BASES[base], j)
            }),
            end: along.rows(5, 0, |[after, base], j| along.end(BASES[base], neighbour(after), j)),
            loop_start: Kind::ALL.map(|kind| {
                along.rows(4, 0, |[base, after], j| {
                    Some(MODEL.end(kind, along.loop_start(BASES[base], BASES[after], j)?))
                })
            }),
            loop_end: Kind::ALL.map(|kind| {
                along.rows(4, 0, |[before, base], j| {
                    Some(MODEL.end(kind, along.loop_end(BASES[before], BASES[base], j)?))
                })
            }),
            small: SMALL.map(|sizes| {
                along.rows(64, 0, |[others, base], j| {
                    let [first, after, before] = [others / 16, others / 4 % 4, others % 4].map(|place| BASES[place]);
                    let near = along.loop_start(first, after, j + 1 + sizes[1])?;
                    Some(MODEL.small(sizes, [near, along.loop_end(before, BASES[base], j)?]))
                })
            }),
        }
    }

    /// Cells per row: the target's length, rounded up.
    pub fn width(&self) -> usize {
        self.width
    }

    /// What it costs to start a duplex at (`base`, j); `before` is the base before it.
    pub fn start(&self, before: Option<Base>, base: Base) -> &[i16] {
        self.start.get(neighbour_code(before) * 4 + base as usize)
    }

    /// What it costs to end a duplex at (`base`, j); `after` is the base after it.
    pub fn end(&self, base: Base, after: Option<Base>) -> &[i16] {
        self.end.get(neighbour_code(after) * 4 + base as usize)
    }

    /// What it costs to start a loop at (`base`, j): `[base, the one after]`.
    pub fn loop_start(&self, kind: Kind, [base, after]: [Base; 2]) -> &[i16] {
        self.loop_start[kind as usize].get(base as usize * 4 + after as usize)
    }

    /// What it costs to end a loop at (`base`, j): `[the one before, base]`.
    pub fn loop_end(&self, kind: Kind, [before, base]: [Base; 2]) -> &[i16] {
        self.loop_end[kind as usize].get(before as usize * 4 + base as usize)
    }

    /// What the small loops of number `loops` that end at j cost: `[first base, the one after, the one before the
    /// last, last base]`.
    pub fn small(&self, loops: usize, bases: [Base; 4]) -> &[i16] {
        self.small[loops].get(bases.iter().fold(0, |code, &base| code * 4 + base as usize))
    }
}

/// No base is the fifth.
fn neighbour(code: usize) -> Option<Base> {
    BASES.get(code).copied()
}

fn neighbour_code(base: Option<Base>) -> usize {
    base.map_or(BASES.len(), |base| base as usize)
}

#[derive(Clone)]
struct Rows {
    width: usize,
    cells: Vec<i16>,
}

impl Rows {
    fn get(&self, row: usize) -> &[i16] {
        &self.cells[row * self.width..][..self.width]
    }
}

/// A target to be paired with single bases of the other strand.
struct Along<'a>(&'a [Base]);

impl Along<'_> {
    /// `[firsts * 4]` rows; `cost` is asked for row `[first, second]` and place j, `none` is what else there is.
    fn rows(&self, firsts: usize, none: i16, cost: impl Fn([usize; 2], usize) -> Option<i16>) -> Rows {
        let width = self.0.len().next_multiple_of(LANES);
        let mut cells = vec![none; firsts * 4 * width];
        for (row, cells) in cells.chunks_exact_mut(width).enumerate() {
            for (j, cell) in cells[..self.0.len()].iter_mut().enumerate() {
                *cell = cost([row / 4, row % 4], j).unwrap_or(none);
            }
        }
        Rows { width, cells }
    }

    fn start(&self, before: Option<Base>, base: Base, j: usize) -> Option<i16> {
        let pair = Pair::of(base, self.0[j])?;
        Some(MODEL.duplex_start() + MODEL.exterior(pair, before, self.0.get(j + 1).copied()))
    }

    fn end(&self, base: Base, after: Option<Base>, j: usize) -> Option<i16> {
        let pair = Pair::of(self.0[j], base)?;
        Some(MODEL.exterior(pair, j.checked_sub(1).map(|place| self.0[place]), after))
    }

    /// The end of a loop that starts at (`base`, j) and goes on to smaller j, if there are any.
    fn loop_start(&self, base: Base, after: Base, j: usize) -> Option<End> {
        let pair = Pair::of(base, *self.0.get(j)?)?;
        let before = self.0[j.checked_sub(1)?];
        Some(End { pair, after, before })
    }

    /// The end of a loop that comes from larger j, if there are any, to (`base`, j).
    fn loop_end(&self, before: Base, base: Base, j: usize) -> Option<End> {
        let pair = Pair::of(self.0[j], base)?;
        let after = *self.0.get(j + 1)?;
        Some(End { pair, after, before })
    }
}
