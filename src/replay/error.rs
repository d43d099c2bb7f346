//! Why the store failed, in words that say what to do.

use crate::units::{Incarnation, Seq};
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use std::path::{Path, PathBuf};

/// Why the store could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no file.
    #[error("there is no replay at {0}")]
    Missing(PathBuf),
    /// Another kind of file, or of database.
    #[error("{path} is not the replay of a run: {found}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// SQLite found damage.
    #[error("the replay {path} is damaged ({detail}); `sqlite3 {path} .recover` saves what is readable")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// Commits that were made would be lost without a word.
    #[error(
        "{wal} is damaged (frame {frame}), and commits that follow would be lost: copy the run directory; then \
         `sqlite3 {path} 'PRAGMA wal_checkpoint(TRUNCATE)'` goes on without them"
    )]
    DamagedLog {
        /// The database.
        path: PathBuf,
        /// Its write-ahead log.
        wal: PathBuf,
        /// The first bad frame, from 0.
        frame: u64,
    },
    /// A later program wrote it.
    #[error(
        "the replay {path} has schema {found}, this program knows schemas up to {known}: use the newer program that \
         wrote it"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// An earlier program wrote it.
    #[error("the replay {path} has an older schema than this program's: {detail}")]
    OlderSchema {
        /// The file.
        path: PathBuf,
        /// What that means for it.
        detail: String,
    },
    /// Read where nothing can be written, with commits that are not in the database yet.
    #[error(
        "the last commits of the replay {path} are in {path}-wal, which SQLite reads only where it can write beside it: \
         copy both to another directory"
    )]
    LogOnReadOnlyMedium {
        /// The file.
        path: PathBuf,
    },
    /// No permission, or a read-only file system.
    #[error("the replay {path} cannot be written ({detail}): check the permissions of the file and its directory")]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// No space left. Nothing of the commit was kept; it can be tried again.
    #[error("the disk that holds the replay {path} is full: nothing of this commit was kept, free some space")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else holds a lock for longer than we wait.
    #[error("another program keeps the replay {path} locked: stop it")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A trajectory with a value that cannot be stored; nothing of the commit was kept.
    #[error("trajectory {seq} of actor {incarnation} cannot be stored: {field} is {value}, it must be {allowed}")]
    Value {
        /// Its actor.
        incarnation: Incarnation,
        /// Its number.
        seq: Seq,
        /// The offending field.
        field: &'static str,
        /// The offending value.
        value: String,
        /// What it must be.
        allowed: &'static str,
    },
    /// Anything else that SQLite reports.
    #[error("the replay {path} failed")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Sorts an error of SQLite by what can be done about it.
    pub fn new(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        let detail = source.to_string();
        let shared_memory_full = matches!(
            source.sqlite_error(), Some(error) if error.extended_code == SQLITE_IOERR_SHMSIZE
        );
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign {
                path,
                found: "it is no SQLite database".into(),
            },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, detail },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(_) if shared_memory_full => Self::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::NotWritable { path, detail }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Sqlite { path, source },
        }
    }
}
