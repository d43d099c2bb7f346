//! What an actor makes of a learner that does not talk, of one of another run, and how soon it sends again; everything else is tested with whole fleets.

use super::*;
use crate::protocol::messages::{Blob, ToActor, Welcome};
use crate::protocol::secure::Refusal;
use crate::protocol::simulation::{example_config, example_trajectory};
use crate::protocol::weights::Packed;
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

fn welcome(run: &str) -> Event {
    Event::Received(ToActor::Welcome(Box::new(Welcome {
        run: run.into(),
        config: serde_json::to_string(&example_config(Mode::Async)).unwrap(),
        attachment: None,
        next: Seq(0),
        newest: None,
    })))
}

/// The numbers of the trajectories that are sent.
fn sent(out: &[Action]) -> Vec<u64> {
    let numbers = out.iter().filter_map(|action| match action {
        Action::Send(ToLearner::Trajectories { first, batch }) => Some(first.0..first.0 + batch.len() as u64),
        _ => None,
    });
    numbers.flatten().collect()
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
    session.handle(Duration::ZERO, welcome("r"), &mut out);
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

#[test]
fn what_is_not_acknowledged_is_sent_again_at_once_when_asked_for_or_welcomed() {
    let (mut session, mut out) = connected();
    session.handle(Duration::ZERO, welcome("r"), &mut out);
    let batch = (0..3).map(|index| example_trajectory(0, index)).collect();
    session.handle(Duration::ZERO, Event::Rolled(batch, OracleHealth::default()), &mut out);
    assert_eq!(sent(&out), [0, 1, 2]);

    out.clear();
    let (next, newest) = (Seq(1), None);
    let ack = |resend| Event::Received(ToActor::Ack { next, resend, newest });
    session.handle(Duration::ZERO, ack(false), &mut out);
    assert!(sent(&out).is_empty());
    session.handle(Duration::ZERO, ack(true), &mut out);
    assert_eq!(sent(&out), [1, 2], "something was missed");

    out.clear();
    session.handle(Duration::ZERO, Event::Disconnected("end of file".into()), &mut out);
    session.handle(Duration::from_secs(1), Event::Tick, &mut out);
    session.handle(Duration::from_secs(1), Event::Connected, &mut out);
    session.handle(Duration::from_secs(1), welcome("r"), &mut out);
    assert_eq!(sent(&out), [1, 2], "the connection is new");
}

#[test]
fn what_is_not_acknowledged_is_sent_again_ever_more_seldom_until_something_is_soon() {
    let (mut session, mut out) = connected();
    session.handle(Duration::ZERO, welcome("r"), &mut out);
    let batch = (0..3).map(|index| example_trajectory(0, index)).collect();
    session.handle(Duration::ZERO, Event::Rolled(batch, OracleHealth::default()), &mut out);
    let mut again = |seconds: std::ops::Range<u64>, message: ToActor| {
        let mut times = Vec::new();
        for second in seconds {
            let mut out = Vec::new();
            session.handle(Duration::from_secs(second), Event::Received(message.clone()), &mut out);
            if !sent(&out).is_empty() {
                times.push(second);
            }
        }
        times
    };
    let newest = None;
    assert_eq!(again(1..100, ToActor::Heartbeat { newest }), [4, 12, 28, 60, 92]);
    let ack = |next| ToActor::Ack {
        next: Seq(next),
        resend: false,
        newest,
    };
    assert_eq!(again(100..133, ack(1)), [132], "it took long, and may do so again");
    assert_eq!(again(133..150, ack(2)), [137, 145]);
}

#[test]
fn an_actor_works_for_one_run_only() {
    let (mut session, mut out) = connected();
    session.handle(Duration::ZERO, welcome("r"), &mut out);
    session.handle(Duration::ZERO, Event::Disconnected("end of file".into()), &mut out);
    session.handle(Duration::from_secs(1), Event::Tick, &mut out);
    session.handle(Duration::from_secs(1), Event::Connected, &mut out);
    session.handle(Duration::from_secs(1), welcome("another"), &mut out);
    let Some(Action::Exit(Exit::Refused(reason))) = out.pop() else {
        panic!("{out:?}")
    };
    assert!(reason.contains("run another") && reason.contains("run r"), "{reason}");
}

#[test]
fn newest_weights_win_whatever_the_order_they_come_in() {
    let (mut session, mut out) = connected();
    session.handle(Duration::ZERO, welcome("r"), &mut out);
    let mut load = |version, progress| {
        let weights = Packed::F32(Blob(vec![0; 8]));
        let version = PolicyVersion(version);
        let weights = ToActor::Weights {
            version,
            progress,
            weights,
        };
        session.handle(Duration::ZERO, Event::Received(weights), &mut Vec::new());
        session.loaded()
    };
    assert_eq!(load(5, 0.5), Some(PolicyVersion(5)));
    assert_eq!(load(4, 0.5), Some(PolicyVersion(5)), "late");
    assert_eq!(load(6, f32::NAN), Some(PolicyVersion(5)), "no weights of ours");
    assert_eq!(load(7, 0.5), Some(PolicyVersion(7)));
}

#[test]
fn a_difference_is_used_by_who_holds_its_base_only() {
    let (mut session, mut out) = connected();
    session.handle(Duration::ZERO, welcome("r"), &mut out);
    let mut load = |version, base: Option<u64>| {
        let data = Blob(vec![0; 8]);
        let weights = match base.map(PolicyVersion) {
            None => Packed::F32(data),
            Some(base) => Packed::Difference {
                base,
                checksum: 0,
                data,
            },
        };
        let weights = ToActor::Weights {
            version: PolicyVersion(version),
            progress: 0.0,
            weights,
        };
        session.handle(Duration::ZERO, Event::Received(weights), &mut Vec::new());
        session.loaded().map(|version| version.0)
    };
    assert_eq!(load(5, Some(4)), None, "nothing is held");
    assert_eq!(load(5, None), Some(5));
    assert_eq!(load(6, Some(5)), Some(6));
    assert_eq!(load(8, Some(7)), Some(6), "version 7 never came");
}
