//! What an actor makes of a learner that does not talk; everything else is tested with whole fleets.

use super::*;
use crate::protocol::messages::{ToActor, Welcome};
use crate::protocol::secure::Refusal;
use crate::protocol::simulation::example_config;
use crate::random::Purpose;
use crate::units::Incarnation;

fn connected() -> (ActorSession, Vec<Action>) {
    let hello = Hello {
        incarnation: Incarnation(1),
        oldest: Seq(0),
        name: "a".into(),
        host: "b".into(),
        process: 2,
        device: "cpu".into(),
    };
    let jitter = Stream::new(1, Purpose::Bench, 0, 0);
    let mut session = ActorSession::new(hello, None, Duration::from_secs(60), jitter, Duration::ZERO);
    let mut out = Vec::new();
    session.handle(Duration::ZERO, Event::Tick, &mut out);
    session.handle(Duration::ZERO, Event::Connected, &mut out);
    (session, out)
}

fn refused() -> Event {
    Event::Malformed(WireError::Refusal(Refusal::UnknownKey))
}

#[test]
fn a_refusal_ends_an_actor_that_was_never_welcomed_and_no_other() {
    let (mut session, mut out) = connected();
    session.handle(Duration::ZERO, refused(), &mut out);
    assert!(matches!(out.pop(), Some(Action::Exit(Exit::Key(Refusal::UnknownKey)))));

    let (mut session, mut out) = connected();
    let welcome = ToActor::Welcome(Box::new(Welcome {
        run: "r".into(),
        config: serde_json::to_string(&example_config(Mode::Async)).unwrap(),
        attachment: None,
        next: Seq(0),
        newest: None,
    }));
    session.handle(Duration::ZERO, Event::Received(welcome), &mut out);
    session.handle(Duration::ZERO, refused(), &mut out);
    assert!(
        !out.iter().any(|action| matches!(action, Action::Exit(_))),
        "anyone can say so"
    );
    out.clear();
    session.handle(Duration::from_secs(10), Event::Tick, &mut out);
    assert!(matches!(out[..], [Action::Connect]), "{out:?}");
    // In the end it says what was wrong.
    session.handle(Duration::from_secs(11), refused(), &mut out);
    session.handle(Duration::from_secs(70), Event::Tick, &mut out);
    let Some(Action::Exit(Exit::GaveUp(last))) = out.pop() else {
        panic!("{out:?}")
    };
    assert!(last.contains("does not"), "{last}");
}
