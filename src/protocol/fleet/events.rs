//! What happens to a learner's end of the protocol, what it is to do about it, and what it reports. Data only.

use crate::config::RunConfig;
use crate::protocol::WireError;
use crate::protocol::messages::{ActorStatus, Blob, ToActor, ToLearner};
use crate::protocol::secure::Rejected;
use crate::rollout::Trajectory;
use crate::units::{Incarnation, PolicyVersion, Seq};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A connection, as the transport names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route(pub Arc<[u8]>);

impl Borrow<[u8]> for Route {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// What happens to the learner.
#[derive(Debug)]
pub enum Event {
    /// A message came.
    Received(Route, ToLearner),
    /// Something came that is no message.
    Malformed(Route, WireError),
    /// A connection broke.
    Disconnected(Route),
    /// Everything of this incarnation below `next` is committed.
    Committed {
        /// Whose.
        incarnation: Incarnation,
        /// First one that is not.
        next: Seq,
    },
    /// There are new weights.
    Published(PolicyVersion),
    /// Sync mode: a round begins; its weights were published before.
    RoundStarted(u64),
    /// Nothing was read from the network until now, so silence means nothing.
    Resumed,
    /// The run is over.
    Finished,
    /// Time passed.
    Tick,
    /// Time passed, and nothing is read from the network meanwhile: training or the disk is behind.
    HeldBack,
}

/// What the learner is to do about it.
#[derive(Debug)]
pub enum Action {
    /// Send this.
    Send(Route, ToActor),
    /// Send the newest weights.
    SendWeights(Route),
    /// Commit, then report [`Event::Committed`]; in the order given.
    Commit(Commit),
    /// Sync mode: the round's trajectories, by place.
    RoundComplete(u64, Vec<Trajectory>),
}

/// Trajectories of one incarnation to be committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Whose.
    pub incarnation: Incarnation,
    /// Its name.
    pub actor: Arc<str>,
    /// Rising numbers; gaps are trajectories that are not worth keeping. May be empty.
    pub rows: Vec<(Seq, Trajectory)>,
    /// Report this as the next one when done.
    pub next: Seq,
    /// The newest weights when they came.
    pub newest: Option<PolicyVersion>,
}

/// What a fleet is for.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    /// Id of the run.
    pub run: String,
    /// Its configuration.
    pub config: RunConfig,
    /// What is in the file that the task needs.
    pub attachment: Option<Blob>,
    /// Async mode: the newest version that an earlier life of the learner may have published.
    pub published: Option<PolicyVersion>,
    /// What the replay holds: the next trajectory of each incarnation.
    pub known: HashMap<Incarnation, Seq>,
    /// Sync mode: the first round to come.
    pub first_round: u64,
    /// Sync mode: trajectories of rounds to come that the replay holds.
    pub early: Vec<Trajectory>,
}

/// What went wrong since the learner started, counted; and what was reassigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Trajectories that had come before.
    pub duplicates: u64,
    /// Batches that came too early.
    pub gaps: u64,
    /// Actors or batches refused.
    pub refused: u64,
    /// Messages on connections without a hello.
    pub strangers: u64,
    /// Bytes that were no message.
    pub malformed: u64,
    /// Batches beyond an actor's window.
    pub over_window: u64,
    /// Places of rounds given to another actor.
    pub reassigned: u64,
    /// Times that an actor was lost: silent for a lease, its connection broken, or gone with a goodbye.
    pub dropped: u64,
    /// Times that a lost one came back.
    pub returned: u64,
    /// Actors shut out because a score of theirs was wrong.
    pub quarantined: u64,
}

/// What is known of an actor.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerReport {
    /// Its name.
    pub name: Arc<str>,
    /// Its life.
    pub incarnation: Incarnation,
    /// Heard from within the lease.
    pub present: bool,
    /// Shut out: a score of its was wrong.
    pub quarantined: bool,
    /// Since it was last heard.
    pub silent: Duration,
    /// Trajectories taken from it in this life of the learner.
    pub taken: u64,
    /// How many versions behind the newest weights what it last sent was.
    pub staleness: Option<u64>,
    /// Times it was lost.
    pub dropped: u64,
    /// What it last said of itself.
    pub status: ActorStatus,
}

/// What is known of the fleet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FleetReport {
    /// All actors remembered, present or not.
    pub actors: Vec<PeerReport>,
    /// What went wrong so far.
    pub counters: Counters,
    /// What was not let in or did not open; whoever holds the connections counts it.
    pub rejected: Rejected,
}
