//! Why a relay failed, and whether it is worth another attempt.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;
use thermoflow::process::{BAD_INPUT, FAILED, passed_on};
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
    /// No process of an actor.
    #[error("an actor's process cannot be started or waited for")]
    Process(#[source] io::Error),
    /// An actor of its own ended badly.
    #[error("actor {number} of the crew ended badly ({status}){}", after_colon(said))]
    Actor {
        /// Which.
        number: u32,
        /// How.
        status: ExitStatus,
        /// Its words on that.
        said: Option<String>,
    },
    /// Actors of its own did not end.
    #[error("{actors} actors of the crew did not end within {} seconds and were killed", within.as_secs())]
    Stuck {
        /// How many.
        actors: usize,
        /// How long they were waited for.
        within: Duration,
    },
}

fn after_colon(said: &Option<String>) -> String {
    said.as_ref().map_or_else(String::new, |said| format!(": {said}"))
}

impl RelayError {
    /// The program's exit code: 2 when another attempt fails as well, because what was given here is at fault; an actor's own.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Address(_) | Self::Key(_) | Self::Bind { .. } | Self::Watch(_) | Self::KeyRefused { .. } => BAD_INPUT,
            Self::AddressFile(..) | Self::Refused { .. } | Self::GaveUp { .. } => FAILED,
            Self::Process(_) | Self::Stuck { .. } => FAILED,
            Self::Actor { status, .. } => passed_on(*status),
        }
    }
}
