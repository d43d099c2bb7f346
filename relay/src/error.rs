//! Why a relay failed, and whether it is worth another attempt.

use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thermoflow::protocol::address::{Address, AddressError};
use thermoflow::protocol::secure::{KeyFileError, Refusal};
use thermoflow_actors::Learner;
use thermoflow_watch::WatchError;

/// Why a relay failed.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// An address that is not allowed.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The shared key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// Nowhere to listen.
    #[error("{address} cannot be listened on for actors (--bind)")]
    Bind {
        /// Where.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// Nowhere to show metrics.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The address cannot be told.
    #[error("the address file {0} cannot be written")]
    AddressFile(PathBuf, #[source] io::Error),
    /// Learner and relay do not understand each other.
    #[error("the learner at {learner} refused this relay: {reason}")]
    Refused {
        /// Where.
        learner: Learner,
        /// Why.
        reason: String,
    },
    /// No key, or not the right one.
    #[error("the learner at {learner} {refusal}")]
    KeyRefused {
        /// Where.
        learner: Learner,
        /// What it said.
        refusal: Refusal,
    },
    /// No learner for too long.
    #[error("no learner at {learner} for {} seconds, giving up: {last}", give_up.as_secs())]
    GaveUp {
        /// Where.
        learner: Learner,
        /// How long it was looked for.
        give_up: Duration,
        /// What was seen of it last.
        last: String,
    },
}

impl RelayError {
    /// True when another attempt fails as well: what was given here is at fault.
    pub fn is_hopeless(&self) -> bool {
        match self {
            Self::Address(_) | Self::Key(_) | Self::Bind { .. } | Self::Watch(_) | Self::KeyRefused { .. } => true,
            Self::AddressFile(..) | Self::Refused { .. } | Self::GaveUp { .. } => false,
        }
    }
}
