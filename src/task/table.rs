//! Tables with the score of every object of a sequence task, and the scorer that looks scores up in one.
//!
//! Not here: where a table comes from (`eight_mers` reads files, a task embeds its own).

use super::{ScoreError, Scorer};
use crate::env::States;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// Raw scores of all objects, by rank: strings in alphabetical order, first letter most significant. Cheap to clone.
#[derive(Clone, PartialEq)]
pub struct ScoreTable(Arc<[f32]>);

/// Why numbers or bytes are no score table.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TableError {
    /// Not a whole number of floats.
    #[error("a score table of {0} bytes is damaged: its length must be a multiple of 4, and not 0")]
    Length(usize),
    /// A score that is not a number.
    #[error("score {value} of object {rank} in the score table must be finite")]
    NotFinite {
        /// The offending score.
        value: f32,
        /// Its place.
        rank: usize,
    },
}

impl ScoreTable {
    /// A table of scores by rank.
    ///
    /// # Errors
    /// When there are none, or one is not finite.
    pub fn new(scores: Vec<f32>) -> Result<Self, TableError> {
        if scores.is_empty() {
            return Err(TableError::Length(0));
        }
        match scores.iter().position(|score| !score.is_finite()) {
            Some(rank) => Err(TableError::NotFinite {
                value: scores[rank],
                rank,
            }),
            None => Ok(Self(scores.into())),
        }
    }

    /// Reads what [`Self::to_bytes`] wrote. The caller bounds the length.
    ///
    /// # Errors
    /// When the length is not that of a table, or a score is not finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TableError> {
        let (scores, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(TableError::Length(bytes.len()));
        }
        Self::new(scores.iter().map(|&score| f32::from_le_bytes(score)).collect())
    }

    /// The scores as little-endian 32-bit floats, nothing else.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|score| score.to_le_bytes()).collect()
    }

    /// The scores by rank.
    pub fn scores(&self) -> &[f32] {
        &self.0
    }

    /// SHA-256 of [`Self::to_bytes`], in hexadecimal.
    pub fn sha256(&self) -> String {
        sha256(&self.to_bytes())
    }
}

impl fmt::Debug for ScoreTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScoreTable({} scores)", self.0.len())
    }
}

/// SHA-256 of some bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Scores strings of a fixed length by looking them up.
#[derive(Debug, Clone)]
pub struct TableScorer {
    table: ScoreTable,
    letters: usize,
    length: usize,
}

impl TableScorer {
    /// A scorer for strings of `length` letters out of `letters`; `None` when the table has not one score for each.
    pub fn new(table: ScoreTable, letters: usize, length: usize) -> Option<Self> {
        let objects = letters.checked_pow(u32::try_from(length).ok()?)?;
        (table.scores().len() == objects).then_some(Self { table, letters, length })
    }

    /// The place of a complete object in the table.
    fn rank(&self, object: &[u8]) -> usize {
        object
            .iter()
            .fold(0, |rank, &letter| rank * self.letters + usize::from(letter))
    }
}

impl Scorer for TableScorer {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        let scores = self.table.scores();
        let look_up = |object: &[u8]| {
            let inside = object.len() == self.length && object.iter().all(|&letter| usize::from(letter) < self.letters);
            inside.then(|| scores[self.rank(object)])
        };
        let refuse = |object: &[u8]| ScoreError(format!("{object:?} is not a complete string of the score table"));
        objects
            .iter()
            .map(|object| look_up(object).ok_or_else(|| refuse(object)))
            .collect()
    }

    fn enumerate(&self) -> Option<(States, Vec<f32>)> {
        let mut objects = States::new(self.length);
        let mut object = vec![0u8; self.length];
        for rank in 0..self.table.scores().len() {
            let mut rest = rank;
            for letter in object.iter_mut().rev() {
                *letter = (rest % self.letters) as u8;
                rest /= self.letters;
            }
            objects.push(&object);
        }
        Some((objects, self.table.scores().to_vec()))
    }

    fn is_repeatable(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_survives_its_bytes_and_is_named_by_their_hash() {
        let table = ScoreTable::new(vec![0.25, -1.0]).unwrap();
        assert_eq!(ScoreTable::from_bytes(&table.to_bytes()).unwrap(), table);
        assert_eq!(
            table.sha256(),
            "9a0468625048ac63d6e83272da533b7d577f40424b47e5bfe5f95ea242e153cb"
        );
        assert_ne!(table.sha256(), ScoreTable::new(vec![-1.0, 0.25]).unwrap().sha256());
    }

    #[test]
    fn damaged_bytes_are_refused() {
        assert_eq!(ScoreTable::from_bytes(&[]), Err(TableError::Length(0)));
        assert_eq!(ScoreTable::from_bytes(&[0; 7]), Err(TableError::Length(7)));
        let mut bytes = ScoreTable::new(vec![0.5; 3]).unwrap().to_bytes();
        bytes[4..8].copy_from_slice(&f32::INFINITY.to_le_bytes());
        assert_eq!(
            ScoreTable::from_bytes(&bytes),
            Err(TableError::NotFinite {
                value: f32::INFINITY,
                rank: 1
            })
        );
    }

    #[test]
    fn looking_up_agrees_with_enumerating() {
        let table = ScoreTable::new((0..9u8).map(f32::from).collect()).unwrap();
        assert!(TableScorer::new(table.clone(), 3, 3).is_none(), "27 scores are needed");
        let scorer = TableScorer::new(table, 3, 2).unwrap();
        let (objects, scores) = scorer.enumerate().unwrap();
        assert_eq!(objects.row(5), [1, 2]);
        assert_eq!(scorer.score(&objects).unwrap(), scores);
        let mut partial = States::new(2);
        partial.push(&[1, u8::MAX]);
        assert!(scorer.score(&partial).is_err(), "a partial string has no score");
    }
}
