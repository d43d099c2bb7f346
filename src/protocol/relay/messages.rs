//! What a relay and the learner say to each other, as data and as bytes. What an actor and the learner say travels inside as
//! it is.

use super::MAX_ITEMS;
use crate::protocol::codec::{self, MAX_NAME, MAX_TO_ACTOR, MAX_TO_LEARNER, WireError, limit};
use crate::protocol::envelope::{self, Kind};
use crate::protocol::fleet::Route;
use crate::protocol::messages::Blob;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// What a bundle adds to the only message in it, at most.
const WRAPPING: usize = 1 << 10;

/// Largest message from a relay, bytes: the largest of an actor fits.
pub const MAX_FROM_RELAY: usize = MAX_TO_LEARNER + WRAPPING;

/// Largest message to a relay, bytes: the largest to an actor fits.
pub const MAX_TO_RELAY: usize = MAX_TO_ACTOR + WRAPPING;

/// An actor's connection to a relay, by a number that it gives to no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Branch(pub u64);

impl Branch {
    /// The route of the actor, where the relay's is `trunk`.
    pub(super) fn route(self, trunk: &Route) -> Route {
        Route([&trunk.0, &self.0.to_be_bytes()[..]].concat().into())
    }

    /// The relay's route and the branch, if the route has both.
    pub(super) fn of(route: &Route) -> Option<(&[u8], Self)> {
        let (trunk, branch) = route.0.split_last_chunk()?;
        Some((trunk, Self(u64::from_be_bytes(*branch))))
    }
}

/// From a relay to the learner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromRelay {
    /// First message on every connection.
    Hello {
        /// Where it runs.
        host: String,
        /// Process number there.
        process: u32,
    },
    /// What actors said, in order for each. An empty one asks whether the learner is there.
    Bundle {
        /// 1, 2 … on this connection.
        number: u64,
        /// At most [`MAX_ITEMS`].
        items: Vec<(Branch, Said)>,
    },
}

/// What an actor did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Said {
    /// It sent these bytes.
    Message(Blob),
    /// Its connection is closed.
    Gone,
}

/// From the learner to a relay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToRelay {
    /// Bytes to keep in the place of those that are there.
    Keep {
        /// Which place.
        slot: u8,
        /// Names the bytes; never used twice.
        stamp: u64,
        /// The bytes.
        bytes: Shared,
    },
    /// What actors are told, in order for each.
    Bundle {
        /// All bundles up to this number are handled.
        handled: u64,
        /// At most [`MAX_ITEMS`].
        items: Vec<(Branch, Told)>,
    },
    /// The run is over, and the actors were told.
    Finished,
}

/// What an actor is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Told {
    /// These bytes.
    Message(Blob),
    /// The beginning of bytes that are kept, and the rest.
    Kept {
        /// Where they are kept.
        slot: u8,
        /// Which bytes must be there.
        stamp: u64,
        /// How many of them.
        length: u64,
        /// What follows.
        rest: Blob,
    },
    /// Nothing any more: the connection is to be closed.
    Close,
}

/// Bytes that several hold and nobody changes.
#[derive(Clone, PartialEq, Eq)]
pub struct Shared(pub Arc<Vec<u8>>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({} bytes)", self.0.len())
    }
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Blob::deserialize(deserializer).map(|Blob(bytes)| Self(Arc::new(bytes)))
    }
}

impl FromRelay {
    /// The message as bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode_as(Kind::Relay, 256, self)
    }
}

impl ToRelay {
    /// The message as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let capacity = match self {
            Self::Keep { bytes, .. } => bytes.0.len(),
            _ => 0,
        };
        codec::encode_as(Kind::Relay, capacity + 256, self)
    }
}

/// True when this is between a relay and the learner.
pub fn is_of_relay(bytes: &[u8]) -> bool {
    matches!(envelope::read(bytes), Ok((Kind::Relay, _)))
}

/// A message from a relay.
///
/// # Errors
/// When the bytes are no such message or break a limit.
pub fn decode_from_relay(bytes: &[u8]) -> Result<FromRelay, WireError> {
    let message = codec::decode(Kind::Relay, bytes, MAX_FROM_RELAY)?;
    match &message {
        FromRelay::Hello { host, .. } => limit("host name", host.len(), MAX_NAME)?,
        FromRelay::Bundle { items, .. } => limit("bundle", items.len(), MAX_ITEMS)?,
    }
    Ok(message)
}

/// A message to a relay.
///
/// # Errors
/// When the bytes are no such message or break a limit.
pub fn decode_to_relay(bytes: &[u8]) -> Result<ToRelay, WireError> {
    let message = codec::decode(Kind::Relay, bytes, MAX_TO_RELAY)?;
    if let ToRelay::Bundle { items, .. } = &message {
        limit("bundle", items.len(), MAX_ITEMS)?;
    }
    Ok(message)
}
