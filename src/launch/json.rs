//! Small files of JSON that are there whole or not at all.

use super::LaunchError;
use crate::durable;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// What a file holds; None when it is not there.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LaunchError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(source) if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(source) => {
            let (doing, path) = ("read", path.into());
            return Err(LaunchError::Io { doing, path, source });
        }
    };
    let damaged = |error: serde_json::Error| LaunchError::Damaged {
        path: path.into(),
        reason: error.to_string(),
    };
    serde_json::from_str(&text).map(Some).map_err(damaged)
}

/// Puts a value on the disk.
pub(super) fn write(path: &Path, value: &impl Serialize) -> Result<(), LaunchError> {
    let text = serde_json::to_string_pretty(value).expect("what is written down of a launch can be written as JSON");
    durable::replace(path, text.as_bytes()).map_err(|source| LaunchError::Io {
        doing: "written",
        path: path.into(),
        source,
    })
}
