//! Shared keys, their names, and the text that holds them. A key is never shown: what prints is its id.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a key, drawn at random.
const KEY: usize = 32;

/// Characters of a key as text.
const TEXT: usize = 43;

/// Keys accepted at once: the newest, and during a roll-over the one before.
const MOST: usize = 2;

/// The secret that a learner and its actors share. Wiped from memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; KEY]>);

/// Names a key without telling anything about it: the start of its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub(super) [u8; 8]);

/// The one or two keys that are accepted, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing(Vec<Key>);

/// Why a text holds no keys. Never shows the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A word that is no key.
    #[error(
        "line {line} holds something that is no key ({TEXT} letters, digits, - and _ are expected); `thermoflow key new \
         PATH` makes one"
    )]
    Syntax {
        /// Where, from 1.
        line: usize,
    },
    /// Not one or two.
    #[error("there are {0} keys, 1 or {MOST} are allowed")]
    Count(usize),
    /// One key twice.
    #[error("the key {0} is there twice")]
    Twice(KeyId),
}

impl Key {
    /// The key of these bytes, which must be drawn at random by the system.
    pub fn new(bytes: [u8; KEY]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        let digest = Sha256::new()
            .chain_update(b"thermoflow key id")
            .chain_update(self.bytes());
        KeyId(*digest.finalize().first_chunk().expect("a digest has 32 bytes"))
    }

    pub(super) fn bytes(&self) -> &[u8; KEY] {
        &self.0
    }

    fn parse(word: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KEY]);
        let decoded = URL_SAFE_NO_PAD.decode_slice(word, &mut *bytes);
        (word.len() == TEXT && decoded == Ok(KEY)).then_some(Self(bytes))
    }
}

impl KeyRing {
    /// A single key.
    pub fn new(key: Key) -> Self {
        Self(vec![key])
    }

    /// The keys in a text, newest first: one or two words. Lines that begin with `#` are comments.
    ///
    /// # Errors
    /// When a word is no key, or there are too few or too many.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
            for word in words {
                keys.push(Key::parse(word).ok_or(KeyError::Syntax { line: number })?);
            }
        }
        match &keys[..] {
            [a, b] if a == b => Err(KeyError::Twice(a.id())),
            [_] | [_, _] => Ok(Self(keys)),
            _ => Err(KeyError::Count(keys.len())),
        }
    }

    /// What [`Self::parse`] reads, with words to whoever opens the file.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = String::from(
            "# Keys of Thermoflow, the newest first. Whoever has one can join the run: keep this file to yourself.\n",
        );
        // All at once, so that no grown-out-of copy stays in memory.
        text.reserve_exact(MOST * (TEXT + 1));
        for key in &self.0 {
            URL_SAFE_NO_PAD.encode_string(key.bytes(), &mut text);
            text.push('\n');
        }
        Zeroizing::new(text)
    }

    /// `key` becomes the newest, the newest one stays accepted, an older one goes.
    pub fn rotated(&self, key: Key) -> Self {
        Self(vec![key, self.newest().clone()])
    }

    /// The key to use.
    pub fn newest(&self) -> &Key {
        &self.0[0]
    }

    /// All accepted keys, newest first.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// The key of this name.
    pub fn find(&self, id: KeyId) -> Option<&Key> {
        self.0.iter().find(|key| key.id() == id)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(first: u8) -> KeyRing {
        KeyRing::new(Key::new([first; KEY]))
    }

    #[test]
    fn keys_survive_as_text_and_rotate_out_one_by_one() {
        let (a, b) = (ring(1), ring(1).rotated(Key::new([2; KEY])));
        let c = b.rotated(Key::new([3; KEY]));
        for ring in [&a, &b, &c] {
            assert_eq!(KeyRing::parse(&ring.to_text()).as_ref(), Ok(ring));
        }
        assert_eq!(b.newest(), &Key::new([2; KEY]));
        assert!(b.find(a.newest().id()).is_some(), "the old one is still accepted");
        assert!(c.find(a.newest().id()).is_none(), "the second rotation ends that");
        let words = KeyRing::parse(&c.to_text().lines().skip(1).collect::<Vec<_>>().join(" "));
        assert_eq!(words, Ok(c), "two keys on one line, as in an environment variable");
    }

    #[test]
    fn a_key_is_never_shown() {
        let ring = ring(7);
        let text = ring.to_text();
        let secret = text.lines().nth(1).unwrap();
        let shown = format!("{ring:?} {:?}", ring.newest());
        assert!(!shown.contains(secret) && !shown.contains("7, 7"), "{shown}");
        assert!(shown.contains(&ring.newest().id().to_string()));
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        let good = ring(1).to_text().lines().nth(1).unwrap().to_owned();
        for (text, expected) in [
            (String::new(), KeyError::Count(0)),
            (format!("{good} {}", "secret"), KeyError::Syntax { line: 1 }),
            (format!("# c\n{}", &good[1..]), KeyError::Syntax { line: 2 }),
            (format!("{good}="), KeyError::Syntax { line: 1 }),
            (format!("{good}\n{good}"), KeyError::Twice(ring(1).newest().id())),
            (format!("{good}\n{good}\n{good}"), KeyError::Count(3)),
        ] {
            let error = KeyRing::parse(&text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("secret") && !error.to_string().contains(&good[1..]));
        }
    }
}
