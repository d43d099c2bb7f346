//! What the learner remembers of one actor incarnation. Bookkeeping only; `fleet` decides.

use super::fleet::Route;
use super::messages::{ActorStatus, Hello, ToActor};
use super::{LEASE, RESEND};
use crate::rollout::Trajectory;
use crate::units::{PolicyVersion, Seq};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Peer {
    pub name: Arc<str>,
    pub hello: Hello,
    /// Where it was last heard from; none after the connection broke.
    pub route: Option<Route>,
    /// False when it was silent for a lease or its connection broke.
    pub present: bool,
    pub heard: Duration,
    /// When it was last told how far the learner is, or anything else that answers it.
    pub told: Duration,
    /// Trajectories below this were taken.
    pub accepted: Seq,
    /// Trajectories below this are committed.
    pub committed: Seq,
    /// Trajectories taken in this life of the learner.
    pub taken: u64,
    /// How many versions behind what was last taken was.
    pub staleness: Option<u64>,
    /// Times it was lost.
    pub dropped: u64,
    pub status: ActorStatus,
    weights_sent: Option<(PolicyVersion, Duration)>,
    pub work_sent: Duration,
}

impl Peer {
    pub fn new(hello: Hello, next: Seq, now: Duration) -> Self {
        Self {
            name: hello.name.as_str().into(),
            hello,
            route: None,
            present: false,
            heard: now,
            told: now,
            accepted: next,
            committed: next,
            taken: 0,
            staleness: None,
            dropped: 0,
            status: ActorStatus::default(),
            weights_sent: None,
            work_sent: now,
        }
    }

    /// A new connection: what was sent on the old one may be lost. True when the actor was lost and is back.
    pub fn connect(&mut self, route: Route, now: Duration) -> bool {
        self.route = Some(route);
        self.told = now;
        self.weights_sent = None;
        self.hear(now) && self.dropped > 0
    }

    /// It said something. True when it was absent.
    pub fn hear(&mut self, now: Duration) -> bool {
        self.heard = now;
        !std::mem::replace(&mut self.present, true)
    }

    /// How many versions behind the newest the oldest weights of a batch are.
    pub fn staleness(newest: Option<PolicyVersion>, batch: &[Trajectory]) -> Option<u64> {
        let oldest = batch.iter().map(|trajectory| trajectory.policy_version).min()?;
        Some(newest?.0.saturating_sub(oldest.0))
    }

    /// `resumed` is since when connections are read: silence before that means nothing.
    pub fn is_silent(&self, now: Duration, resumed: Duration) -> bool {
        self.present && now >= self.heard.max(resumed) + LEASE
    }

    /// Tells it what is committed; `resend` when something was missed.
    pub fn ack(&mut self, now: Duration, newest: Option<PolicyVersion>, resend: bool) -> ToActor {
        self.told = now;
        ToActor::Ack {
            next: self.committed,
            resend,
            newest,
        }
    }

    /// How many trajectories are taken and not committed.
    pub fn in_flight(&self) -> usize {
        (self.accepted.0 - self.committed.0) as usize
    }

    /// True, and noted, when `version` must be sent: it was not yet on this connection (or is asked for again long
    /// after). So an actor that asks without end gets each version once per [`RESEND`], whatever it reads.
    pub fn needs_weights(&mut self, version: PolicyVersion, again: bool, now: Duration) -> bool {
        let on_its_way = self
            .weights_sent
            .is_some_and(|(sent, at)| sent == version && !(again && now >= at + RESEND));
        if !on_its_way {
            self.weights_sent = Some((version, now));
        }
        !on_its_way
    }
}
