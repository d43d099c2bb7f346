//! Where a program has its keys from: a file, or its environment. Never its command line, which everyone can read.

use super::key::KeyRing;
use super::key_file::{self, KeyFileError};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The environment variable that holds a key, or two during a roll-over.
pub const KEY_VARIABLE: &str = "THERMOFLOW_KEY";

/// A place that keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A file, which may change while a learner runs.
    File(PathBuf),
    /// The environment.
    Variable(KeyRing),
}

impl KeySource {
    /// What a program was given: its `--key-file`, else the value of [`KEY_VARIABLE`], else nothing. The keys are there
    /// and can be used.
    ///
    /// # Errors
    /// When they cannot.
    pub fn given(file: Option<PathBuf>, variable: Option<OsString>) -> Result<Option<Self>, KeyFileError> {
        if let Some(path) = file {
            key_file::read(&path)?;
            return Ok(Some(Self::File(path)));
        }
        let Some(text) = variable.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let text = text.into_string().map_err(|_| KeyFileError::NoText)?;
        let keys = KeyRing::parse(&zeroize::Zeroizing::new(text)).map_err(KeyFileError::Variable)?;
        Ok(Some(Self::Variable(keys)))
    }

    /// The keys as they are now.
    ///
    /// # Errors
    /// When a file can no longer be read.
    pub fn read(&self) -> Result<KeyRing, KeyFileError> {
        match self {
            Self::File(path) => key_file::read(path),
            Self::Variable(keys) => Ok(keys.clone()),
        }
    }

    /// Refuses a file that lies in `run_dir`, by whatever names either is reached.
    ///
    /// # Errors
    /// When it does.
    pub fn check_outside(&self, run_dir: &Path) -> Result<(), KeyFileError> {
        let Self::File(path) = self else { return Ok(()) };
        let (Ok(file), Ok(dir)) = (fs::canonicalize(path), fs::canonicalize(run_dir)) else {
            // A run directory that is not there yet holds no file.
            return Ok(());
        };
        if file.starts_with(&dir) {
            return Err(KeyFileError::InRunDir {
                path: path.clone(),
                run_dir: run_dir.into(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::secure::Key;

    #[test]
    fn a_file_comes_before_the_environment_and_nothing_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let [in_file, in_variable] = [1, 2].map(|byte| KeyRing::new(Key::new([byte; 32])));
        key_file::create(&path, &in_file).unwrap();
        let variable = Some(OsString::from(in_variable.to_text().as_str()));
        let read = |file, variable| Some(KeySource::given(file, variable).unwrap()?.read().unwrap());
        assert_eq!(read(Some(path), variable.clone()), Some(in_file));
        assert_eq!(read(None, variable), Some(in_variable));
        assert_eq!(read(None, None), None);
        assert_eq!(read(None, Some(OsString::new())), None);
        let error = KeySource::given(None, Some("oops".into())).unwrap_err();
        assert!(error.to_string().contains(KEY_VARIABLE) && !format!("{error:?}").contains("oops"));
    }

    #[test]
    fn a_key_in_the_run_directory_is_refused_however_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        fs::create_dir_all(run.join("sub")).unwrap();
        let keys = KeyRing::new(Key::new([1; 32]));
        for (name, is_inside) in [
            ("run/key", true),
            ("run/sub/key", true),
            ("key", false),
            ("run-key", false),
        ] {
            let path = dir.path().join(name);
            key_file::create(&path, &keys).unwrap();
            let around = dir.path().join("run/sub/../..").join(name);
            for path in [path, around] {
                let checked = KeySource::File(path).check_outside(&run);
                assert_eq!(checked.is_err(), is_inside, "{name}");
            }
        }
    }
}
