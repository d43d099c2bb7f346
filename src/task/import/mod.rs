//! The authors' files become our own: bytes in, checked data out. Pickles are read as inert data, never run.
//!
//! Not here: finding, reading and writing files (`thermoflow data import`), our own format (`blocks`).

pub(crate) mod pickle;

pub use pickle::PickleError;

use super::blocks::{BlockData, BlockDataError, BlockKind, QM9STR, RNA1, SEHSTR, Scores, Trees, TreesError};
use super::table::{ScoreTable, TableError, sha256};
use crate::env::States;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A file that the authors published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFile {
    /// Its name, wherever it lies.
    pub name: &'static str,
    /// Its size in bytes.
    pub size: usize,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: &'static str,
}

/// The files that the data of a task is made of; all are needed.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// What they make.
    pub kind: &'static BlockKind,
    /// The list of modes.
    pub modes: KnownFile,
    /// Where scores come from, if they do.
    pub scores: Option<KnownFile>,
    /// The fragments, if there are any.
    pub blocks: Option<KnownFile>,
}

/// All that can be imported.
pub const SOURCES: [Source; 3] = [
    Source {
        kind: &QM9STR,
        modes: KnownFile {
            name: "modes_qm9str.pkl",
            size: 2_928,
            sha256: "cb6bcc4a79b48a682ecfcba5e2f4ba2c11a589b07d5aa8c667946560dcd97c8e",
        },
        scores: Some(KnownFile {
            name: "block_qm9str_v1_s5.pkl",
            size: 3_705_100,
            sha256: "70b00b46078bd19c087174021850d4bdf3deb10d3fccc8e4c529cb2383d9f8eb",
        }),
        blocks: Some(KnownFile {
            name: "block_qm9str_v1.json",
            size: 497,
            sha256: "e73281df42a2151f994db124825a695506e95a00532478370191d65d45b18f70",
        }),
    },
    Source {
        kind: &SEHSTR,
        modes: KnownFile {
            name: "modes_sehstr.pkl",
            size: 2_075,
            sha256: "0ee3a00269ae8d6499901519c66b3d3eeb337df69a8fa6afcf0a08548e76dd3d",
        },
        scores: Some(KnownFile {
            name: "sehstr_gbtr.pkl",
            size: 339_507,
            sha256: "ff89f982cac43f76adf2d73113f5a0f30d44d8946756f71bf45cb5023033e91e",
        }),
        blocks: Some(KnownFile {
            name: "block_18.json",
            size: 1_068,
            sha256: "ea866ee94d8e56a91d72e5dafe10dd7cc00cfcbc7d1bd040224c14507d513776",
        }),
    },
    Source {
        kind: &RNA1,
        modes: KnownFile {
            name: "modes_rna1.pkl",
            size: 5_728,
            sha256: "dc8c5c13109b3537ea5d84409af8e18265a86e211a178e821da9bea1b1429e87",
        },
        scores: None,
        blocks: None,
    },
];

/// The largest file is below 4 MB; more than this is not read.
pub const MAX_BYTES: usize = 64 << 20;

/// Which versions of the authors' files are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Those whose hashes are known.
    Published,
    /// Any that can be read.
    Any,
}

/// Why files could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// More bytes than such a file can have.
    #[error("{name} has {found} bytes: at most {MAX_BYTES} are allowed")]
    TooLarge {
        /// The file.
        name: &'static str,
        /// Its size.
        found: usize,
    },
    /// A file that was not given.
    #[error("{name} is missing")]
    Missing {
        /// The file.
        name: &'static str,
    },
    /// Not the file that the authors published.
    #[error(
        "{name} ({found_size} bytes, SHA-256 {found}) is not the published file ({size} bytes, {published}): it is damaged, or another version (--any-version takes it)"
    )]
    Version {
        /// The file.
        name: &'static str,
        /// Its size.
        found_size: usize,
        /// Its hash.
        found: String,
        /// The published size.
        size: usize,
        /// The published hash.
        published: &'static str,
    },
    /// A pickle that cannot be read or holds something else.
    #[error("{name} cannot be used")]
    Pickle {
        /// The file.
        name: &'static str,
        /// Why.
        source: PickleError,
    },
    /// A block list that cannot be read.
    #[error("{name} cannot be used")]
    Json {
        /// The file.
        name: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A value that is wrong.
    #[error("{name}: {reason}")]
    Value {
        /// The file.
        name: &'static str,
        /// What is wrong, with the offending value.
        reason: String,
    },
    /// Scores that cannot be used.
    #[error("the scores cannot be used")]
    Table(#[from] TableError),
    /// Trees that cannot be used.
    #[error("the trees cannot be used")]
    Trees(#[from] TreesError),
    /// The files do not make up a task's data.
    #[error("the files do not make up the data of {task}")]
    Data {
        /// The task.
        task: &'static str,
        /// Why.
        source: BlockDataError,
    },
}

/// The authors' files by name.
pub type Files = BTreeMap<&'static str, Vec<u8>>;

impl KnownFile {
    /// True when the bytes are the published ones.
    pub fn is_published(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.size && sha256(bytes) == self.sha256
    }

    fn check(&self, bytes: &[u8], versions: Versions) -> Result<(), ImportError> {
        if bytes.len() > MAX_BYTES {
            let (name, found) = (self.name, bytes.len());
            return Err(ImportError::TooLarge { name, found });
        }
        if versions == Versions::Any || self.is_published(bytes) {
            return Ok(());
        }
        Err(ImportError::Version {
            name: self.name,
            found_size: bytes.len(),
            found: sha256(bytes),
            size: self.size,
            published: self.sha256,
        })
    }
}

impl Source {
    /// The files that are needed.
    pub fn files(&self) -> impl Iterator<Item = KnownFile> {
        [Some(self.modes), self.scores, self.blocks].into_iter().flatten()
    }

    /// Turns the files into data.
    ///
    /// # Errors
    /// When one is missing, is not a version that is allowed, or holds anything else than it should.
    pub fn import(&self, files: &Files, versions: Versions) -> Result<BlockData, ImportError> {
        let bytes = |file: KnownFile| -> Result<&[u8], ImportError> {
            let missing = ImportError::Missing { name: file.name };
            let bytes = files.get(file.name).ok_or(missing)?;
            file.check(bytes, versions)?;
            Ok(bytes)
        };
        let hash = |file: KnownFile| Ok((file.name.to_owned(), sha256(bytes(file)?)));
        let data = BlockData {
            files: self.files().map(hash).collect::<Result<_, ImportError>>()?,
            blocks: self.blocks.map_or(Ok(Vec::new()), |file| blocks(file, bytes(file)?))?,
            modes: modes(self.kind, self.modes, bytes(self.modes)?)?,
            scores: match self.scores {
                None => Scores::Elsewhere,
                Some(file) => scores(self.kind, file, bytes(file)?)?,
            },
        };
        let task = self.kind.name;
        data.check(self.kind)
            .map_err(|source| ImportError::Data { task, source })
    }
}

/// The block list: numbers as keys, SMILES as values; names and attachment points are not used.
#[derive(Deserialize)]
struct BlockList {
    block_smi: BTreeMap<String, String>,
}

fn blocks(file: KnownFile, bytes: &[u8]) -> Result<Vec<String>, ImportError> {
    let name = file.name;
    let list: BlockList = serde_json::from_slice(bytes).map_err(|source| ImportError::Json { name, source })?;
    let by_number = |number: usize| {
        let block = list.block_smi.get(&number.to_string()).cloned();
        block.ok_or_else(|| ImportError::Value {
            name,
            reason: format!("block_smi has {} entries and no block {number}", list.block_smi.len()),
        })
    };
    (0..list.block_smi.len()).map(by_number).collect()
}

fn modes(kind: &BlockKind, file: KnownFile, bytes: &[u8]) -> Result<States, ImportError> {
    let name = file.name;
    let list = pickle::strings(bytes).map_err(|source| ImportError::Pickle { name, source })?;
    let mut modes = States::new(kind.length);
    for mode in list {
        modes.push(&kind.parse(mode).map_err(|reason| ImportError::Value { name, reason })?);
    }
    Ok(modes)
}

fn scores(kind: &BlockKind, file: KnownFile, bytes: &[u8]) -> Result<Scores, ImportError> {
    let unreadable = |source| ImportError::Pickle {
        name: file.name,
        source,
    };
    if kind.scored_by == super::blocks::ScoredBy::Trees {
        let arrays = pickle::trees(bytes).map_err(unreadable)?;
        return Ok(Scores::Trees(Trees::new(arrays)?));
    }
    let table = pickle::scores(bytes).map_err(unreadable)?;
    Ok(Scores::Table(by_rank(kind, file, &table)?))
}

/// The scores of a dict, by rank.
fn by_rank(kind: &BlockKind, file: KnownFile, table: &BTreeMap<&str, f32>) -> Result<ScoreTable, ImportError> {
    let refuse = |reason| ImportError::Value {
        name: file.name,
        reason,
    };
    let objects = kind.letters().pow(kind.length as u32);
    if table.len() != objects {
        return Err(refuse(format!(
            "it scores {} objects, there are {objects}",
            table.len()
        )));
    }
    // As many distinct objects as there are: none is missing.
    let mut scores = vec![0.0; objects];
    for (text, &score) in table {
        let object = kind.parse(text).map_err(refuse)?;
        let rank = object
            .iter()
            .fold(0, |rank, &letter| rank * kind.letters() + usize::from(letter));
        scores[rank] = score;
    }
    Ok(ScoreTable::new(scores)?)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::{dict, imported, reference};
