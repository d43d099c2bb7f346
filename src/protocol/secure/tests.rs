//! What is sealed survives, and nothing else opens.

use super::*;
use crate::protocol::WireError;
use crate::units::Incarnation;
use proptest::prelude::*;

const RUN: &str = "0123456789abcdef";

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

fn knock(key: &Key) -> Knock {
    Knock {
        key: key.id(),
        incarnation: Incarnation(9),
    }
}

/// The handshake of an actor with `key` and a learner, over bytes.
fn pair(key: &Key, run: &str, nonce: u8) -> (Channel, Channel) {
    let heard = Knock::decode(&knock(key).encode()).unwrap();
    let challenge = Challenge::new(run, [nonce; 32]);
    let (first, proof) = Challenge::decode(&challenge.encode()).unwrap().respond(knock(key), key);
    let (second, learner) = challenge.accept(heard, key, &first).unwrap();
    (proof.finish(&second).unwrap(), learner)
}

#[test]
fn messages_of_every_size_survive_both_ways() {
    let (mut actor, mut learner) = pair(&key(1), RUN, 2);
    for size in [0, 1, 65_518, 65_519, 65_520, 131_038, 131_039, 1_000_000] {
        let message: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        let sealed = actor.seal(&message);
        assert_eq!(sealed.len(), size + overhead(size));
        assert_eq!(learner.open(&sealed).unwrap(), message);
        let sealed = learner.seal(&message);
        assert_eq!(actor.open(&sealed).unwrap(), message);
    }
    assert_eq!((actor.rejected(), learner.rejected()), Default::default());
    let clear = [7; 1000];
    let sealed = actor.seal(&clear);
    assert!(
        !sealed.windows(8).any(|bytes| bytes == [7; 8]),
        "nothing is left in clear"
    );
}

#[test]
fn a_stranger_does_not_get_through_the_handshake() {
    let (good, other) = (key(1), key(2));
    let challenge = Challenge::new(RUN, [3; 32]);
    let (first, _) = challenge.respond(knock(&good), &good);
    let accept = |challenge: &Challenge, knock, key, first: &[u8]| challenge.accept(knock, key, first).map(|_| ());
    assert_eq!(accept(&challenge, knock(&good), &good, &first), Ok(()));

    // Another key under the good one's name; another run, connection or incarnation than was agreed on.
    let unproven = Err(HandshakeError::Unproven);
    let (forged, _) = challenge.respond(knock(&good), &other);
    assert_eq!(accept(&challenge, knock(&good), &good, &forged), unproven);
    assert_eq!(
        accept(&Challenge::new("other", [3; 32]), knock(&good), &good, &first),
        unproven
    );
    assert_eq!(
        accept(&Challenge::new(RUN, [4; 32]), knock(&good), &good, &first),
        unproven,
        "a recorded one"
    );
    let reborn = Knock {
        incarnation: Incarnation(10),
        ..knock(&good)
    };
    assert_eq!(accept(&challenge, reborn, &good, &first), unproven);
    assert_eq!(accept(&challenge, knock(&other), &good, &first), unproven);

    // A learner without the key, also one that answers with the actor's own message.
    let (first, proof) = challenge.respond(knock(&good), &good);
    let impostor = challenge.respond(knock(&other), &other).0;
    assert_eq!(proof.finish(&impostor).unwrap_err(), HandshakeError::Unproven);
    let (first_again, proof) = challenge.respond(knock(&good), &good);
    assert_ne!(first, first_again, "ephemeral keys are fresh");
    assert_eq!(proof.finish(&first_again).unwrap_err(), HandshakeError::Unproven);
}

#[test]
fn what_is_no_handshake_is_told_apart() {
    let reason = |bytes: &[u8]| Knock::decode(bytes).unwrap_err().reason();
    assert_eq!(reason(b"GET / HTTP/1.1"), Reason::Foreign);
    assert_eq!(reason(b"TF\x4d\x01"), Reason::Protocol);
    assert_eq!(reason(&envelope::begin(Kind::Plain, 0)), Reason::Keyless);
    assert_eq!(reason(&envelope::begin(Kind::Relay, 0)), Reason::Keyless);
    assert_eq!(reason(&envelope::begin(Kind::Sealed, 0)), Reason::Malformed);
    assert_eq!(reason(&envelope::begin(Kind::Knock, 0)), Reason::Malformed);
    assert_eq!(
        reason(&[knock(&key(1)).encode(), vec![0; 600]].concat()),
        Reason::Malformed
    );
    for refusal in [Refusal::KeyWanted, Refusal::NoKeyHere, Refusal::UnknownKey] {
        let error = Challenge::decode(&refusal.encode()).unwrap_err();
        assert_eq!(error, HandshakeError::Wire(WireError::Refusal(refusal)));
    }
    let long = Challenge::new(&"x".repeat(129), [0; 32]).encode();
    assert_eq!(Challenge::decode(&long), Err(HandshakeError::Length));
}

#[test]
fn foreign_and_reflected_messages_do_not_open_and_are_counted() {
    let (mut actor, mut learner) = pair(&key(1), RUN, 2);
    let sealed = actor.seal(b"mine");
    assert_eq!(actor.open(&sealed), Err(Unopened::Forged), "one's own message back");
    // The same key and run, but another handshake; another key; another run.
    for (key, run, nonce) in [(1, RUN, 2), (2, RUN, 2), (1, "other", 2), (1, RUN, 3)] {
        let (mut other, _) = pair(&self::key(key), run, nonce);
        assert_eq!(learner.open(&other.seal(b"theirs")), Err(Unopened::Forged));
    }
    let plain = envelope::begin(Kind::Plain, 0);
    assert_eq!(learner.open(&plain), Err(Unopened::Wire(WireError::Kind(0))));
    assert_eq!(learner.open(b"GET /").unwrap_err().reason(), Reason::Foreign);
    assert_eq!(learner.open(&sealed).unwrap(), b"mine", "nothing of this does harm");
    assert_eq!(learner.open(&sealed), Err(Unopened::Replayed));
    for _ in 0..65 {
        learner.open(&actor.seal(b"")).unwrap();
    }
    assert_eq!(learner.open(&sealed), Err(Unopened::Late));
    let expected = Rejected {
        forged: 4,
        keyless: 1,
        foreign: 1,
        replayed: 1,
        late: 1,
        ..Rejected::default()
    };
    assert_eq!(learner.rejected(), expected);
    assert_eq!(actor.rejected().forged, 1);
}

#[test]
fn pieces_cannot_be_cut_off_exchanged_or_taken_from_other_messages() {
    let (mut actor, mut learner) = pair(&key(1), RUN, 2);
    let (a, b) = (actor.seal(&[1; 150_000]), actor.seal(&[2; 150_000]));
    let head = 4 + 8 + 20;
    let piece = 65_535;
    let part = |message: &[u8], number: usize| {
        let start = head + number * piece;
        message[start..(start + piece).min(message.len())].to_vec()
    };
    let build = |head: &[u8], pieces: &[Vec<u8>]| [head, &pieces.concat()].concat();
    for forged in [
        build(&a[..head], &[part(&a, 0), part(&a, 1)]),
        build(&a[..head], &[part(&a, 1), part(&a, 0), part(&a, 2)]),
        build(&a[..head], &[part(&a, 0), part(&b, 1), part(&a, 2)]),
        build(&a[..head], &[part(&a, 0), part(&a, 1), part(&a, 2), part(&a, 2)]),
        build(&b[..head], &[part(&a, 0), part(&a, 1), part(&a, 2)]),
        // A later piece in the place of a length.
        build(&a[..12], &[part(&a, 2)]),
    ] {
        assert_eq!(learner.open(&forged), Err(Unopened::Forged));
    }
    assert_eq!(learner.open(&b).unwrap(), [2; 150_000]);
    assert_eq!(learner.open(&a).unwrap(), [1; 150_000], "out of order, and still whole");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One changed bit or byte, or a cut, anywhere.
    #[test]
    fn a_changed_message_does_not_open(
        message in proptest::collection::vec(any::<u8>(), 0..300),
        place in any::<prop::sample::Index>(),
        change in 1u8..,
        cut in any::<bool>(),
    ) {
        let (mut actor, mut learner) = pair(&key(1), RUN, 2);
        let sealed = actor.seal(&message);
        let mut changed = sealed.clone();
        let place = place.index(changed.len());
        if cut {
            changed.truncate(place);
        } else {
            changed[place] ^= change;
        }
        prop_assert!(learner.open(&changed).is_err());
        prop_assert_eq!(learner.open(&sealed).unwrap(), message);
    }

    /// Delivered in any order and as often as one likes: each opens at most once, and always when it comes in time.
    #[test]
    fn any_delivery_opens_each_message_at_most_once(order in proptest::collection::vec(0usize..100, 0..300)) {
        let (mut actor, mut learner) = pair(&key(1), RUN, 2);
        let sealed: Vec<_> = (0..100u8).map(|i| actor.seal(&[i])).collect();
        let mut opened = [false; 100];
        let mut newest = 0;
        for i in order {
            match learner.open(&sealed[i]) {
                Ok(message) => {
                    prop_assert_eq!(message, [i as u8]);
                    prop_assert!(!std::mem::replace(&mut opened[i], true));
                }
                Err(Unopened::Late) => prop_assert!(i + 64 <= newest),
                Err(error) => {
                    prop_assert_eq!(error, Unopened::Replayed);
                    prop_assert!(opened[i]);
                }
            }
            newest = newest.max(i);
        }
    }

    #[test]
    fn random_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..700), kind in 0u8..7) {
        let bytes = [b"TF\x01", &[kind][..], &body].concat();
        let (_, mut learner) = pair(&key(1), RUN, 2);
        let challenge = Challenge::new(RUN, [0; 32]);
        let _ = (Knock::decode(&bytes), Challenge::decode(&bytes), is_knock(&bytes));
        prop_assert!(challenge.accept(knock(&key(1)), &key(1), &bytes).is_err());
        prop_assert!(challenge.respond(knock(&key(1)), &key(1)).1.finish(&bytes).is_err());
        prop_assert!(learner.open(&bytes).is_err());
    }
}
