//! Async mode: a version number is never used twice, also not by two lives of a learner, so that "newest wins" holds for
//! actors that outlive one. A file in the run directory says from which number on none was published.
//!
//! Not in the replay: ingest, which owns that, may wait for training, and training must not wait for ingest.

use crate::error::LearnerError;
use std::path::{Path, PathBuf};
use thermoflow::durable;
use thermoflow::units::PolicyVersion;

/// Versions that are written down as used before the first of them is published. A learner that is killed skips at most
/// so many, one that ends in order none.
const RESERVE: u64 = 1000;

/// The numbers of a run's versions.
#[derive(Debug)]
pub(crate) struct Versions {
    path: PathBuf,
    /// None from here on was published.
    reserved: PolicyVersion,
}

impl Versions {
    /// What earlier lives of the learner wrote down.
    pub fn open(run_dir: &Path) -> Result<Self, LearnerError> {
        let path = run_dir.join("versions");
        let reserved = match std::fs::read_to_string(&path) {
            Ok(text) => {
                let damaged = || std::io::Error::other(format!("{} holds no number", path.display()));
                text.trim()
                    .parse()
                    .map_err(|_| LearnerError::Io("reading the versions used so far", damaged()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(LearnerError::Io("reading the versions used so far", error)),
        };
        Ok(Self {
            path,
            reserved: PolicyVersion(reserved),
        })
    }

    /// The first number that was never published.
    pub fn reserved(&self) -> PolicyVersion {
        self.reserved
    }

    /// Call before `version` is published.
    pub fn publish(&mut self, version: PolicyVersion) -> std::io::Result<()> {
        if version < self.reserved {
            return Ok(());
        }
        self.write(PolicyVersion(version.0 + RESERVE))
    }

    /// Call when nothing above `newest` was or will be published.
    pub fn end(&mut self, newest: PolicyVersion) -> std::io::Result<()> {
        self.write(newest.next())
    }

    fn write(&mut self, reserved: PolicyVersion) -> std::io::Result<()> {
        durable::replace(&self.path, format!("{}\n", reserved.0).as_bytes())?;
        self.reserved = reserved;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_life_uses_a_number_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Versions::open(dir.path()).unwrap();
        assert_eq!(first.reserved(), PolicyVersion(0));
        first.publish(PolicyVersion(1)).unwrap();
        first.publish(PolicyVersion(7)).unwrap();
        // Killed here: anything up to the reserve may have been published.
        let mut second = Versions::open(dir.path()).unwrap();
        assert!(second.reserved() > PolicyVersion(1000));
        let next = second.reserved();
        second.publish(next).unwrap();
        second.end(next).unwrap();
        assert_eq!(Versions::open(dir.path()).unwrap().reserved(), next.next());

        std::fs::write(dir.path().join("versions"), "x").unwrap();
        assert!(Versions::open(dir.path()).is_err(), "damage never means starting over");
    }
}
