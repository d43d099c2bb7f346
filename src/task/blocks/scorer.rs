//! Scores many strings with an ensemble of trees: no branches, three look-ups per tree.
//!
//! Every split asks whether a letter is at a position, so a position's letter rules out a set of leaves whatever the
//! other positions hold. With a bit per leaf, the AND of the positions' masks leaves one bit: the leaf that a walk ends
//! at. Masks are kept for pairs of positions. `Trees::walk` is the reference; both add the same numbers in one order.

use super::super::{ScoreError, Scorer};
use super::trees::{LENGTH, LETTERS, MAX_LEAVES, Node, Trees};
use crate::env::States;

/// Pairs of positions in a string.
const PAIRS: usize = LENGTH / 2;
/// Room for the masks of all 18² pairs of letters: a power of two, so that an index cut to it needs no check.
const PAIR_ROOM: usize = (LETTERS * LETTERS).next_power_of_two();
/// Strings scored together: their pairs and sums stay in the first-level cache while all trees pass by.
const TOGETHER: usize = 512;

/// A string as the numbers of its pairs of letters.
type Pairs = [u16; PAIRS];

/// Scores strings of sEHstr.
#[derive(Debug, Clone)]
pub struct TreeScorer {
    baseline: f64,
    trees: Vec<MaskedTree>,
}

/// A tree as masks of the leaves (by number, from left to right) that a pair of letters leaves reachable.
#[derive(Debug, Clone)]
struct MaskedTree {
    masks: [[u32; PAIR_ROOM]; PAIRS],
    leaves: [f64; MAX_LEAVES],
}

impl TreeScorer {
    /// Lays checked trees out for scoring.
    pub fn new(trees: &Trees) -> Self {
        Self {
            baseline: trees.arrays().baseline,
            trees: (0..trees.len()).map(|tree| MaskedTree::new(trees, tree)).collect(),
        }
    }
}

impl Scorer for TreeScorer {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        let pairs = objects.iter().map(pairs_of).collect::<Result<Vec<Pairs>, _>>()?;
        let mut scores = Vec::with_capacity(pairs.len());
        for together in pairs.chunks(TOGETHER) {
            let mut sums = [self.baseline; TOGETHER];
            let sums = &mut sums[..together.len()];
            self.trees.iter().for_each(|tree| add_leaves(tree, together, sums));
            scores.extend(sums.iter().map(|&sum| sum as f32));
        }
        Ok(scores)
    }

    fn is_repeatable(&self) -> bool {
        true
    }
}

fn pairs_of(object: &[u8]) -> Result<Pairs, ScoreError> {
    if object.len() != LENGTH || object.iter().any(|&letter| usize::from(letter) >= LETTERS) {
        return Err(ScoreError(format!(
            "{object:?} is not a complete string of {LENGTH} blocks"
        )));
    }
    let (pairs, _) = object.as_chunks::<2>();
    Ok(std::array::from_fn(|pair| {
        u16::from(pairs[pair][0]) * LETTERS as u16 + u16::from(pairs[pair][1])
    }))
}

/// Adds every string's leaf to its sum.
fn add_leaves(tree: &MaskedTree, strings: &[Pairs], sums: &mut [f64]) {
    for (pairs, sum) in strings.iter().zip(sums) {
        let mask = |pair: usize| tree.masks[pair][usize::from(pairs[pair]) % PAIR_ROOM];
        let reachable = mask(0) & mask(1) & mask(2);
        *sum += tree.leaves[reachable.trailing_zeros() as usize % MAX_LEAVES];
    }
}

impl MaskedTree {
    fn new(trees: &Trees, tree: usize) -> Self {
        let mut cut = Cut {
            trees,
            tree,
            by_letter: [[u32::MAX; LETTERS]; LENGTH],
            leaves: Vec::with_capacity(MAX_LEAVES),
        };
        cut.leaves_below(0);
        let mut masks = [[0; PAIR_ROOM]; PAIRS];
        for (pair, masks) in masks.iter_mut().enumerate() {
            for (index, mask) in masks.iter_mut().take(LETTERS * LETTERS).enumerate() {
                *mask = cut.by_letter[2 * pair][index / LETTERS] & cut.by_letter[2 * pair + 1][index % LETTERS];
            }
        }
        let leaves = std::array::from_fn(|leaf| cut.leaves.get(leaf).copied().unwrap_or(0.0));
        Self { masks, leaves }
    }
}

/// A tree on its way to masks.
struct Cut<'a> {
    trees: &'a Trees,
    tree: usize,
    /// Leaves that a letter at a position leaves reachable.
    by_letter: [[u32; LETTERS]; LENGTH],
    /// Values of the leaves seen so far.
    leaves: Vec<f64>,
}

impl Cut<'_> {
    /// The leaves below a node; takes those that its splits rule out from the letters' masks.
    fn leaves_below(&mut self, node: usize) -> u32 {
        match self.trees.node(self.tree, node) {
            Node::Leaf(value) => {
                self.leaves.push(value);
                1 << (self.leaves.len() - 1)
            }
            Node::Split {
                position,
                letter,
                children,
            } => {
                let [left, right] = children.map(|child| self.leaves_below(child));
                for (other, mask) in self.by_letter[position].iter_mut().enumerate() {
                    *mask &= if other == letter { !left } else { !right };
                }
                left | right
            }
        }
    }
}
