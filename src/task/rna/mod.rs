//! RNA binding: short RNA strings scored by how strongly they pair with target strands (METHOD.md).
//!
//! Energies are those of ViennaRNA's `duplexfold` (Turner 2004, 37 °C), to the last digit; `duplex` computes them.

pub mod base;
pub mod duplex;
mod kinds;
pub mod model;
pub mod tables;
pub mod targets;

pub use kinds::KINDS;
pub use targets::{RnaError, Target};

use super::{ScoreError, Scorer};
use crate::env::States;
use base::Base;

/// The letters of the published tasks, in the order of their states.
pub const ALPHABET: &str = "UCGA";
/// What the bytes of a state mean.
const LETTERS: [Base; 4] = [Base::U, Base::C, Base::G, Base::A];
/// Fills a state after the end of its string.
const PADDING: u8 = 255;

/// Scores strings by the mean over targets of E(target, x)/E_norm, which is about 1 for the best ones; E_norm is for
/// the length of x.
#[derive(Debug)]
pub struct RnaScorer {
    targets: Vec<Target>,
    length: usize,
}

impl RnaScorer {
    /// A scorer of strings of up to `length` bases; there is at least one target.
    pub fn new(targets: &[Target], length: usize) -> Self {
        assert!(!targets.is_empty(), "a mean over no targets");
        Self {
            targets: targets.to_vec(),
            length,
        }
    }
}

impl Scorer for RnaScorer {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        if objects.width() != self.length {
            let (width, length) = (objects.width(), self.length);
            return Err(ScoreError(format!(
                "objects have {width} places, {length} are expected"
            )));
        }
        let mut scratches: Vec<_> = self.targets.iter().map(Target::scratch).collect();
        let mut bases = Vec::with_capacity(self.length);
        let mut score = |(number, object)| {
            read(object, &mut bases).map_err(|reason| ScoreError(format!("object {number} {reason}")))?;
            let scores = self.targets.iter().zip(&mut scratches);
            let sum: f64 = scores.map(|(target, scratch)| target.score(&bases, scratch)).sum();
            Ok((sum / self.targets.len() as f64) as f32)
        };
        objects.iter().enumerate().map(&mut score).collect()
    }

    fn is_repeatable(&self) -> bool {
        true
    }
}

/// Reads the bases of a state; the error is the end of a sentence about it.
fn read(object: &[u8], bases: &mut Vec<Base>) -> Result<(), String> {
    let used = object.iter().position(|&byte| byte == PADDING).unwrap_or(object.len());
    let (letters, rest) = object.split_at(used);
    if letters.is_empty() {
        return Err("has no letters".into());
    }
    bases.clear();
    for (place, &byte) in letters.iter().enumerate() {
        let base = LETTERS.get(usize::from(byte));
        bases.push(*base.ok_or_else(|| format!("has {byte} at place {place}; letters of {ALPHABET} are 0 to 3"))?);
    }
    match rest.iter().position(|&byte| byte != PADDING) {
        Some(place) => Err(format!("goes on at place {} after its end at {used}", used + place)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
