//! Files that one process at a time holds. The system drops a lock with its process, however that ends.

use crate::process;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("it is in use by {0}")]
    Held(String),
    /// The file cannot be made.
    #[error("the lock cannot be written")]
    NotWritable(#[source] io::Error),
    /// Locking or writing down who has it failed.
    #[error("locking failed")]
    Io(#[from] io::Error),
}

/// Takes the lock `path` and writes down who has it; it is held as long as the file lives. The standard library's locks
/// are those of `flock`, by open file.
///
/// # Errors
/// Another process has it, or the file system.
pub fn take(path: &Path) -> Result<File, LockError> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).open(path);
    let mut file = opened.map_err(LockError::NotWritable)?;
    match file.try_lock() {
        Ok(()) => (),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who has it is for the message only; being told nothing is no reason for another error.
            let _ = file.read_to_string(&mut holder);
            return Err(LockError::Held(
                holder.lines().next().unwrap_or("another process").to_owned(),
            ));
        }
        Err(TryLockError::Error(source)) => return Err(source.into()),
    }
    file.set_len(0)?;
    // With the host: on a cluster the holder may be on another machine.
    writeln!(file, "process {} on {}", std::process::id(), process::host_name())?;
    Ok(file)
}
