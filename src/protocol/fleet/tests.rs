//! What a fleet makes of actors that whole simulated fleets do not have: greedy ones, and ones that do not believe that
//! they are shut out. Everything else is tested with whole fleets.

use super::*;
use crate::protocol::LEASE;
use crate::protocol::example::{example_config, example_fleet, example_task, example_trajectory};

const ACTOR: Incarnation = Incarnation(1);

fn fleet(mode: Mode, rescore: f64) -> Fleet {
    let mut config = example_config(mode);
    config.learner.rescore = rescore;
    let mut fleet = Fleet::new(example_fleet(config), &example_task());
    fleet.handle(Duration::ZERO, Event::Published(PolicyVersion(0)), &mut Vec::new());
    fleet
}

fn route(name: u8) -> Route {
    Route([name].as_slice().into())
}

/// What the fleet does about a message.
fn receive(fleet: &mut Fleet, route: Route, message: ToLearner) -> Vec<Action> {
    let mut out = Vec::new();
    fleet.handle(Duration::ZERO, Event::Received(route, message), &mut out);
    out
}

fn hello() -> ToLearner {
    hello_from(0)
}

/// Of an actor that still has what it made from `oldest` on.
fn hello_from(oldest: u64) -> ToLearner {
    ToLearner::Hello(Hello {
        incarnation: ACTOR,
        oldest: Seq(oldest),
        name: "a".into(),
        host: "b".into(),
        process: 2,
        device: "cpu".into(),
    })
}

fn batch(first: u64, count: u32) -> ToLearner {
    let batch = (0..count).map(|index| example_trajectory(0, index)).collect();
    let first = Seq(first);
    ToLearner::Trajectories { first, batch }
}

fn committed(actions: &[Action]) -> usize {
    let rows = actions.iter().map(|action| match action {
        Action::Commit(commit) => commit.rows.len(),
        _ => 0,
    });
    rows.sum()
}

#[test]
fn what_goes_beyond_the_window_waits_until_something_is_committed() {
    let mut fleet = fleet(Mode::Async, 0.0);
    let window = fleet.window as u32;
    receive(&mut fleet, route(1), hello());
    assert_eq!(
        committed(&receive(&mut fleet, route(1), batch(0, window))),
        window as usize
    );
    assert!(receive(&mut fleet, route(1), batch(window.into(), 1)).is_empty());
    assert_eq!(fleet.counters.over_window, 1);
    let (incarnation, next) = (ACTOR, Seq(1));
    fleet.handle(Duration::ZERO, Event::Committed { incarnation, next }, &mut Vec::new());
    assert_eq!(committed(&receive(&mut fleet, route(1), batch(window.into(), 1))), 1);
}

#[test]
fn who_was_shut_out_stays_out_on_a_new_connection() {
    let mut fleet = fleet(Mode::Async, 1.0);
    receive(&mut fleet, route(1), hello());
    let ToLearner::Trajectories { first, mut batch } = batch(0, 1) else {
        unreachable!()
    };
    batch[0].y *= 1.01;
    batch[0].log_reward = example_task().reward.log_reward(batch[0].y);
    let lie = receive(&mut fleet, route(1), ToLearner::Trajectories { first, batch });
    assert!(is_refusal(&lie) && committed(&lie) == 0, "{lie:?}");
    let again = receive(&mut fleet, route(2), hello());
    assert!(is_refusal(&again), "{again:?}");
}

fn is_refusal(actions: &[Action]) -> bool {
    matches!(actions, [Action::Send(_, ToActor::Refused { reason })] if reason.contains("quarantine"))
}

#[test]
fn silence_while_nothing_was_read_is_no_silence() {
    let mut fleet = fleet(Mode::Async, 0.0);
    receive(&mut fleet, route(1), hello());
    let present = |fleet: &Fleet, now| fleet.report(now).actors[0].present;
    fleet.handle(2 * LEASE, Event::Resumed, &mut Vec::new());
    fleet.handle(2 * LEASE, Event::Tick, &mut Vec::new());
    assert!(present(&fleet, 2 * LEASE));
    fleet.handle(3 * LEASE, Event::Tick, &mut Vec::new());
    assert!(!present(&fleet, 3 * LEASE));
}

#[test]
fn an_actor_that_is_not_read_is_told_that_the_learner_is_there_before_it_gives_up() {
    let mut fleet = fleet(Mode::Async, 0.0);
    receive(&mut fleet, route(1), hello());
    let mut told = |seconds, event| {
        let mut out = Vec::new();
        fleet.handle(Duration::from_secs(seconds), event, &mut out);
        let is_ack = |action: &Action| matches!(action, Action::Send(_, ToActor::Ack { resend: false, .. }));
        assert!(out.iter().all(is_ack), "{out:?}");
        out.len()
    };
    // The learner reads nothing for longer than a lease, and nobody is taken for silent.
    let held_back: Vec<u64> = (1..24).filter(|&second| told(second, Event::HeldBack) > 0).collect();
    assert_eq!(held_back, [5, 10, 15, 20]);
    assert_eq!(told(24, Event::Resumed), 0);
    let read: Vec<u64> = (24..60).filter(|&second| told(second, Event::Tick) > 0).collect();
    assert_eq!(read, [25, 30], "a lease after that it is gone");
}

#[test]
fn what_an_actor_owes_is_sent_on_its_new_connection_at_once_and_when_it_is_heard_again() {
    let mut fleet = fleet(Mode::Sync, 0.0);
    fleet.handle(Duration::ZERO, Event::RoundStarted(0), &mut Vec::new());
    let work = |actions: &[Action]| {
        let mut sent = actions.iter().filter_map(|action| match action {
            Action::Send(route, ToActor::Work { indices, .. }) => Some((route.clone(), indices.clone())),
            _ => None,
        });
        (sent.next(), sent.next())
    };
    let whole = |name| (Some((route(name), 0..6)), None);
    assert_eq!(work(&receive(&mut fleet, route(1), hello())), whole(1));
    assert_eq!(work(&receive(&mut fleet, route(2), hello())), whole(2));
    fleet.handle(LEASE, Event::Tick, &mut Vec::new());
    let status = ToLearner::Heartbeat(ActorStatus::default());
    assert_eq!(
        work(&receive(&mut fleet, route(2), status)),
        whole(2),
        "nobody else was there"
    );
}

#[test]
fn an_actor_that_dropped_what_was_not_acknowledged_is_not_taken_back() {
    let mut fleet = fleet(Mode::Async, 0.0);
    receive(&mut fleet, route(1), hello());
    receive(&mut fleet, route(1), batch(0, 3));
    let (incarnation, next) = (ACTOR, Seq(2));
    fleet.handle(Duration::ZERO, Event::Committed { incarnation, next }, &mut Vec::new());
    let refused = receive(&mut fleet, route(2), hello_from(3));
    assert!(
        matches!(&refused[..], [Action::Send(_, ToActor::Refused { reason })] if reason.contains("from #2 on")),
        "{refused:?}"
    );
    let welcome = receive(&mut fleet, route(3), hello_from(2));
    assert!(
        matches!(welcome[0], Action::Send(_, ToActor::Welcome(_))),
        "{welcome:?}"
    );
}
