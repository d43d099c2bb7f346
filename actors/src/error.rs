//! Why an actor failed, and whether it is worth another attempt.

use crate::outbox::OutboxError;
use crate::run::Learner;
use crate::worker::WorkError;
use std::path::PathBuf;
use std::time::Duration;
use thermoflow::protocol::address::AddressError;
use thermoflow::protocol::secure::{KeyFileError, Refusal};
use thermoflow_watch::WatchError;

/// Why an actor failed.
#[derive(Debug, thiserror::Error)]
pub enum ActorError {
    /// The roller failed.
    #[error("this actor cannot go on")]
    Work(#[from] WorkError),
    /// No thread.
    #[error("the roller's thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// The outbox cannot be used.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The ledger cannot be written.
    #[error("the ledger {0} cannot be written")]
    Ledger(PathBuf, #[source] std::io::Error),
    /// The learner refused it.
    #[error("the learner at {learner} refused this actor: {reason}")]
    Refused {
        /// Where.
        learner: Learner,
        /// Its words.
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
    /// Nowhere to show metrics.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// An address that is not allowed.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The shared key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
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

impl ActorError {
    /// True when another attempt fails as well: what was given here, or asked for by the learner, is at fault.
    pub fn is_hopeless(&self) -> bool {
        match self {
            Self::Work(error) => error.is_hopeless(),
            Self::KeyRefused { .. } | Self::Address(_) | Self::Key(_) | Self::Watch(_) => true,
            Self::Outbox(OutboxError::Held { .. }) => true,
            Self::Thread(_) | Self::Outbox(_) | Self::Ledger(..) | Self::Refused { .. } | Self::GaveUp { .. } => false,
        }
    }
}
