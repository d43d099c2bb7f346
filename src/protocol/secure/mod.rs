//! Links with a key: who may talk, and how what is said is sealed. No sockets and no clock; the one thing it takes from
//! the system by itself is the randomness of a handshake.
//!
//! ```text
//! actor                                      learner
//!   knock: key id, incarnation        ──►                    in clear
//!                                     ◄──  challenge: nonce, run id     in clear
//!   handshake: ephemeral key, tag     ──►
//!                                     ◄──  handshake: ephemeral key, tag
//!   sealed message                    ◄─►  sealed message
//! ```
//! The handshake is Noise `NNpsk0_25519_ChaChaPoly_BLAKE2s` (crate `snow`) with the shared key as its PSK: each side
//! shows that it has the key, session keys are fresh, and who learns the key later cannot read what was said before. The
//! PSK is checked before any Diffie–Hellman, so a stranger costs a hash. The prologue binds roles, protocol, key id,
//! incarnation, run and the learner's nonce; a recorded first message is worth nothing on another connection.
//!
//! The actor speaks first, so a learner says nothing to a port scanner, knows by its id which of two keys to use, and
//! either side that lacks a key is told so rather than waiting in vain.
//!
//! Invariant: a side with a key takes nothing but sealed messages after the handshake, each at most once.

mod handshake;
mod key;
mod key_file;
mod refusal;
mod rejected;
mod seal;
mod source;
mod window;

pub use handshake::{Challenge, HandshakeError, Knock, Proof};
pub use key::{Key, KeyError, KeyId, KeyRing};
pub use key_file::KeyFileError;
pub use refusal::Refusal;
pub use rejected::{Reason, Rejected};
pub use seal::{Channel, Opener, Sealer, Unopened, overhead};
pub use source::{KEY_VARIABLE, KeySource};

use super::envelope::{self, Kind};

/// Longest message before a handshake is done, bytes. Real ones have under 250.
pub const MAX_UNSEALED: usize = 512;

/// True when this is an actor's first message on a link with a key.
pub fn is_knock(bytes: &[u8]) -> bool {
    matches!(envelope::read(bytes), Ok((Kind::Knock, _)))
}

/// Creates, reads and renews key files; see [`KeySource`] for reading what a program was given.
pub mod files {
    pub use super::key_file::{create, read, replace};
}

#[cfg(test)]
mod tests;
