//! Why imported data cannot be used.

use super::super::table::TableError;
use super::{AUTHORS, TreesError};
use std::io;
use std::path::PathBuf;

/// Why imported data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BlockDataError {
    /// The user has not imported it yet.
    #[error(
        "the data of {task} is not there ({}): get the authors' repository ({AUTHORS}), then run `thermoflow data import DIR` on it",
        path.display()
    )]
    NotImported {
        /// The task that needs it.
        task: &'static str,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It is there and cannot be read.
    #[error("the data file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More bytes than such a file can have.
    #[error("a data file of more than {allowed} bytes is none of ours")]
    TooLarge {
        /// How many are allowed.
        allowed: usize,
    },
    /// Not a safetensors file.
    #[error("it is no safetensors file: {0}")]
    Format(String),
    /// Metadata that does not say what it should.
    #[error("its {key} is {found:?}: {needed} is needed (run `thermoflow data import DIR` again)")]
    Metadata {
        /// The key.
        key: &'static str,
        /// Its value; empty when it is not there.
        found: String,
        /// What is needed.
        needed: String,
    },
    /// A tensor that is not there, or of another type or shape.
    #[error("its tensor {name} is {found}: {needed} is needed")]
    Tensor {
        /// The tensor.
        name: &'static str,
        /// What is there.
        found: String,
        /// What is needed.
        needed: String,
    },
    /// A mode that is no object.
    #[error("mode {index} is {mode:?}: {needed}")]
    Mode {
        /// Its place in the list.
        index: usize,
        /// The numbers of its letters.
        mode: Vec<u8>,
        /// What modes must be.
        needed: String,
    },
    /// Scores that are none.
    #[error("its scores cannot be used")]
    Table(#[from] TableError),
    /// Trees that are none.
    #[error("its trees cannot be used")]
    Trees(#[from] TreesError),
}
