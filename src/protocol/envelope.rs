//! The outermost layer of every message: four bytes that say what follows. No meaning of messages here.
//!
//! ```text
//! 'T' 'F'   protocol   kind   body …
//! ```
//! A plain body is a message, a relay's one of [`super::relay`]. All other kinds belong to links with a key:
//! [`super::secure`] has their bodies.

use super::codec::WireError;
use super::secure::Refusal;

/// Version of the protocol. Checked before anything else in a message is looked at.
pub const PROTOCOL: u8 = 2;

const MAGIC: [u8; 2] = *b"TF";

/// Length of the header.
pub(super) const HEADER: usize = 4;

/// What the body of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A message in clear.
    Plain = 0,
    /// An actor's first message: which key it has.
    Knock = 1,
    /// The learner's answer: what is to be bound into the handshake.
    Challenge = 2,
    /// A message of the Noise handshake.
    Handshake = 3,
    /// A message sealed with the keys that the handshake gave.
    Sealed = 4,
    /// The learner's last message, in clear: it has nothing to say without a key, or without the right one.
    Refusal = 5,
    /// A message between a relay and the learner.
    Relay = 6,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        let all = [
            Self::Plain,
            Self::Knock,
            Self::Challenge,
            Self::Handshake,
            Self::Sealed,
            Self::Refusal,
            Self::Relay,
        ];
        all.into_iter().find(|&kind| kind as u8 == byte)
    }
}

/// Starts a message whose body of about `capacity` bytes is appended by the caller.
pub(super) fn begin(kind: Kind, capacity: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + capacity);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[PROTOCOL, kind as u8]);
    bytes
}

/// The kind and the body of a message.
pub(super) fn read(bytes: &[u8]) -> Result<(Kind, &[u8]), WireError> {
    match bytes {
        [b'T', b'F', PROTOCOL, kind, body @ ..] => match Kind::from_byte(*kind) {
            Some(kind) => Ok((kind, body)),
            None => Err(WireError::Kind(*kind)),
        },
        [b'T', b'F', protocol, ..] => Err(WireError::Protocol { theirs: *protocol }),
        _ => Err(WireError::Foreign),
    }
}

/// The body of a message of this kind. A refusal in its place is an error of its own.
pub(super) fn expect(due: Kind, bytes: &[u8]) -> Result<&[u8], WireError> {
    match read(bytes)? {
        (kind, body) if kind == due => Ok(body),
        (Kind::Refusal, body) => Err(Refusal::from_body(body).map_or(WireError::Foreign, WireError::Refusal)),
        (kind, _) => Err(WireError::Kind(kind as u8)),
    }
}
