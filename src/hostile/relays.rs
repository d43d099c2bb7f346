//! What a relay may send to a learner that let it in, and a learner to a relay.

use super::learner::Learner;
use super::links::messages;
use crate::config::Mode;
use crate::protocol::example::example_hello;
use crate::protocol::relay::{Action, Branch, Event, Heard, Relay, RelayHello, decode_from_relay, decode_to_relay};
use crate::protocol::{FleetEvent, Route, ToLearner, encode};
use crate::random::{Purpose, Stream};
use crate::units::Incarnation;
use std::collections::BTreeSet;
use std::time::Duration;

/// Time between two messages.
const STEP: Duration = Duration::from_millis(700);

/// The mode (first byte: odd is sync), then messages to a learner on the connection of a relay. What it says to the relay can
/// be read, and nobody is left behind a connection that has ended.
pub fn from_relay(bytes: &[u8]) {
    let Some((mode, bytes)) = bytes.split_first() else {
        return;
    };
    let mut learner = Learner::new(if mode & 1 == 1 { Mode::Sync } else { Mode::Async });
    let trunk = Route([1].as_slice().into());
    for message in messages(bytes) {
        let heard = decode_from_relay(message).is_ok_and(|message| learner.relays.hear(&trunk, message).is_ok());
        if !heard {
            end(&mut learner, &trunk);
        }
        while let Some(heard) = learner.relays.take() {
            match heard {
                Heard::Message(route, bytes) => learner.hear(&route, &bytes),
                Heard::Gone(route) => learner.handle(FleetEvent::Disconnected(route)),
            }
        }
        learner.now += STEP;
        learner.handle(FleetEvent::Tick);
        for (route, message) in learner.relays.outgoing() {
            assert_eq!(route, trunk);
            decode_to_relay(&message).expect("what a learner says can be read");
        }
    }
    end(&mut learner, &trunk);
    let report = learner.fleet.report(learner.now);
    assert!(report.actors.iter().all(|actor| !actor.present), "nobody is connected");
}

fn end(learner: &mut Learner, trunk: &Route) {
    for route in learner.relays.lose(trunk) {
        learner.handle(FleetEvent::Disconnected(route));
    }
}

/// Messages to a relay with two actors. What it passes on is for actors that are there.
pub fn to_relay(bytes: &[u8]) {
    let hello = RelayHello {
        host: "node".into(),
        process: 1,
    };
    let jitter = Stream::new(1, Purpose::Bench, 0, 0);
    let mut relay = Relay::new(hello, Duration::from_secs(60), jitter, Duration::ZERO);
    let mut open: BTreeSet<Branch> = [Branch(1), Branch(2)].into();
    let mut now = Duration::ZERO;
    let said = encode(&ToLearner::Hello(example_hello()));
    for event in [
        Event::Opened(Branch(1), Some(Incarnation(5))),
        Event::Opened(Branch(2), None),
        Event::Connected,
        Event::Said(Branch(1), said),
    ] {
        relay.handle(now, event, &mut Vec::new());
    }
    for message in messages(bytes) {
        let mut out = Vec::new();
        let event = decode_to_relay(message).map_or_else(Event::Malformed, Event::Received);
        relay.handle(now, event, &mut out);
        now += STEP;
        relay.handle(now, Event::Tick, &mut out);
        for action in out {
            match action {
                Action::Connect => relay.handle(now, Event::Connected, &mut Vec::new()),
                Action::Give(branch, _) => assert!(open.contains(&branch), "{branch:?} is not there"),
                Action::Close(branch, _) => assert!(open.remove(&branch), "{branch:?} is closed once"),
                Action::Exit(_) => {}
            }
        }
        while let Some(message) = relay.next(now) {
            decode_from_relay(&message.encode()).expect("what a relay says can be read");
        }
    }
}
