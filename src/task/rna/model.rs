//! The nearest-neighbour energy model: what a loop or an end of a helix costs. No search for structures.
//!
//! Turner 2004 (Mathews et al., PNAS 101 (2004) 7287; Turner & Mathews, Nucleic Acids Res. 38 (2010) D280) with the
//! values of ViennaRNA 2.8.0 (data/LICENSE). Energies are free energies at 37 °C in units of 0.01 kcal/mol.

use super::base::{Base, Pair};
use serde::Deserialize;
use std::sync::LazyLock;

/// The most unpaired bases that an interior loop may have on both strands together.
pub const LONGEST_LOOP: usize = 30;

/// tools/make_rna_parameters.py makes it.
static DATA: &str = include_str!("../data/rna_turner2004.json");

/// The model that is part of the program.
pub static MODEL: LazyLock<Model> =
    LazyLock::new(|| serde_json::from_str(DATA).expect("a test reads the embedded energies"));

type PerBase<T> = [T; 4];
type PerTwoBases<T> = PerBase<PerBase<T>>;
type PerPair<T> = [T; 6];
type PerEnds<T> = PerPair<PerPair<T>>;
/// By a pair, the base after its first base and the base before its second one.
type Mismatch = PerPair<PerTwoBases<i16>>;

/// Energies of all parts of a duplex.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// By the two ends of a loop, each seen from within the loop.
    stack: PerEnds<i16>,
    mismatch_interior: Mismatch,
    mismatch_one_by_many: Mismatch,
    mismatch_two_by_three: Mismatch,
    /// By a pair seen from outside the helix, the base before its first base and the base after its second one.
    mismatch_exterior: Mismatch,
    /// By a pair and the base before its first base.
    dangle5: PerPair<PerBase<i16>>,
    /// By a pair and the base after its second base.
    dangle3: PerPair<PerBase<i16>>,
    /// By the ends, the base after the first end's first base and the one opposite.
    one_by_one: PerEnds<PerTwoBases<i16>>,
    /// By the ends, the single base, and the two opposite as the second end and the first end touch them.
    two_by_one: PerEnds<PerBase<PerTwoBases<i16>>>,
    /// By the ends, the two bases of one strand, and the two of the other.
    two_by_two: PerEnds<PerTwoBases<PerTwoBases<i16>>>,
    /// By the number of bases less 1.
    bulge: [i16; LONGEST_LOOP],
    /// By the number of bases less 2.
    interior: [i16; LONGEST_LOOP - 1],
    /// Cost per base that one side of an interior loop has more than the other.
    asymmetry: i16,
    /// The most that this can cost.
    asymmetry_most: i16,
    duplex_start: i16,
    terminal_au: i16,
}

/// An end of an interior loop: the closing pair as the loop sees it.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// The pair, its first base on the strand that leads into the loop.
    pub pair: Pair,
    /// The base after the pair's first base.
    pub after: Base,
    /// The base before the pair's second base.
    pub before: Base,
}

/// Loops whose energy is a sum: what the sizes cost and what each end costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Two or more unpaired bases, all on one strand.
    Bulge,
    /// One on one strand, three or more on the other.
    OneByMany,
    /// Two and three.
    TwoByThree,
    /// All larger ones.
    Other,
}

impl Kind {
    /// How many kinds there are.
    pub const COUNT: usize = 4;
    /// Every kind.
    pub const ALL: [Self; Self::COUNT] = [Self::Bulge, Self::OneByMany, Self::TwoByThree, Self::Other];

    /// The kind of a loop of these sizes; `None` for [`SMALL`] ones.
    pub fn of(sizes: [usize; 2]) -> Option<Self> {
        let [most, least] = [sizes[0].max(sizes[1]), sizes[0].min(sizes[1])];
        match (least, most) {
            (0, 0 | 1) | (1, 1 | 2) | (2, 2) => None,
            (0, _) => Some(Self::Bulge),
            (1, _) => Some(Self::OneByMany),
            (2, 3) => Some(Self::TwoByThree),
            _ => Some(Self::Other),
        }
    }
}

/// Sizes of the loops whose energies are listed one by one.
pub const SMALL: [[usize; 2]; 7] = [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2], [2, 1], [2, 2]];

impl Model {
    /// What it costs to bring two strands together.
    pub fn duplex_start(&self) -> i16 {
        self.duplex_start
    }

    /// The end of the duplex at a pair seen from outside: `before` is the unpaired base before the pair's first base,
    /// `after` the one after its second base, where the strands go on.
    pub fn exterior(&self, pair: Pair, before: Option<Base>, after: Option<Base>) -> i16 {
        let p = pair as usize;
        let neighbours = match (before, after) {
            (Some(before), Some(after)) => self.mismatch_exterior[p][before as usize][after as usize],
            (Some(before), None) => self.dangle5[p][before as usize],
            (None, Some(after)) => self.dangle3[p][after as usize],
            (None, None) => 0,
        };
        neighbours + self.weak_end(pair)
    }

    /// A loop of [`SMALL`] sizes: `sizes[0]` unpaired bases after the first end's first base, `sizes[1]` before its
    /// second one. Other sizes are a bug.
    pub fn small(&self, sizes: [usize; 2], ends: [End; 2]) -> i16 {
        let [near, far] = ends;
        let (p, q) = (near.pair as usize, far.pair as usize);
        let [a, b, c, d] = [near.after, far.before, far.after, near.before].map(|base| base as usize);
        match sizes {
            [0, 0] => self.stack[p][q],
            [0, 1] | [1, 0] => self.bulge[0] + self.stack[p][q],
            [1, 1] => self.one_by_one[p][q][a][d],
            [1, 2] => self.two_by_one[p][q][a][c][d],
            [2, 1] => self.small([1, 2], [far, near]),
            [2, 2] => self.two_by_two[p][q][a][b][c][d],
            _ => unreachable!("a loop of {sizes:?} bases is none of SMALL"),
        }
    }

    /// What one end adds to a loop of this kind.
    pub fn end(&self, kind: Kind, end: End) -> i16 {
        let table = match kind {
            Kind::Bulge => return self.weak_end(end.pair),
            Kind::OneByMany => &self.mismatch_one_by_many,
            Kind::TwoByThree => &self.mismatch_two_by_three,
            Kind::Other => &self.mismatch_interior,
        };
        table[end.pair as usize][end.after as usize][end.before as usize]
    }

    /// What the sizes add to a loop of this kind, at most [`LONGEST_LOOP`] together.
    pub fn size(&self, kind: Kind, sizes: [usize; 2]) -> i16 {
        let bases = sizes[0] + sizes[1];
        if kind == Kind::Bulge {
            return self.bulge[bases - 1];
        }
        let difference = sizes[0].abs_diff(sizes[1]) as i16;
        self.interior[bases - 2] + self.asymmetry_most.min(self.asymmetry * difference)
    }

    fn weak_end(&self, pair: Pair) -> i16 {
        if pair.is_strong() { 0 } else { self.terminal_au }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::rna::base::BASES;
    use sha2::{Digest, Sha256};

    const PAIRS: [Pair; 6] = [Pair::CG, Pair::GC, Pair::GU, Pair::UG, Pair::AU, Pair::UA];

    #[test]
    fn the_embedded_energies_are_those_of_the_package() {
        let sum: String = Sha256::digest(DATA).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sum, "fd64bc32143e825bb4057d0ac84fdf08650f56425dadd79421ee9592b8c42990");
        assert_eq!((MODEL.duplex_start, MODEL.terminal_au), (410, 50));
    }

    #[test]
    fn every_loop_is_small_or_has_a_kind() {
        let all = (0..=LONGEST_LOOP).flat_map(|first| (0..=LONGEST_LOOP - first).map(move |second| [first, second]));
        for sizes in all {
            assert_eq!(Kind::of(sizes).is_none(), SMALL.contains(&sizes), "{sizes:?}");
        }
    }

    #[test]
    fn a_loop_turned_round_costs_the_same() {
        let mut ends = Vec::new();
        for pair in PAIRS {
            for after in BASES {
                ends.extend(BASES.map(|before| End { pair, after, before }));
            }
        }
        for &near in &ends {
            for &far in &ends {
                // On a side of one base, both ends touch the same one.
                let same = [near.after == far.before, near.before == far.after];
                let possible = |sizes: [usize; 2]| (0..2).all(|side| sizes[side] != 1 || same[side]);
                for sizes in SMALL.into_iter().filter(|&sizes| possible(sizes)) {
                    let turned = MODEL.small([sizes[1], sizes[0]], [far, near]);
                    assert_eq!(MODEL.small(sizes, [near, far]), turned, "{sizes:?} {near:?} {far:?}");
                }
            }
        }
    }
}
