//! Connections of actors: messages under way in both directions, and what each end knows of the other.

use super::World;
use super::relays::Trunk;
use crate::protocol::actor_session::Event as ActorEvent;
use crate::protocol::fleet::{Event as FleetEvent, Route};
use crate::protocol::messages::{ToActor, ToLearner};
use crate::protocol::relay::{Branch, Event as RelayEvent};
use crate::protocol::{LEASE, decode_to_actor, decode_to_learner, encode};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// One message in so many goes through the codec, which has tests of its own.
pub(super) const ENCODED: usize = 8;

/// All connections, by the number that names them.
#[derive(Default)]
pub(super) struct Network {
    /// Of actors, with the learner or a relay.
    pub links: BTreeMap<u64, Link>,
    /// Of relays with the learner.
    pub trunks: BTreeMap<u64, Trunk>,
    /// Whom the learner hears, through relays too.
    pub ends: HashMap<Route, End>,
}

pub(super) struct Link {
    pub actor: usize,
    /// At its other end, in place of the learner.
    pub relay: Option<usize>,
    pub to_learner: VecDeque<ToLearner>,
    pub to_actor: VecDeque<ToActor>,
    /// The actor's end is open.
    pub here: bool,
    /// The other end is open.
    pub there: bool,
    /// What is sent from now on is lost.
    pub broken: bool,
    /// The other end does not learn that one end is gone.
    pub mute: bool,
}

/// An actor as the learner has it.
#[derive(Default)]
pub(super) struct End {
    /// When it was last heard, by the learner's clock.
    pub heard: Duration,
    /// Weights that the learner may send: it was asked for them, or greeted.
    pub weights_due: usize,
}

/// What has something to deliver.
#[derive(Clone, Copy)]
enum Ready {
    Link(u64),
    Trunk(u64),
}

pub(super) fn route(name: u64) -> Route {
    Route(name.to_le_bytes().as_slice().into())
}

/// The name of an actor's own connection with the learner.
fn name_of(route: &Route) -> Option<u64> {
    <[u8; 8]>::try_from(&*route.0).map(u64::from_le_bytes).ok()
}

impl Link {
    fn new(actor: usize, relay: Option<usize>) -> Self {
        Self {
            actor,
            relay,
            to_learner: VecDeque::new(),
            to_actor: VecDeque::new(),
            here: true,
            there: true,
            broken: false,
            mute: false,
        }
    }
}

impl World {
    /// A new connection of an actor; what is under way on its old one may still arrive.
    pub(super) fn connect(&mut self, number: usize) {
        self.hang_up(number);
        let relay = self.schedule.relay_of(number);
        let answers = match relay {
            Some(relay) => self.relays[relay].running.is_some(),
            None => self.learner.running.is_some(),
        };
        if !answers {
            return self.actor_event(number, ActorEvent::Disconnected("connection refused".into()));
        }
        self.names += 1;
        let name = self.names;
        self.network.links.insert(name, Link::new(number, relay));
        self.actors[number].link = Some(name);
        match relay {
            Some(relay) => {
                let bound = self.actors[number].incarnation;
                self.relay_event(relay, RelayEvent::Opened(Branch(name), Some(bound)));
            }
            None => {
                let heard = self.learner_clock();
                self.network.ends.insert(route(name), End { heard, weights_due: 0 });
            }
        }
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

    /// What the learner sends to an actor.
    pub(super) fn post(&mut self, route: &Route, message: ToActor) {
        let Some(end) = self.network.ends.get(route) else {
            return;
        };
        assert!(
            self.learner.ticked < end.heard + LEASE,
            "invariant 4: nothing is sent to an absent actor: {message:?}"
        );
        let refused = matches!(message, ToActor::Refused { .. });
        match name_of(route) {
            Some(name) => self.give(name, message),
            None => self.post_to_relay(route, &message),
        }
        if refused {
            // As the learner's program does: the connection closes once the refusal is written.
            self.network.ends.remove(route);
            let link = name_of(route).and_then(|name| self.network.links.get_mut(&name));
            if let Some(link) = link {
                link.there = false;
            }
        }
    }

    /// Puts a message on a connection to an actor.
    pub(super) fn give(&mut self, name: u64, message: ToActor) {
        if let Some(link) = self.network.links.get_mut(&name)
            && link.there
            && link.here
            && !link.broken
        {
            link.to_actor.push_back(message);
        }
    }

    /// Something goes on towards the learner: one hop, and through a relay there are two. True when something happened.
    pub(super) fn deliver_to_learner(&mut self) -> bool {
        let reads = !self.learner_is_paused() && self.may_read();
        if reads && self.hand_on() {
            return true;
        }
        let now = self.now;
        let links = self.network.links.iter().filter(|(_, link)| {
            let at_end = link.to_learner.is_empty() && (!link.here || link.broken) && !link.mute;
            let reads = link.relay.map_or(reads, |relay| self.relays[relay].reads(now));
            let cut = now < self.actors[link.actor].cut_to_learner;
            reads && link.there && !cut && (at_end || !link.to_learner.is_empty())
        });
        let trunks = self.network.trunks.iter().filter(|(_, trunk)| {
            let cut = now < self.relays[trunk.relay].cut_to_learner;
            reads && !cut && trunk.has_for_learner()
        });
        let links = links.map(|(&name, _)| Ready::Link(name));
        let ready = links.chain(trunks.map(|(&name, _)| Ready::Trunk(name))).collect();
        match self.pick(ready) {
            Some(Ready::Link(name)) => self.take_from_actor(name),
            Some(Ready::Trunk(name)) => self.take_from_relay(name),
            None => return false,
        }
        true
    }

    /// One of them.
    fn pick(&mut self, ready: Vec<Ready>) -> Option<Ready> {
        (!ready.is_empty()).then(|| ready[self.rng.below(ready.len())])
    }

    /// The next message of an actor's connection, or its end, at the other end.
    fn take_from_actor(&mut self, name: u64) {
        let Some(link) = self.network.links.get_mut(&name) else {
            return;
        };
        let relay = link.relay;
        let message = link.to_learner.pop_front();
        if message.is_none() {
            link.there = false;
            self.network.links.retain(|_, link| link.here || link.there);
        }
        match (relay, message) {
            (None, Some(message)) => {
                let message = match self.rng.below(ENCODED) {
                    0 => decode_to_learner(&encode(&message)).expect("what is sent can be read"),
                    _ => message,
                };
                self.learner_hears(route(name), message);
            }
            (None, None) => self.learner_loses(route(name)),
            (Some(relay), Some(message)) => self.relay_event(relay, RelayEvent::Said(Branch(name), encode(&message))),
            (Some(relay), None) => self.relay_event(relay, RelayEvent::Closed(Branch(name))),
        }
    }

    pub(super) fn learner_hears(&mut self, route: Route, message: ToLearner) {
        let clock = self.learner_clock();
        let end = self.network.ends.entry(route.clone()).or_default();
        end.heard = clock;
        end.weights_due += usize::from(matches!(message, ToLearner::Hello(_) | ToLearner::WantWeights { .. }));
        self.note(|_| format!("learner: from {route:?}: {message:?}"));
        self.fleet_event(FleetEvent::Received(route, message));
    }

    pub(super) fn learner_loses(&mut self, route: Route) {
        self.note(|_| format!("learner: {route:?} is closed"));
        self.network.ends.remove(&route);
        self.fleet_event(FleetEvent::Disconnected(route));
    }

    /// Something goes on towards an actor: one hop, and through a relay there are two. True when something happened.
    pub(super) fn deliver_to_actor(&mut self) -> bool {
        let now = self.now;
        let links = self.network.links.iter().filter(|(_, link)| {
            let actor = &self.actors[link.actor];
            let at_end = link.to_actor.is_empty() && (!link.there || link.broken) && !link.mute;
            let something = at_end || !link.to_actor.is_empty();
            link.here && something && now >= actor.cut_to_actor && now >= actor.paused_until
        });
        let trunks = self.network.trunks.iter().filter(|(_, trunk)| {
            let relay = &self.relays[trunk.relay];
            trunk.has_for_relay() && now >= relay.cut_to_relay && now >= relay.paused_until
        });
        let links = links.map(|(&name, _)| Ready::Link(name));
        let ready = links.chain(trunks.map(|(&name, _)| Ready::Trunk(name))).collect();
        match self.pick(ready) {
            Some(Ready::Link(name)) => self.take_at_actor(name),
            Some(Ready::Trunk(name)) => self.take_at_relay(name),
            None => return false,
        }
        true
    }

    fn take_at_actor(&mut self, name: u64) {
        let Some(link) = self.network.links.get_mut(&name) else {
            return;
        };
        let number = link.actor;
        let Some(message) = link.to_actor.pop_front() else {
            self.hang_up(number);
            self.note(|_| format!("actor {number}: link {name} is closed"));
            return self.actor_event(number, ActorEvent::Disconnected("end of file".into()));
        };
        let message = match self.rng.below(ENCODED) {
            0 => decode_to_actor(&encode(&message)).expect("what is sent can be read"),
            _ => message,
        };
        self.note(|_| match &message {
            ToActor::Welcome(welcome) => format!("actor {number}: welcome, next {}", welcome.next),
            other => format!("actor {number}: gets {other:?}"),
        });
        self.check_weights(&message);
        self.actor_event(number, ActorEvent::Received(message));
    }
}
