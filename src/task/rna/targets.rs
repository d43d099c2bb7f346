//! Strands to bind to: the published ones by name, and any other by its letters.

use super::base::Base;
use super::duplex::{NO_DUPLEX, Scratch, energy};
use super::tables::Tables;
use crate::suggest::{did_you_mean, nearest};
use std::fmt;
use std::sync::Arc;

/// The longest target; its tables take about 4.7 KB per base.
pub const LONGEST: usize = 1000;

/// The published targets, each of 100 bases (landscapes/rna.py of the PyPI package flexs 0.2.8).
pub const PUBLISHED: [(&str, &str); 4] = [
    (
        "RNA1",
        "GAACGAGGCACAUUCCGGCUCGCCCGGCCCAUGUGAGCAUGGGCCGGACCCCGUCCGCGCGGGGCCCCCGCGCGGACGGGGGCGAGCCGGAAUGUGCCUC",
    ),
    (
        "RNA2",
        "GAGGCACAUUCCGGCUCGCCCCCGUCCGCGCGGGGGCCCCGCGCGGACGGGGUCCGGCCCGCGCGGGGCCCCCGCGCGGGAGCCGGAAUGUGCCUCGUUC",
    ),
    (
        "RNA3",
        "CCGGUGAUACUGUUAGUGGUCACGGUGCAUUUAUAGCGCUAAAGUACAGUCUUCCCCUGUUGAACGGCGCCAUUGCAUACAGGGCCAGCCGCGUAACGCC",
    ),
    (
        "RNA4",
        "UAAGAGAGCGUAAAAAUAGAGAUAUGUUCUUGGGUCAGGGCUAUGCGUACCCCAUGAGAGUAAAUCAUACCCCCAAUGGGCUUCGGCGGAAAUUCACUUA",
    ),
];

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RnaError {
    /// Neither a name nor bases.
    #[error(
        "target {text:?} is neither one of {} nor bases{}: its letter {place} is {letter:?}, not A, C, G or U (or T)",
        names(), did_you_mean(*nearest)
    )]
    Letter {
        /// The offending text.
        text: String,
        /// The first letter that is no base.
        letter: char,
        /// Where it is, from 1.
        place: usize,
        /// The name most like the text.
        nearest: Option<&'static str>,
    },
    /// No base or too many.
    #[error("a target has 1 to {LONGEST} bases, not {0}")]
    Length(usize),
    /// Energies cannot be measured against those of the complement.
    #[error(
        "target {text:?} does not even bind its own complement: {} kcal/mol, and only less than 0 is binding",
        f64::from(*energy) / 100.0
    )]
    Unbound {
        /// The offending text.
        text: String,
        /// Energy of the target with its complement, 0.01 kcal/mol.
        energy: i32,
    },
}

/// A strand to bind to, with what is computed once for it. Clones share the tables.
#[derive(Clone)]
pub struct Target {
    name: String,
    bases: usize,
    tables: Arc<Tables>,
    complement_energy: i32,
}

impl Target {
    /// A target of these bases.
    ///
    /// # Errors
    /// [`RnaError::Length`], or [`RnaError::Unbound`] when the energy of the whole complement is not negative.
    pub fn new(name: &str, bases: &[Base]) -> Result<Self, RnaError> {
        if !(1..=LONGEST).contains(&bases.len()) {
            return Err(RnaError::Length(bases.len()));
        }
        let tables = Tables::new(bases);
        let complement: Vec<Base> = bases.iter().rev().map(|base| base.complement()).collect();
        let complement_energy = energy(&tables, &complement, &mut Scratch::new(&tables));
        if complement_energy >= 0 {
            return Err(RnaError::Unbound {
                text: name.into(),
                energy: complement_energy,
            });
        }
        Ok(Self {
            name: name.into(),
            bases: bases.len(),
            tables: Arc::new(tables),
            complement_energy,
        })
    }

    /// Its name, or its bases when it has none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The energy of the target with its reverse complement, 0.01 kcal/mol; always negative.
    pub fn complement_energy(&self) -> i32 {
        self.complement_energy
    }

    /// Buffers for [`Self::energy`] and [`Self::score`], to be used again and again.
    pub fn scratch(&self) -> Scratch {
        Scratch::new(&self.tables)
    }

    /// The energy of the target with `x`, 0.01 kcal/mol; [`super::duplex::NO_DUPLEX`] when no two bases pair.
    pub fn energy(&self, x: &[Base], scratch: &mut Scratch) -> i32 {
        energy(&self.tables, x, scratch)
    }

    /// E(target, x)/E_norm with E_norm = E(reverse complement, target)·|x|/|target| (METHOD.md); `x` is not empty. 0 when
    /// no two bases pair: the energy is only a mark then, and y would be in the thousands below 0.
    pub fn score(&self, x: &[Base], scratch: &mut Scratch) -> f64 {
        let norm = f64::from(self.complement_energy) * x.len() as f64 / self.bases as f64;
        match self.energy(x, scratch) {
            NO_DUPLEX => 0.0,
            energy => f64::from(energy) / norm,
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("bases", &self.bases)
            .finish_non_exhaustive()
    }
}

/// The names of the published targets, for messages.
pub fn names() -> String {
    PUBLISHED.map(|(name, _)| name).join(", ")
}

/// The target that a text means: a published name (in either case), or bases.
///
/// # Errors
/// [`RnaError`] says which letter is wrong, or why these bases are no target.
pub fn find(text: &str) -> Result<Target, RnaError> {
    let published = PUBLISHED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    let (name, bases) = published.copied().unwrap_or((text, text));
    let bases = bases.chars().enumerate().map(|(place, letter)| {
        Base::parse(letter).ok_or_else(|| RnaError::Letter {
            text: text.into(),
            letter,
            place: place + 1,
            nearest: nearest(&text.to_uppercase(), PUBLISHED.map(|(name, _)| name)),
        })
    });
    Target::new(name, &bases.collect::<Result<Vec<Base>, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_targets_bind_their_complements_as_published() {
        for ((name, bases), energy) in PUBLISHED.into_iter().zip([-26_010, -27_030, -21_560, -19_870]) {
            let target = find(&name.to_lowercase()).unwrap();
            assert_eq!((target.name(), target.complement_energy()), (name, energy));
            assert_eq!((target.bases, bases.len()), (100, 100));
            assert_eq!(find(bases).unwrap().complement_energy(), energy);
        }
    }

    #[test]
    fn dna_letters_in_either_case_are_bases_too() {
        let target = find("gatTacagc").unwrap();
        let same = find("GAUUACAGC").unwrap();
        assert_eq!(target.complement_energy(), same.complement_energy());
    }

    #[test]
    fn what_is_no_target_is_said() {
        for (text, parts) in [
            (
                "RNA5",
                &[
                    "\"RNA5\"",
                    "RNA1, RNA2, RNA3, RNA4",
                    "did you mean \"RNA",
                    "letter 1 is 'R'",
                ][..],
            ),
            ("GGCXCC", &["\"GGCXCC\"", "letter 4 is 'X'", "A, C, G or U"]),
            ("", &["1 to 1000 bases, not 0"]),
            (&"G".repeat(1001), &["1 to 1000 bases, not 1001"]),
            ("AA", &["\"AA\"", "complement", "kcal/mol"]),
        ] {
            let message = find(text).unwrap_err().to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }
}
