//! What a learner says in clear to an actor that it has nothing else to say to.

use crate::protocol::envelope::{self, Kind};
use std::fmt;

/// Why a learner does not talk. It is not authenticated: an actor believes it only until it was welcomed once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// The actor spoke in clear to a learner with a key.
    KeyWanted = 1,
    /// The actor has a key and the learner has none.
    NoKeyHere = 2,
    /// The learner does not know the actor's key.
    UnknownKey = 3,
}

impl Refusal {
    /// The message.
    pub fn encode(self) -> Vec<u8> {
        let mut bytes = envelope::begin(Kind::Refusal, 1);
        bytes.push(self as u8);
        bytes
    }

    pub(in crate::protocol) fn from_body(body: &[u8]) -> Option<Self> {
        let all = [Self::KeyWanted, Self::NoKeyHere, Self::UnknownKey];
        all.into_iter().find(|&refusal| *body == [refusal as u8])
    }
}

/// Goes on where "the learner at … " ends.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyWanted => {
                "wants a key: give this program the learner's with --key-file PATH or in the environment variable \
                 THERMOFLOW_KEY"
            }
            Self::NoKeyHere => {
                "has no key, and this program was given one: start the learner with --key-file PATH too, or this program \
                 without --key-file and THERMOFLOW_KEY"
            }
            Self::UnknownKey => {
                "does not know this program's key: `thermoflow key id PATH` says which keys a file holds, without showing \
                 them"
            }
        })
    }
}
