//! What happens to an actor's end of the protocol, and what it is to do about it. Data only.

use crate::config::RunConfig;
use crate::protocol::WireError;
use crate::protocol::messages::{Blob, ToActor, ToLearner};
use crate::protocol::secure::Refusal;
use crate::protocol::weights::Packed;
use crate::rollout::{RollRequest, Trajectory};
use crate::task::oracle::OracleHealth;
use crate::units::PolicyVersion;

/// What happens to an actor.
#[derive(Debug)]
pub enum Event {
    /// The connection that was asked for is there.
    Connected,
    /// There is no connection (any more), and why.
    Disconnected(String),
    /// A message came.
    Received(ToActor),
    /// Something came that is no message.
    Malformed(WireError),
    /// A roll-out that was asked for is done.
    Rolled(Vec<Trajectory>, OracleHealth),
    /// The process was asked to stop.
    Stop,
    /// Time passed.
    Tick,
}

/// What an actor is to do about it.
#[derive(Debug)]
pub enum Action {
    /// Close the connection, if any, and open a new one.
    Connect,
    /// Send this.
    Send(ToLearner),
    /// Comes once, before any `Load` or `Roll`: build task and roller.
    Configure {
        /// Id of the run.
        run: String,
        /// The run's configuration.
        config: Box<RunConfig>,
        /// What is in the file that the task needs, if it needs one.
        attachment: Option<Blob>,
    },
    /// Use these weights from now on.
    Load {
        /// Which.
        version: PolicyVersion,
        /// The forward policy; a difference is one to what was loaded before.
        weights: Packed,
    },
    /// Roll out with the weights loaded last; one request at a time.
    Roll(RollRequest),
    /// The session is over.
    Exit(Exit),
}

/// Why an actor stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// The run is over.
    Finished,
    /// It was asked to; `undelivered` trajectories were not acknowledged in time.
    Stopped {
        /// How many.
        undelivered: usize,
    },
    /// The learner will not have it.
    Refused(String),
    /// The learner does not talk without a key, or without another one.
    Key(Refusal),
    /// There was no learner for too long; the last thing that was seen of it.
    GaveUp(String),
}
