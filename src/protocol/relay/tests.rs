//! What whole simulated fleets behind relays do not show: names that are not an actor's own, limits, and what is sent how
//! often.

use super::*;
use crate::protocol::example::example_hello;
use crate::protocol::messages::{Blob, ToActor, ToLearner};
use crate::protocol::{Route, decode_to_actor, encode};
use crate::random::{Purpose, Stream};
use crate::units::Incarnation;
use std::sync::Arc;

const A: Branch = Branch(1);
const B: Branch = Branch(2);
const START: Duration = Duration::from_secs(1000);

/// A relay whose link is up, with two actors whose connections were opened as incarnations 5 and 6.
fn relay() -> Relay {
    let hello = RelayHello {
        host: "node".into(),
        process: 7,
    };
    let jitter = Stream::new(1, Purpose::Bench, 0, 0);
    let mut relay = Relay::new(hello, Duration::from_secs(60), jitter, START);
    for (branch, incarnation) in [(A, 5), (B, 6)] {
        does(&mut relay, Event::Opened(branch, Some(Incarnation(incarnation))));
    }
    does(&mut relay, Event::Connected);
    assert!(matches!(relay.next(START), Some(FromRelay::Hello { process: 7, .. })));
    relay
}

fn does(relay: &mut Relay, event: Event) -> Vec<Action> {
    let mut out = Vec::new();
    relay.handle(START, event, &mut out);
    out
}

/// What the relay has for the learner, whenever it is due.
fn items(relay: &mut Relay) -> Vec<(Branch, Said)> {
    match relay.next(START + crate::protocol::HEARTBEAT) {
        Some(FromRelay::Bundle { items, .. }) => items,
        other => panic!("{other:?}"),
    }
}

/// What the actors get when the relay hears this.
fn given(relay: &mut Relay, message: &[u8]) -> Vec<(Branch, Vec<u8>)> {
    let actions = does(relay, Event::Received(decode_to_relay(message).unwrap()));
    let given = actions.into_iter().map(|action| match action {
        Action::Give(branch, bytes) => (branch, bytes.to_vec()),
        other => panic!("{other:?}"),
    });
    given.collect()
}

#[test]
fn an_actor_says_hello_in_its_own_name_or_is_closed() {
    let mut relay = relay();
    let hello = encode(&ToLearner::Hello(example_hello()));
    assert!(
        does(&mut relay, Event::Said(A, hello.clone())).is_empty(),
        "incarnation 5"
    );
    let actions = does(&mut relay, Event::Said(B, hello.clone()));
    assert!(
        matches!(actions[..], [Action::Close(B, Closing::Impostor)]),
        "{actions:?}"
    );
    assert_eq!(items(&mut relay), [(A, Said::Message(Blob(hello))), (B, Said::Gone)]);
    assert!(does(&mut relay, Event::Said(B, encode(&ToLearner::Goodbye))).is_empty());
    assert_eq!(relay.actors(), 1);
}

#[test]
fn hellos_that_were_not_answered_are_said_again_and_the_others_say_theirs_anew() {
    let mut relay = relay();
    let hello = encode(&ToLearner::Hello(example_hello()));
    does(&mut relay, Event::Said(A, hello.clone()));
    does(&mut relay, Event::Disconnected("cut".into()));
    does(&mut relay, Event::Said(B, encode(&ToLearner::Goodbye)));
    assert_eq!((relay.waiting(), relay.next(START)), (0, None));
    let later = START + Duration::from_secs(1);
    let mut out = Vec::new();
    relay.handle(later, Event::Tick, &mut out);
    assert!(matches!(out[..], [Action::Connect]), "{out:?}");
    out.clear();
    relay.handle(later, Event::Connected, &mut out);
    let [Action::Give(B, bytes)] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(decode_to_actor(bytes), Ok(ToActor::Stranger));
    assert!(matches!(relay.next(later), Some(FromRelay::Hello { .. })));
    assert_eq!(items(&mut relay), [(A, Said::Message(Blob(hello)))]);
}

#[test]
fn what_does_not_come_is_not_replaced_by_something_else() {
    let mut relay = relay();
    let (slot, rest) = (0, Blob(Vec::new()));
    let kept = |stamp| {
        let (length, rest) = (3, rest.clone());
        (
            A,
            Told::Kept {
                slot,
                stamp,
                length,
                rest,
            },
        )
    };
    let bytes = Shared(Arc::new(vec![1, 2, 3]));
    does(&mut relay, Event::Received(ToRelay::Keep { slot, stamp: 4, bytes }));
    let bundle = |stamp| ToRelay::Bundle {
        handled: 0,
        items: vec![kept(stamp)],
    };
    assert_eq!(given(&mut relay, &bundle(4).encode()), [(A, vec![1, 2, 3])]);
    assert!(does(&mut relay, Event::Received(bundle(5))).is_empty());
    assert!(relay.due().is_none(), "it begins anew");
    let later = START + Duration::from_secs(1);
    for event in [Event::Tick, Event::Connected] {
        relay.handle(later, event, &mut Vec::new());
    }
    assert!(
        does(&mut relay, Event::Received(bundle(4))).is_empty(),
        "with nothing of before"
    );
    assert!(relay.due().is_none());
}

#[test]
fn there_are_so_many_actors_and_no_more() {
    let mut relay = relay();
    for number in 0..MAX_BRANCHES as u64 - 2 {
        assert!(does(&mut relay, Event::Opened(Branch(10 + number), None)).is_empty());
    }
    let actions = does(&mut relay, Event::Opened(Branch(9), None));
    assert!(
        matches!(actions[..], [Action::Close(Branch(9), Closing::NoPlace)]),
        "{actions:?}"
    );

    let mut learner = Relays::default();
    let trunk = Route([7].as_slice().into());
    let bundle = |number, branches: std::ops::Range<u64>| FromRelay::Bundle {
        number,
        items: branches
            .map(|branch| (Branch(branch), Said::Message(Blob(vec![1]))))
            .collect(),
    };
    assert_eq!(learner.hear(&trunk, bundle(1, 0..1)), Err(Foul::NoHello));
    let hello = |process| FromRelay::Hello {
        host: "node".into(),
        process,
    };
    learner.hear(&trunk, hello(1)).unwrap();
    assert_eq!(learner.hear(&trunk, hello(1)), Err(Foul::Twice));
    let most = MAX_BRANCHES as u64;
    learner.hear(&trunk, bundle(1, 0..most + 1)).unwrap();
    assert_eq!(std::iter::from_fn(|| learner.take()).count(), MAX_BRANCHES);
    let outgoing = learner.outgoing();
    let answer = decode_to_relay(&outgoing[0].1).unwrap();
    let (handled, items) = (1, vec![(Branch(most), Told::Close)]);
    assert_eq!(answer, ToRelay::Bundle { handled, items });
    assert_eq!(learner.lose(&trunk).len(), MAX_BRANCHES);
}

/// A learner with a relay, and the routes of the relay's two actors.
fn learner() -> (Relays, [Route; 2]) {
    let mut learner = Relays::default();
    let trunk = Route([7].as_slice().into());
    let hello = FromRelay::Hello {
        host: "node".into(),
        process: 7,
    };
    learner.hear(&trunk, hello).unwrap();
    let items = [A, B].map(|branch| (branch, Said::Message(Blob(vec![1])))).into();
    learner.hear(&trunk, FromRelay::Bundle { number: 1, items }).unwrap();
    let routes = [(); 2].map(|()| match learner.take() {
        Some(Heard::Message(route, _)) => route,
        other => panic!("{other:?}"),
    });
    learner.outgoing();
    (learner, routes)
}

#[test]
fn weights_reach_a_relay_once_and_each_of_its_actors() {
    let ((mut learner, routes), mut relay) = (learner(), relay());
    let weights = |version: u8| Arc::new([&b"weights"[..], &[version; 100_000]].concat());
    let mut sent = 0;
    for version in 0..20 {
        let weights = weights(version);
        for route in &routes {
            assert!(learner.post(route, &weights));
        }
        let outgoing = learner.outgoing();
        sent += outgoing.iter().map(|(_, message)| message.len()).sum::<usize>();
        let given: Vec<_> = outgoing
            .iter()
            .flat_map(|(_, message)| given(&mut relay, message))
            .collect();
        assert_eq!(given, [(A, weights.to_vec()), (B, weights.to_vec())]);
    }
    assert!(sent < 20 * 101_000, "{sent}");
    assert!(relay.kept() < 5 * 101_000, "old ones are not kept: {}", relay.kept());
}

#[test]
fn a_learner_forgets_who_has_left_and_closes_behind_a_relay() {
    let ((mut learner, [a, b]), mut relay) = (learner(), relay());
    let trunk = Route([7].as_slice().into());
    let items = vec![(A, Said::Gone), (A, Said::Gone)];
    learner.hear(&trunk, FromRelay::Bundle { number: 2, items }).unwrap();
    assert_eq!((learner.take(), learner.take()), (Some(Heard::Gone(a.clone())), None));
    assert!(
        learner.post(&a, &Arc::new(vec![1])),
        "it is not sent, but this is where it would be"
    );
    assert!(!learner.post(&trunk, &Arc::new(vec![1])), "no actor behind a relay");
    learner.post(&b, &Arc::new(vec![1]));
    assert!(learner.close(&b) && !learner.close(&trunk));
    let [(to, message)] = &learner.outgoing()[..] else {
        panic!("one message")
    };
    assert_eq!(*to, trunk);
    let actions = does(&mut relay, Event::Received(decode_to_relay(message).unwrap()));
    assert!(
        matches!(actions[..], [Action::Give(B, _), Action::Close(B, Closing::Told)]),
        "{actions:?}"
    );
    assert!(learner.lose(&trunk).is_empty());
}

#[test]
fn nothing_is_handed_on_of_a_relay_that_is_gone() {
    let (mut learner, routes) = learner();
    let trunk = Route([7].as_slice().into());
    let items = vec![(A, Said::Message(Blob(vec![1]))); 3];
    learner.hear(&trunk, FromRelay::Bundle { number: 2, items }).unwrap();
    assert!(learner.take().is_some() && learner.has_more());
    assert_eq!(learner.lose(&trunk), routes, "everyone behind it is gone");
    assert!(learner.take().is_none() && !learner.has_more());
    assert!(!learner.post(&routes[0], &Arc::new(vec![1])) && learner.outgoing().is_empty());
}
