//! What happens to a relay, and what it is to do about it. Data only.

use crate::protocol::WireError;
use crate::protocol::relay::{Branch, ToRelay};
use crate::protocol::secure::Refusal;
use crate::units::Incarnation;
use std::sync::Arc;

/// Where a relay is, for the learner's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayHello {
    /// Where it runs.
    pub host: String,
    /// Process number there.
    pub process: u32,
}

/// What happens to a relay.
#[derive(Debug)]
pub enum Event {
    /// An actor is connected; on a link with a key, in the name of this incarnation.
    Opened(Branch, Option<Incarnation>),
    /// An actor sent this.
    Said(Branch, Vec<u8>),
    /// An actor's connection is closed, or was closed because it does not read.
    Closed(Branch),
    /// The connection to the learner that was asked for is there.
    Connected,
    /// There is no connection to the learner (any more), and why.
    Disconnected(String),
    /// The learner sent this.
    Received(ToRelay),
    /// The learner sent something that is no message to a relay.
    Malformed(WireError),
    /// The process was asked to stop.
    Stop,
    /// Time passed.
    Tick,
}

/// What a relay is to do about it.
#[derive(Debug)]
pub enum Action {
    /// Close the connection to the learner, if any, and open a new one.
    Connect,
    /// Send this to an actor.
    Give(Branch, Arc<Vec<u8>>),
    /// Close an actor's connection once everything is written.
    Close(Branch, Closing),
    /// The relay is done.
    Exit(Exit),
}

/// Why an actor's connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The learner said so.
    Told,
    /// It says to be another actor than its connection was opened for.
    Impostor,
    /// There are too many, or the relay is about to end.
    NoPlace,
}

/// Why a relay stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// The run is over.
    Finished,
    /// It was asked to.
    Stopped,
    /// The learner and it do not understand each other.
    Refused(String),
    /// The learner does not talk without a key, or without another one.
    Key(Refusal),
    /// There was no learner for too long; the last thing that was seen of it.
    GaveUp(String),
}
