//! Files that are there whole or not at all, also after a power cut: written aside, synced, renamed. No content here.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Replaces the file at `path` by `bytes`: a reader, or a restart after a crash, sees the old file or the new one.
///
/// # Errors
/// When writing fails; the old file is untouched then, and nothing is left beside it.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is no file name"))?;
    let mut aside = name.to_owned();
    aside.push(".part");
    let aside = path.with_file_name(aside);
    let written = write(&aside, bytes).and_then(|()| fs::rename(&aside, path));
    if let Err(error) = written {
        // It may not be there; the first error is the one to tell.
        let _ = fs::remove_file(&aside);
        return Err(error);
    }
    sync_dir(parent(path))
}

/// Writes a file and waits until it is on the disk.
///
/// # Errors
/// When writing fails.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until the names in a directory are on the disk.
///
/// # Errors
/// When syncing fails.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    // Elsewhere a directory cannot be opened as a file, and renames are as durable as the system makes them.
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

/// The directory that holds `path`.
pub fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // A directory in the way makes the rename fail.
        let blocked = dir.path().join("b");
        fs::create_dir_all(blocked.join("c")).unwrap();
        assert!(replace(&blocked, b"x").is_err());
        let mut names: Vec<_> = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["a.json", "b"]);
    }
}
