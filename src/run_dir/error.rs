//! Why a run directory was refused, in words that say what to do.

use super::compare::Difference;
use crate::config::Invalid;
use std::io;
use std::path::{Path, PathBuf};

/// Why a run directory was refused.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// Nothing to resume or to look at.
    #[error("{0} is not a run directory: it has no run.toml")]
    NotARun(PathBuf),
    /// Something to resume.
    #[error("{0} holds a run already: resume it with --resume, or choose another directory")]
    Exists(PathBuf),
    /// Somebody else's directory.
    #[error(
        "{path} is not empty and not a run directory (it holds {first:?}, {count} entries): choose another directory"
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Entries in it.
        count: usize,
        /// One of them.
        first: String,
    },
    /// Another learner is at work.
    #[error("the run directory {path} is in use by {holder}: stop that one first, or choose another directory")]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Process and host.
        holder: String,
    },
    /// Another run.
    #[error(
        "the run in {path} has another configuration: {}; go on with the run's own, or choose another directory",
        describe(differences)
    )]
    OtherConfig {
        /// The directory.
        path: PathBuf,
        /// Keys that must not differ and do.
        differences: Vec<Difference>,
    },
    /// No permission, or a read-only file system.
    #[error("the run directory {path} cannot be written")]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// run.toml cannot be understood.
    #[error("{path} is damaged")]
    Record {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// run.toml holds what is not allowed.
    #[error("{path} holds a configuration that is not allowed")]
    Config {
        /// The file.
        path: PathBuf,
        /// Which value.
        source: Invalid,
    },
    /// Reading or writing failed.
    #[error("{doing} {path} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl RunDirError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.into();
        Self::Io { doing, path, source }
    }

    /// An error of creating something in `path`.
    pub(super) fn unwritable(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull => Self::io("writing to", path, source),
            _ => Self::NotWritable {
                path: path.into(),
                source,
            },
        }
    }
}

/// How many differences a message lists.
const LISTED: usize = 3;

fn describe(differences: &[Difference]) -> String {
    let mut parts: Vec<String> = differences.iter().take(LISTED).map(ToString::to_string).collect();
    if differences.len() > LISTED {
        parts.push(format!("and {} more", differences.len() - LISTED));
    }
    parts.join(", ")
}
