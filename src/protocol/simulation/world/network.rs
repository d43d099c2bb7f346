//! Connections: messages under way in both directions, and what each end knows of the other.

use super::World;
use crate::protocol::actor_session::Event as ActorEvent;
use crate::protocol::fleet::{Event as FleetEvent, Route};
use crate::protocol::messages::{ToActor, ToLearner};
use crate::protocol::{decode_to_actor, decode_to_learner, encode};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// One message in so many goes through the codec, which has tests of its own.
const ENCODED: usize = 8;

/// All connections, by the number that names their route.
#[derive(Default)]
pub(super) struct Network {
    pub links: BTreeMap<u64, Link>,
}

pub(super) struct Link {
    pub actor: usize,
    pub route: Route,
    pub to_learner: VecDeque<ToLearner>,
    pub to_actor: VecDeque<ToActor>,
    /// The actor's end is open.
    pub here: bool,
    /// The learner's end is open.
    pub there: bool,
    /// What is sent from now on is lost.
    pub broken: bool,
    /// The other end does not learn that one end is gone.
    pub mute: bool,
    /// When the learner last heard from it, by its clock.
    pub heard: Duration,
    /// Weights that the learner may send: it was asked for them, or greeted.
    pub weights_due: usize,
}

impl Link {
    fn new(actor: usize, name: u64, heard: Duration) -> Self {
        Self {
            actor,
            route: Route(name.to_le_bytes().as_slice().into()),
            to_learner: VecDeque::new(),
            to_actor: VecDeque::new(),
            here: true,
            there: true,
            broken: false,
            mute: false,
            heard,
            weights_due: 0,
        }
    }
}

impl World {
    /// A new connection of an actor; what is under way on its old one may still arrive.
    pub(super) fn connect(&mut self, number: usize) {
        self.hang_up(number);
        if self.learner.running.is_none() {
            return self.actor_event(number, ActorEvent::Disconnected("connection refused".into()));
        }
        self.names += 1;
        let link = Link::new(number, self.names, self.learner_clock());
        self.network.links.insert(self.names, link);
        self.actors[number].link = Some(self.names);
        self.actor_event(number, ActorEvent::Connected);
    }

    /// The actor's end is closed.
    pub(super) fn hang_up(&mut self, number: usize) {
        let link = self.actors[number].link.take();
        if let Some(link) = link.and_then(|name| self.network.links.get_mut(&name)) {
            link.here = false;
            link.to_actor.clear();
        }
        self.network.links.retain(|_, link| link.here || link.there);
    }

    pub(super) fn send(&mut self, number: usize, message: ToLearner) {
        let link = self.actors[number].link;
        let link = link.and_then(|name| self.network.links.get_mut(&name));
        if let Some(link) = link.filter(|link| link.here && !link.broken && link.there) {
            link.to_learner.push_back(message);
        }
    }

    pub(super) fn post(&mut self, route: &Route, message: ToActor) {
        let name = <[u8; 8]>::try_from(&*route.0).map(u64::from_le_bytes);
        let Some(link) = name.ok().and_then(|name| self.network.links.get_mut(&name)) else {
            return;
        };
        assert!(
            !link.there || self.learner.ticked < link.heard + crate::protocol::LEASE,
            "invariant 4: nothing is sent to an absent actor: {message:?}"
        );
        if !link.there || !link.here || link.broken {
            return;
        }
        let refused = matches!(message, ToActor::Refused { .. });
        link.to_actor.push_back(message);
        // As the learner's program does: the connection closes once the refusal is written.
        link.there = !refused;
    }

    /// True when something happened.
    pub(super) fn deliver_to_learner(&mut self) -> bool {
        if self.learner_is_paused() || !self.may_read() {
            return false;
        }
        let now = self.now;
        let ready = self.network.links.iter().filter(|(_, link)| {
            let at_end = link.to_learner.is_empty() && (!link.here || link.broken) && !link.mute;
            link.there && now >= self.actors[link.actor].cut_to_learner && (at_end || !link.to_learner.is_empty())
        });
        let ready: Vec<u64> = ready.map(|(&name, _)| name).collect();
        if ready.is_empty() {
            return false;
        }
        let name = ready[self.rng.below(ready.len())];
        let clock = self.learner_clock();
        let Some(link) = self.network.links.get_mut(&name) else {
            return false;
        };
        let route = link.route.clone();
        let Some(message) = link.to_learner.pop_front() else {
            link.there = false;
            self.network.links.retain(|_, link| link.here || link.there);
            self.note(|_| format!("learner: link {name} is closed"));
            self.fleet_event(FleetEvent::Disconnected(route));
            return true;
        };
        link.heard = clock;
        link.weights_due += usize::from(matches!(message, ToLearner::Hello(_) | ToLearner::WantWeights { .. }));
        let message = match self.rng.below(ENCODED) {
            0 => decode_to_learner(&encode(&message)).expect("what is sent can be read"),
            _ => message,
        };
        self.note(|_| format!("learner: from link {name}: {message:?}"));
        self.fleet_event(FleetEvent::Received(route, message));
        true
    }

    /// True when something happened.
    pub(super) fn deliver_to_actor(&mut self) -> bool {
        let now = self.now;
        let ready = self.network.links.iter().filter(|(_, link)| {
            let actor = &self.actors[link.actor];
            let at_end = link.to_actor.is_empty() && (!link.there || link.broken) && !link.mute;
            let something = at_end || !link.to_actor.is_empty();
            link.here && something && now >= actor.cut_to_actor && now >= actor.paused_until
        });
        let ready: Vec<u64> = ready.map(|(&name, _)| name).collect();
        if ready.is_empty() {
            return false;
        }
        let name = ready[self.rng.below(ready.len())];
        let Some(link) = self.network.links.get_mut(&name) else {
            return false;
        };
        let number = link.actor;
        let Some(message) = link.to_actor.pop_front() else {
            self.hang_up(number);
            self.note(|_| format!("actor {number}: link {name} is closed"));
            self.actor_event(number, ActorEvent::Disconnected("end of file".into()));
            return true;
        };
        let message = match self.rng.below(ENCODED) {
            0 => decode_to_actor(&encode(&message)).expect("what is sent can be read"),
            _ => message,
        };
        self.note(|_| match &message {
            ToActor::Welcome(welcome) => format!("actor {number}: welcome, next {}", welcome.next),
            other => format!("actor {number}: gets {other:?}"),
        });
        self.actor_event(number, ActorEvent::Received(message));
        true
    }
}
