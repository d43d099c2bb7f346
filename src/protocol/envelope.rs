//! The outermost layer of every message: four bytes that say what follows. No meaning of messages here.
//!
//! ```text
//! 'T' 'F'   protocol   kind   body …
//! ```
//! `kind` 0 is a plain body. Kind 1 is reserved for bodies sealed with a key: a 12-byte sequence number in place of the
//! plain body's start, then ciphertext; nothing outside the envelope has to change for it.

use super::codec::WireError;

/// Version of the protocol. Checked before anything else in a message is looked at.
pub const PROTOCOL: u8 = 1;

const MAGIC: [u8; 2] = *b"TF";
const PLAIN: u8 = 0;

/// Length of the header.
pub(super) const HEADER: usize = 4;

/// Starts a message whose body is appended by the caller.
pub(super) fn begin(capacity: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + capacity);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[PROTOCOL, PLAIN]);
    bytes
}

/// The body of a message.
pub(super) fn open(bytes: &[u8]) -> Result<&[u8], WireError> {
    match bytes {
        [b'T', b'F', PROTOCOL, PLAIN, body @ ..] => Ok(body),
        [b'T', b'F', PROTOCOL, kind, ..] => Err(WireError::Kind(*kind)),
        [b'T', b'F', protocol, ..] => Err(WireError::Protocol { theirs: *protocol }),
        _ => Err(WireError::Foreign),
    }
}
