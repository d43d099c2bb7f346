//! DONE: the last file of a checkpoint. It lists the others with sizes and SHA-256, so that later damage is found.

use super::error::CheckpointError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

/// Name of the file.
pub const DONE: &str = "DONE";

/// What DONE says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seal {
    files: BTreeMap<String, Sealed>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sealed {
    bytes: usize,
    sha256: String,
}

impl Sealed {
    fn of(bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            bytes: bytes.len(),
            sha256,
        }
    }
}

/// The content of DONE for these files.
pub fn seal(files: &[(&'static str, Vec<u8>)]) -> Vec<u8> {
    let files = files
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), Sealed::of(bytes)))
        .collect();
    let mut text = serde_json::to_vec_pretty(&Seal { files }).expect("a seal is plain data");
    text.push(b'\n');
    text
}

/// Checks every file that DONE lists and returns the content of `wanted`, in order.
///
/// # Errors
/// Incomplete or damaged, with the file's name.
pub fn open(dir: &Path, wanted: &[&str]) -> Result<Vec<Vec<u8>>, CheckpointError> {
    let damaged = |name: &str, found: String| CheckpointError::Damaged {
        path: dir.join(name),
        found,
    };
    let seal = parse(&read(dir, DONE)?).map_err(|found| damaged(DONE, found))?;
    let mut contents = BTreeMap::new();
    for (name, sealed) in seal.files {
        let bytes = read(dir, &name)?;
        let found = Sealed::of(&bytes);
        if found.bytes != sealed.bytes {
            return Err(damaged(
                &name,
                format!("it has {} bytes, {} were written", found.bytes, sealed.bytes),
            ));
        }
        if found != sealed {
            return Err(damaged(
                &name,
                format!("its SHA-256 is {}, not {}", found.sha256, sealed.sha256),
            ));
        }
        contents.insert(name, bytes);
    }
    let take = |name: &&str| {
        contents
            .remove(*name)
            .ok_or_else(|| damaged(DONE, format!("it does not list {name}")))
    };
    wanted.iter().map(take).collect()
}

/// The content of DONE; only files of its own directory are in it.
pub(crate) fn parse(text: &[u8]) -> Result<Seal, String> {
    let seal: Seal = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    // Checkpoints are passed around: one that lists /dev/zero would be read for ever.
    let is_elsewhere = |name: &&String| Path::new(name.as_str()).file_name() != Some(OsStr::new(name.as_str()));
    match seal.files.keys().find(is_elsewhere) {
        None => Ok(seal),
        Some(name) => Err(format!("it lists {name:?}, which is no file of its directory")),
    }
}

fn read(dir: &Path, name: &str) -> Result<Vec<u8>, CheckpointError> {
    let path = dir.join(name);
    fs::read(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => CheckpointError::Incomplete {
            path: dir.into(),
            missing: name.into(),
        },
        _ => CheckpointError::Io {
            doing: "reading",
            path,
            source,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_lists_files_of_its_own_directory_only() {
        let text = |name: &str| format!(r#"{{"files":{{"{name}":{{"bytes":0,"sha256":""}}}}}}"#);
        assert!(parse(text("policy.safetensors").as_bytes()).is_ok());
        for name in ["/dev/zero", "../key", "a/b", "", "..", "a/"] {
            let found = parse(text(name).as_bytes()).unwrap_err();
            assert!(found.contains("no file of its directory"), "{found}");
        }
    }
}
