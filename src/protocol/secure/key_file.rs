//! Key files: nobody but their owner can read them, or they are refused.

use super::key::{KeyError, KeyRing};
use crate::durable;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longest key file, bytes. Real ones have under 300.
const MAX_FILE: u64 = 4096;

/// Permissions that others than the owner would have.
const OTHERS: u32 = 0o077;

/// Why a key file was refused or not written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system.
    #[error("the key file {path} cannot be {doing}")]
    Io {
        /// What was tried: "read", "written".
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is there.
    #[error(
        "{0} is there already and is not overwritten: `thermoflow key rotate` puts a new key into it and keeps the old \
         one accepted"
    )]
    Exists(PathBuf),
    /// Others can read it.
    #[error("the key file {path} has mode {mode:04o}, so others can read or change it; run `chmod 600 {path}`")]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Not a file, or much too long for one.
    #[error("{0} is no key file: a file of at most {MAX_FILE} bytes is expected")]
    NoKeyFile(PathBuf),
    /// What is in it.
    #[error("the key file {path} cannot be used")]
    Content {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: KeyError,
    },
    /// What is in the environment variable.
    #[error("the environment variable {} cannot be used", super::KEY_VARIABLE)]
    Variable(#[source] KeyError),
    /// The environment variable is not even text.
    #[error("the environment variable {} is no text", super::KEY_VARIABLE)]
    NoText,
    /// Run directories are copied, archived and shown around.
    #[error("the key file {path} is in the run directory {run_dir}, which others are given: keep it elsewhere")]
    InRunDir {
        /// Which.
        path: PathBuf,
        /// The run's.
        run_dir: PathBuf,
    },
}

/// The keys in a file that only its owner can read.
///
/// # Errors
/// When it cannot be read, others could, or it holds something else.
pub fn read(path: &Path) -> Result<KeyRing, KeyFileError> {
    let fail = |source| io_error("read", path, source);
    let file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    let mode = mode(&metadata);
    if mode & OTHERS != 0 {
        let path = path.into();
        return Err(KeyFileError::Open { path, mode });
    }
    if !metadata.is_file() || metadata.len() > MAX_FILE {
        return Err(KeyFileError::NoKeyFile(path.into()));
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    file.take(MAX_FILE).read_to_string(&mut text).map_err(fail)?;
    KeyRing::parse(&text).map_err(|source| KeyFileError::Content {
        path: path.into(),
        source,
    })
}

/// Makes a key file, readable for its owner only.
///
/// # Errors
/// When there is something of that name, or it cannot be written.
pub fn create(path: &Path, keys: &KeyRing) -> Result<(), KeyFileError> {
    let written = write_new(path, keys).and_then(|()| durable::sync_dir(durable::parent(path)));
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.into()),
        _ => io_error("written", path, source),
    })
}

/// Puts other keys into a key file, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, keys: &KeyRing) -> Result<(), KeyFileError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let aside = PathBuf::from(name);
    // One may be left of an attempt that was cut short.
    let _ = fs::remove_file(&aside);
    let written = write_new(&aside, keys)
        .and_then(|()| fs::rename(&aside, path))
        .and_then(|()| durable::sync_dir(durable::parent(path)));
    written.map_err(|source| io_error("written", path, source))
}

fn write_new(path: &Path, keys: &KeyRing) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(keys.to_text().as_bytes())?;
    file.sync_all()
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::Io {
        doing,
        path: path.into(),
        source,
    }
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777
}

/// Elsewhere permissions are not said in bits; files in a user's own folders are private by default.
#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::protocol::secure::Key;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_file_is_private_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let old = KeyRing::new(Key::new([1; 32]));
        create(&path, &old).unwrap();
        assert_eq!(mode(&fs::metadata(&path).unwrap()), 0o600);
        assert!(matches!(create(&path, &old), Err(KeyFileError::Exists(_))));

        let new = old.rotated(Key::new([2; 32]));
        fs::write(dir.path().join("key.part"), "left over").unwrap();
        replace(&path, &new).unwrap();
        assert_eq!(mode(&fs::metadata(&path).unwrap()), 0o600);
        assert_eq!(read(&path).unwrap(), new);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_others_can_read_is_refused_with_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, &KeyRing::new(Key::new([1; 32]))).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        read(&path).unwrap();
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(matches!(read(dir.path()), Err(KeyFileError::NoKeyFile(_))));
        let long = dir.path().join("long");
        write_new(&long, &KeyRing::new(Key::new([1; 32]))).unwrap();
        fs::write(&long, [b'#'; 5000]).unwrap();
        assert!(matches!(read(&long), Err(KeyFileError::NoKeyFile(_))));
        fs::write(&long, "secret").unwrap();
        let error = read(&long).unwrap_err();
        assert!(matches!(&error, KeyFileError::Content { .. }) && !format!("{error:?}").contains("secret"));
        assert!(matches!(read(&dir.path().join("none")), Err(KeyFileError::Io { .. })));
    }
}
