//! A file that is there whole or not at all: written under another name beside its own, synced, renamed.

use crate::InspectError;
use crate::replay::Replay;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use thermoflow::durable;

/// A file under construction; dropped before [`Self::keep`], it is gone. What a killed process leaves ends in `.part`, and
/// the next attempt begins it anew.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
    kept: bool,
}

impl NewFile {
    /// Begins a file that will be `path`. What is there already stays, or with `force` is replaced at the end.
    ///
    /// # Errors
    /// There is a file of this name, another process is making it, or it cannot be written.
    pub fn create(path: &Path, force: bool) -> Result<Self, InspectError> {
        if path.is_dir() || (!force && path.exists()) {
            let advice = if path.is_dir() {
                "it is a directory"
            } else {
                "--force replaces it"
            };
            let message = format!("{} is there already: {advice}, or choose another name", path.display());
            return Err(InspectError::Input(message));
        }
        let part = with_suffix(path, ".part");
        let failed = |source| write_failed(path, source);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&part);
        let file = opened.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process is writing {}", part.display());
                return Err(InspectError::Input(message));
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        Ok(Self {
            path: path.into(),
            part,
            file,
            kept: false,
        })
    }

    /// To be written to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it lies until it is whole.
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// What a failure to write means.
    pub fn failed(&self, source: io::Error) -> InspectError {
        write_failed(&self.path, source)
    }

    /// The file is whole: waits until it is on the disk and gives it its name. Returns its size in bytes.
    ///
    /// # Errors
    /// When that fails; nothing is left of it then.
    pub fn keep(mut self) -> Result<u64, InspectError> {
        let keep = || {
            self.file.sync_all()?;
            fs::rename(&self.part, &self.path)?;
            durable::sync_dir(durable::parent(&self.path))?;
            Ok(self.file.metadata()?.len())
        };
        let kept = keep().map_err(|source| self.failed(source));
        self.kept = kept.is_ok();
        kept
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // Why it was not finished is what the user is told.
            let _ = fs::remove_file(&self.part);
        }
    }
}

fn write_failed(path: &Path, source: io::Error) -> InspectError {
    InspectError::Write {
        path: path.into(),
        source,
    }
}

/// The name with something behind it.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Refuses to write over what is read: the database, and what SQLite keeps beside it.
///
/// # Errors
/// `out` is one of these files.
pub fn refuse_replay(replay: &Replay, out: &Path) -> Result<(), InspectError> {
    let (Some(ours), Some(real)) = (real(replay.path()), real(out)) else {
        return Ok(());
    };
    if ["", "-wal", "-shm", "-journal"]
        .map(|suffix| with_suffix(&ours, suffix))
        .contains(&real)
    {
        let message = format!("{} belongs to the replay itself: choose another name", out.display());
        return Err(InspectError::Input(message));
    }
    Ok(())
}

/// The one name of a file that need not be there.
fn real(path: &Path) -> Option<PathBuf> {
    let beside = || Some(durable::parent(path).canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(beside)
}
