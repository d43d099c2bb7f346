//! Files that are there whole or not at all, also after a power cut: written aside, synced, renamed. And files that grow
//! by whole records. No content here.

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

/// A file that grows by whole records: what a failed write leaves of one (disk full) is cut off before the next.
#[derive(Debug)]
pub struct Appender {
    file: File,
    /// Length of the whole records.
    length: u64,
    /// Something may lie behind them.
    torn: bool,
}

impl Appender {
    /// Goes on behind the first `length` bytes of `file`, which was opened for appending; the rest is cut off.
    ///
    /// # Errors
    /// When cutting fails.
    pub fn new(file: File, length: u64) -> io::Result<Self> {
        file.set_len(length)?;
        let torn = false;
        Ok(Self { file, length, torn })
    }

    /// Appends a record as one write.
    ///
    /// # Errors
    /// When writing fails; the record is not there then, and the next one can be tried.
    pub fn append(&mut self, record: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
        }
        let written = self.file.write_all(record);
        if written.is_ok() {
            self.length += record.len() as u64;
        }
        // Half a record is cut off at once, so that readers do not stumble over it, or if need be before the next one.
        self.torn = written.is_err() && self.file.set_len(self.length).is_err();
        written
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
    use crate::small_disk::SmallDisk;
    use std::fs::OpenOptions;

    #[test]
    fn a_full_disk_leaves_whole_records_only() {
        let Some(disk) = SmallDisk::mount(1) else { return };
        let path = disk.path().join("log");
        let file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let mut log = Appender::new(file, 0).unwrap();
        log.append(b"first\n").unwrap();
        let _ = write(&disk.path().join("ballast"), &vec![0; 2 << 20]);
        assert!(log.append(&[b'x'; 10_000]).is_err(), "this one fits in part");
        assert_eq!(fs::read(&path).unwrap(), b"first\n");
        fs::remove_file(disk.path().join("ballast")).unwrap();
        log.append(b"second\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first\nsecond\n");
    }

    #[test]
    fn what_is_torn_is_cut_off_before_the_next_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "whole\nhal").unwrap();
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        let mut log = Appender::new(file, 6).unwrap();
        log.file.write_all(b"hal").unwrap();
        log.torn = true;
        log.append(b"next\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole\nnext\n");
    }

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
