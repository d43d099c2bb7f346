//! The keys that are accepted, read again while the learner runs, so that a roll-over needs no restart.

use std::time::{Duration, Instant};
use thermoflow::protocol::secure::{Key, KeyFileError, KeyId, KeyRing, KeySource};
use tracing::{info, warn};

/// A file is read at most this often: often enough for people, and no work for a flood to cause.
const READ_EVERY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct AcceptedKeys {
    source: KeySource,
    keys: KeyRing,
    read: Instant,
    /// The last attempt failed, and somebody was told.
    failing: bool,
}

impl AcceptedKeys {
    /// The keys as they are now.
    pub fn open(source: KeySource, now: Instant) -> Result<Self, KeyFileError> {
        let keys = source.read()?;
        for key in keys.keys() {
            info!(key = %key.id(), "accepting actors with this key");
        }
        Ok(Self {
            source,
            keys,
            read: now,
            failing: false,
        })
    }

    /// The key of this name. What was known a moment ago may be gone from the file, and what was not may be in it by
    /// now, so the file is read again when it was not just read.
    pub fn find(&mut self, id: KeyId, now: Instant) -> Found {
        if now >= self.read + READ_EVERY {
            self.read = now;
            self.read_again();
        }
        match self.keys.find(id) {
            Some(key) => Found::Key(key.clone()),
            None if matches!(self.source, KeySource::File(_)) && self.read < now => {
                Found::AskAt(self.read + READ_EVERY)
            }
            None => Found::Unknown,
        }
    }

    /// A file that cannot be read for the moment changes nothing.
    fn read_again(&mut self) {
        match self.source.read() {
            Ok(keys) => {
                self.failing = false;
                if keys != self.keys {
                    info!(newest = %keys.newest().id(), accepted = keys.keys().len(), "the keys were changed");
                    self.keys = keys;
                }
            }
            Err(error) if !self.failing => {
                self.failing = true;
                let error = anyhow::Error::from(error);
                warn!("the keys cannot be read again; those read before stay accepted: {error:#}");
            }
            Err(_) => {}
        }
    }
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is accepted.
    Key(Key),
    /// It is not.
    Unknown,
    /// It was not when the file was last read; then is the time to look again.
    AskAt(Instant),
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermoflow::protocol::secure::files;

    #[test]
    fn a_changed_file_is_noticed_within_a_second_and_a_broken_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let keys = [1, 2, 3].map(|byte| Key::new([byte; 32]));
        let ids = keys.clone().map(|key| key.id());
        let ring = KeyRing::new(keys[0].clone());
        files::create(&path, &ring).unwrap();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut accepted = AcceptedKeys::open(KeySource::File(path.clone()), start).unwrap();
        assert_eq!(
            accepted.find(ids[1], at(1000)),
            Found::Unknown,
            "the file was read just now"
        );

        let ring = ring.rotated(keys[1].clone());
        files::replace(&path, &ring).unwrap();
        assert_eq!(accepted.find(ids[1], at(1500)), Found::AskAt(at(2000)));
        assert_eq!(accepted.find(ids[1], at(2000)), Found::Key(keys[1].clone()));
        assert_eq!(
            accepted.find(ids[0], at(2000)),
            Found::Key(keys[0].clone()),
            "still accepted"
        );

        files::replace(&path, &ring.rotated(keys[2].clone())).unwrap();
        assert_eq!(accepted.find(ids[0], at(3000)), Found::Unknown, "rotated out");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(accepted.find(ids[2], at(9000)), Found::Key(keys[2].clone()));
    }
}
