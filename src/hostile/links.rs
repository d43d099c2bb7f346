//! What a learner may send to an actor, and what anyone may send on a link with a key.

use crate::protocol::address::Address;
use crate::protocol::example::{example_hello, example_trajectory};
use crate::protocol::secure::{Challenge, Channel, Key, KeyRing, Knock, is_knock};
use crate::protocol::{ActorAction, ActorEvent, ActorSession, decode_to_actor};
use crate::random::{Purpose, Stream};
use crate::rollout::RollRequest;
use crate::task::oracle::OracleHealth;
use crate::units::Incarnation;
use std::cell::RefCell;
use std::time::Duration;

/// Most trajectories that the actor here makes at a time.
const MOST: u32 = 16;

/// Time between two messages.
const STEP: Duration = Duration::from_millis(700);

/// The messages in an input: each follows its length, two bytes; the last may be cut short.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk()?;
        let (message, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        bytes = rest;
        Some(message)
    })
}

/// Messages to an actor that is connected and rolls out what it is asked for.
pub fn to_actor(bytes: &[u8]) {
    let jitter = Stream::new(1, Purpose::Bench, 0, 0);
    let mut session = ActorSession::new(example_hello(), None, Duration::from_secs(60), jitter, Duration::ZERO);
    let mut now = Duration::ZERO;
    for event in [ActorEvent::Tick, ActorEvent::Connected] {
        session.handle(now, event, &mut Vec::new());
    }
    for message in messages(bytes) {
        let mut out = Vec::new();
        let event = decode_to_actor(message).map_or_else(ActorEvent::Malformed, ActorEvent::Received);
        session.handle(now, event, &mut out);
        now += STEP;
        session.handle(now, ActorEvent::Tick, &mut out);
        for action in out {
            match action {
                ActorAction::Configure { config, .. } => drop(config.check()),
                ActorAction::Connect => session.handle(now, ActorEvent::Connected, &mut Vec::new()),
                ActorAction::Roll(request) => roll(&mut session, now, request),
                ActorAction::Send(_) | ActorAction::Load { .. } | ActorAction::Exit(_) => {}
            }
        }
    }
    session.handle(now, ActorEvent::Stop, &mut Vec::new());
}

fn roll(session: &mut ActorSession, now: Duration, request: RollRequest) {
    if request.indices.len() > MOST as usize {
        return;
    }
    let batch = request
        .indices
        .map(|index| example_trajectory(0, index % MOST))
        .collect();
    let event = ActorEvent::Rolled(batch, OracleHealth::default());
    session.handle(now, event, &mut Vec::new());
}

/// Everything before and after a handshake, key files, addresses. Nobody gets in, and nothing opens.
pub fn secure(bytes: &[u8]) {
    let key = Key::new([1; 32]);
    let knock = Knock {
        key: key.id(),
        incarnation: Incarnation(9),
    };
    let challenge = Challenge::new("run", [0; 32]);
    if let Ok(heard) = Knock::decode(bytes) {
        assert!(is_knock(bytes) && heard.encode() == bytes);
    }
    if let Ok(heard) = Challenge::decode(bytes) {
        assert_eq!(heard.encode(), bytes);
    }
    assert!(challenge.accept(knock, &key, bytes).is_err(), "a stranger was let in");
    thread_local!(static LEARNER: RefCell<Channel> = RefCell::new(learner()));
    LEARNER.with_borrow_mut(|learner| assert!(learner.open(bytes).is_err(), "a forged message opened"));
    if let Ok(text) = str::from_utf8(bytes) {
        text_of_secrets(text);
    }
    // Each costs a new key pair, so only what could be the second message of a handshake.
    if bytes.len() == 4 + 48 {
        let (_, proof) = challenge.respond(knock, &key);
        assert!(proof.finish(bytes).is_err(), "a stranger was taken for the learner");
    }
}

/// A learner's end of a link.
fn learner() -> Channel {
    let key = Key::new([1; 32]);
    let knock = Knock {
        key: key.id(),
        incarnation: Incarnation(9),
    };
    let challenge = Challenge::new("run", [1; 32]);
    let (first, _) = challenge.respond(knock, &key);
    challenge
        .accept(knock, &key, &first)
        .expect("the key is the right one")
        .1
}

fn text_of_secrets(text: &str) {
    if let Ok(keys) = KeyRing::parse(text) {
        assert_eq!(KeyRing::parse(&keys.to_text()), Ok(keys));
    }
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse(), Ok(address.clone()));
        // Without a key nothing but loopback, however it is written.
        let ip = address.authority().parse::<std::net::SocketAddr>();
        let is_loopback = ip.is_ok_and(|address| address.ip().is_loopback());
        assert_eq!(address.check_key(false).is_ok(), is_loopback);
    }
    let _ = "tcp://learner:5"
        .parse::<Address>()
        .map(|address| address.advertised(text));
}
