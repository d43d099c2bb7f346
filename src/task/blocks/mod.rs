//! Published data in the project's own format: the scores and modes of QM9str and sEHstr, the modes of RNA1. One
//! safetensors file per task, which `thermoflow data import` writes and a task reads.
//!
//! Not here: the authors' files and how they are read (`import`), what a task is (environment, reward).

mod error;
mod file;
pub mod kinds;
mod scorer;
mod trees;

pub use error::BlockDataError;
pub use file::{BlockData, Scores};
pub use scorer::TreeScorer;
pub use trees::{TreeArrays, Trees, TreesError};

use super::modes::Modes;
use super::table::TableScorer;
use etcetera::BaseStrategy;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where the authors publish their files.
pub const AUTHORS: &str = "https://github.com/dbsxodud-11/logit-gfn";

/// Environment variable that names the folder of imported data.
pub const FOLDER_VARIABLE: &str = "THERMOFLOW_DATA";

/// What a file of published data is about.
#[derive(Debug, PartialEq, Eq)]
pub struct BlockKind {
    /// Name of the task, also of its file.
    pub name: &'static str,
    /// The letters of its objects; a block's letter is its number in base 36.
    pub alphabet: &'static str,
    /// Letters of an object.
    pub length: usize,
    /// How many modes the published list has.
    pub modes: usize,
    /// Letters stand for molecular fragments, which the file lists.
    pub has_blocks: bool,
    /// How objects are scored.
    pub scored_by: ScoredBy,
}

/// How the objects of published data are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoredBy {
    /// A score for every object.
    Table,
    /// Regression trees.
    Trees,
    /// Something that is not in the file.
    Elsewhere,
}

/// Five of 11 fragments, scored by a table of all 161,051 objects.
pub const QM9STR: BlockKind = BlockKind {
    name: "qm9str",
    alphabet: "0123456789a",
    length: 5,
    modes: 364,
    has_blocks: true,
    scored_by: ScoredBy::Table,
};

/// Six of 18 fragments, scored by regression trees.
pub const SEHSTR: BlockKind = BlockKind {
    name: "sehstr",
    alphabet: "0123456789abcdefgh",
    length: trees::LENGTH,
    modes: 159,
    has_blocks: true,
    scored_by: ScoredBy::Trees,
};

/// The modes of RNA strings of 14 letters that bind to the first target.
pub const RNA1: BlockKind = BlockKind {
    name: "rna1",
    alphabet: "UCGA",
    length: 14,
    modes: 336,
    has_blocks: false,
    scored_by: ScoredBy::Elsewhere,
};

/// All published data there is.
pub const KINDS: [&BlockKind; 3] = [&QM9STR, &SEHSTR, &RNA1];

impl BlockKind {
    /// The data of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KINDS.into_iter().find(|kind| kind.name == name)
    }

    /// Number of letters.
    pub fn letters(&self) -> usize {
        self.alphabet.len()
    }

    /// Name of the file in a folder of imported data.
    pub fn file_name(&self) -> String {
        format!("{}.safetensors", self.name)
    }

    /// Where the file is looked for: in [`folder`].
    pub fn default_path(&self) -> PathBuf {
        folder().join(self.file_name())
    }

    /// The numbers of an object's letters.
    ///
    /// # Errors
    /// Says what is wrong with `text`: its length, or the first letter that is not in the alphabet.
    pub fn parse(&self, text: &str) -> Result<Vec<u8>, String> {
        let found = text.chars().count();
        if found != self.length {
            return Err(format!("{text:?} has {found} letters, {} are needed", self.length));
        }
        let number = |letter| self.alphabet.find(letter).map(|number| number as u8);
        text.chars()
            .map(|letter| {
                number(letter).ok_or_else(|| format!("letter {letter:?} of {text:?} is not in {}", self.alphabet))
            })
            .collect()
    }
}

/// The folder of imported data: `$THERMOFLOW_DATA`, else `thermoflow` in the user's data directory, else (no home)
/// `thermoflow-data` here.
pub fn folder() -> PathBuf {
    let named = std::env::var_os(FOLDER_VARIABLE).filter(|value| !value.is_empty());
    let of_user = || Some(etcetera::choose_base_strategy().ok()?.data_dir().join("thermoflow"));
    named
        .map(PathBuf::from)
        .or_else(of_user)
        .unwrap_or_else(|| PathBuf::from("thermoflow-data"))
}

/// The bytes of a file of imported data.
///
/// # Errors
/// When it is not there (the message says where to get it), too large or cannot be read.
pub fn read_file(kind: &BlockKind, path: &Path) -> Result<Vec<u8>, BlockDataError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => BlockDataError::NotImported {
            task: kind.name,
            path: path.into(),
        },
        _ => BlockDataError::Read {
            path: path.into(),
            source,
        },
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(file::MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

/// Scores and modes of QM9str.
///
/// # Errors
/// When the bytes are not such a file, or anything in it is wrong.
pub fn load_qm9str(bytes: &[u8]) -> Result<(TableScorer, Modes), BlockDataError> {
    let data = BlockData::read(&QM9STR, bytes)?;
    match data.scores {
        Scores::Table(table) => {
            let scorer = TableScorer::new(table, QM9STR.letters(), QM9STR.length);
            Ok((scorer.expect("reading checks the size"), Modes::new(data.modes.iter())))
        }
        _ => unreachable!("reading gives the scores of the kind"),
    }
}

/// Scores and modes of sEHstr.
///
/// # Errors
/// When the bytes are not such a file, or anything in it is wrong.
pub fn load_sehstr(bytes: &[u8]) -> Result<(TreeScorer, Modes), BlockDataError> {
    let data = BlockData::read(&SEHSTR, bytes)?;
    match data.scores {
        Scores::Trees(trees) => Ok((TreeScorer::new(&trees), Modes::new(data.modes.iter()))),
        _ => unreachable!("reading gives the scores of the kind"),
    }
}

/// Modes of RNA strings that bind to the first target.
///
/// # Errors
/// When the bytes are not such a file, or anything in it is wrong.
pub fn load_rna1_modes(bytes: &[u8]) -> Result<Modes, BlockDataError> {
    Ok(Modes::new(BlockData::read(&RNA1, bytes)?.modes.iter()))
}

#[cfg(test)]
mod tests;
