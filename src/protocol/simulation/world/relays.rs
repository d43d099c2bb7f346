//! The simulated relays: a state machine each, its connection with the learner, and the learner's end of that.

use super::World;
use super::network::{ENCODED, route};
use crate::protocol::fleet::Route;
use crate::protocol::messages::ToActor;
use crate::protocol::relay::{
    Action, Branch, Closing, Event, Exit, FromRelay, Heard, Relay, RelayHello, decode_from_relay, decode_to_relay,
};
use crate::protocol::{decode_to_actor, decode_to_learner, encode};
use crate::random::{Purpose, Stream};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

const GIVE_UP: Duration = Duration::from_secs(1_000_000);

/// A node, with its relay or for a while without one.
#[derive(Default)]
pub(super) struct RelayHost {
    pub running: Option<Relay>,
    /// When it is started again, if it is not running.
    pub back_at: Duration,
    /// Neither does anything nor reads until then.
    pub paused_until: Duration,
    /// How far its clock is ahead.
    pub skew: Duration,
    /// Nothing passes to the learner until then.
    pub cut_to_learner: Duration,
    /// Nothing passes from the learner until then.
    pub cut_to_relay: Duration,
    pub trunk: Option<u64>,
}

impl RelayHost {
    /// True when it takes what actors send.
    pub fn reads(&self, now: Duration) -> bool {
        now >= self.paused_until && self.running.as_ref().is_some_and(Relay::has_room)
    }
}

/// A connection of a relay with the learner.
pub(super) struct Trunk {
    pub relay: usize,
    pub to_learner: VecDeque<FromRelay>,
    pub to_relay: VecDeque<Arc<Vec<u8>>>,
    /// The relay's end is open.
    pub here: bool,
    /// The learner's end is open.
    pub there: bool,
    /// What is sent from now on is lost.
    pub broken: bool,
    /// The other end does not learn that one end is gone.
    pub mute: bool,
}

impl Trunk {
    pub fn has_for_learner(&self) -> bool {
        let at_end = (!self.here || self.broken) && !self.mute;
        self.there && (at_end || !self.to_learner.is_empty())
    }

    pub fn has_for_relay(&self) -> bool {
        let at_end = (!self.there || self.broken) && !self.mute;
        self.here && (at_end || !self.to_relay.is_empty())
    }
}

impl World {
    pub(super) fn start_relay(&mut self, number: usize) {
        self.names += 1;
        let hello = RelayHello {
            host: "here".into(),
            process: number as u32,
        };
        let jitter = Stream::new(self.names, Purpose::Bench, 1, 2);
        self.note(|_| format!("relay {number}: starts"));
        let host = &mut self.relays[number];
        host.running = Some(Relay::new(hello, GIVE_UP, jitter, self.now + host.skew));
    }

    /// Whoever waits for time to pass looks at the clock.
    pub(super) fn tick_relays(&mut self) {
        for number in 0..self.relays.len() {
            if self.relays[number].running.is_none() && self.now >= self.relays[number].back_at {
                self.start_relay(number);
            }
            if self.now >= self.relays[number].paused_until {
                self.relay_event(number, Event::Tick);
            }
        }
    }

    pub(super) fn relay_event(&mut self, number: usize, event: Event) {
        let host = &mut self.relays[number];
        let now = self.now + host.skew;
        let Some(relay) = &mut host.running else { return };
        let mut actions = Vec::new();
        relay.handle(now, event, &mut actions);
        for action in actions {
            match action {
                Action::Connect => self.connect_relay(number),
                Action::Give(Branch(name), bytes) => {
                    let message = decode_to_actor(&bytes).expect("what the learner sent can be read");
                    self.give(name, message);
                }
                Action::Close(Branch(name), closing) => {
                    assert_ne!(closing, Closing::Impostor, "actors say who they are");
                    if let Some(link) = self.network.links.get_mut(&name) {
                        link.there = false;
                    }
                }
                Action::Exit(exit) => return self.end_relay(number, &exit),
            }
        }
        self.send_from_relay(number);
    }

    fn send_from_relay(&mut self, number: usize) {
        let host = &mut self.relays[number];
        let now = self.now + host.skew;
        let Some(relay) = &mut host.running else { return };
        let trunk = host.trunk.and_then(|name| self.network.trunks.get_mut(&name));
        let mut trunk = trunk.filter(|trunk| trunk.here && trunk.there && !trunk.broken);
        while let Some(message) = relay.next(now) {
            if let Some(trunk) = &mut trunk {
                trunk.to_learner.push_back(message);
            }
        }
    }

    fn connect_relay(&mut self, number: usize) {
        self.hang_up_relay(number);
        if self.learner.running.is_none() {
            return self.relay_event(number, Event::Disconnected("connection refused".into()));
        }
        self.names += 1;
        let trunk = Trunk {
            relay: number,
            to_learner: VecDeque::new(),
            to_relay: VecDeque::new(),
            here: true,
            there: true,
            broken: false,
            mute: false,
        };
        self.network.trunks.insert(self.names, trunk);
        self.relays[number].trunk = Some(self.names);
        self.relay_event(number, Event::Connected);
    }

    /// The relay's end is closed.
    fn hang_up_relay(&mut self, number: usize) {
        let trunk = self.relays[number].trunk.take();
        if let Some(trunk) = trunk.and_then(|name| self.network.trunks.get_mut(&name)) {
            trunk.here = false;
            trunk.to_relay.clear();
        }
        self.network.trunks.retain(|_, trunk| trunk.here || trunk.there);
    }

    /// Only those end that were told to, and nobody gives up on a learner that comes back.
    fn end_relay(&mut self, number: usize, exit: &Exit) {
        self.note(|_| format!("relay {number}: ends: {exit:?}"));
        assert!(
            matches!(exit, Exit::Finished | Exit::Stopped),
            "relay {number}: {exit:?}"
        );
        let pause = Duration::from_secs(self.rng.below(10) as u64);
        self.lose_relay(number, self.now + pause);
    }

    /// The process is gone, and all its connections with it.
    pub(super) fn lose_relay(&mut self, number: usize, back_at: Duration) {
        self.relays[number].running = None;
        self.relays[number].back_at = back_at;
        self.hang_up_relay(number);
        for link in self
            .network
            .links
            .values_mut()
            .filter(|link| link.relay == Some(number))
        {
            (link.there, link.mute) = (false, self.rng.below(4) == 0);
            link.to_learner.clear();
        }
        self.network.links.retain(|_, link| link.here);
    }

    /// The next message of a relay, or the end of its connection, at the learner.
    pub(super) fn take_from_relay(&mut self, name: u64) {
        let Some(trunk) = self.network.trunks.get_mut(&name) else {
            return;
        };
        let Some(message) = trunk.to_learner.pop_front() else {
            return self.close_trunk(name);
        };
        let message = match self.rng.below(ENCODED) {
            0 => decode_from_relay(&message.encode()).expect("what is sent can be read"),
            _ => message,
        };
        self.note(|_| format!("learner: from relay {name}: {message:?}"));
        let Some(learner) = &mut self.learner.running else {
            return;
        };
        // A hello that was lost or repeated, as the learner's program does.
        if learner.relays.hear(&route(name), message).is_err() {
            self.close_trunk(name);
        }
        self.send_to_relays();
    }

    /// The learner's end is closed.
    fn close_trunk(&mut self, name: u64) {
        if let Some(trunk) = self.network.trunks.get_mut(&name) {
            trunk.there = false;
        }
        self.network.trunks.retain(|_, trunk| trunk.here || trunk.there);
        let learner = self.learner.running.as_mut();
        let lost = learner.map(|learner| learner.relays.lose(&route(name)));
        lost.into_iter().flatten().for_each(|route| self.learner_loses(route));
    }

    /// The learner takes the next thing that a relay brought. True when something happened.
    pub(super) fn hand_on(&mut self) -> bool {
        let learner = self.learner.running.as_mut();
        match learner.and_then(|learner| learner.relays.take()) {
            Some(Heard::Message(route, bytes)) => {
                let message = decode_to_learner(&bytes).expect("what is sent can be read");
                self.learner_hears(route, message);
            }
            Some(Heard::Gone(route)) => self.learner_loses(route),
            None => return false,
        }
        true
    }

    /// What the learner sends to an actor behind a relay.
    pub(super) fn post_to_relay(&mut self, route: &Route, message: &ToActor) {
        let Some(learner) = &mut self.learner.running else {
            return;
        };
        learner.relays.post(route, &Arc::new(encode(message)));
        if matches!(message, ToActor::Refused { .. }) {
            learner.relays.close(route);
        }
    }

    /// As the program does: what was collected goes once a bundle is handed on, or when nothing more is taken for now.
    pub(super) fn send_to_relays(&mut self) {
        let depth = self.schedule.depth;
        let Some(learner) = &mut self.learner.running else {
            return;
        };
        if learner.relays.has_more() && learner.pending.len() < depth {
            return;
        }
        for (to, message) in learner.relays.outgoing() {
            let trunks = self.network.trunks.iter_mut();
            let trunk = trunks
                .map(|(&name, trunk)| (route(name), trunk))
                .find(|(route, _)| *route == to);
            if let Some((_, trunk)) = trunk.filter(|(_, trunk)| trunk.here && trunk.there && !trunk.broken) {
                trunk.to_relay.push_back(message);
            }
        }
    }

    /// The next message of the learner, or the end of the connection, at a relay.
    pub(super) fn take_at_relay(&mut self, name: u64) {
        let Some(trunk) = self.network.trunks.get_mut(&name) else {
            return;
        };
        let number = trunk.relay;
        let Some(message) = trunk.to_relay.pop_front() else {
            self.hang_up_relay(number);
            return self.relay_event(number, Event::Disconnected("end of file".into()));
        };
        let message = decode_to_relay(&message).expect("what is sent can be read");
        self.note(|_| format!("relay {number}: gets {message:?}"));
        self.relay_event(number, Event::Received(message));
    }
}
