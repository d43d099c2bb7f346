//! Processes that hang (SIGSTOP) and come back (SIGCONT), and an actor that is slow.

use super::account::Account;
use super::fleet::Fleet;
use super::processes::wait_until;
use super::table::Row;
use super::{let_pass, long};
use std::time::Duration;
use thermoflow::metrics::{ActorCount, jsonl};

/// How long a process hangs: in the long form beyond the lease of ten seconds.
fn hanging() -> Duration {
    Duration::from_secs(if long() { 60 } else { 3 })
}

/// What the learner's newest report says of an actor.
fn reported(fleet: &Fleet, number: usize) -> Option<ActorCount> {
    let rows = jsonl::read(&fleet.run.join("metrics.jsonl")).unwrap_or_default();
    let name = &fleet.actors[number].name;
    rows.last()?.actors.iter().find(|actor| actor.name == *name).cloned()
}

#[test]
fn a_hanging_actor_and_a_hanging_learner_come_back() {
    let mut fleet = Fleet::new("async", 2);
    fleet.start();
    let mut row = Row {
        fault: format!("SIGSTOP for {} s, async", hanging().as_secs()),
        times: 2,
        remarks: "once an actor, once the learner".into(),
        ..Row::default()
    };
    fleet.actor(0).signal("-STOP");
    let_pass(hanging());
    fleet.delivers(1, 100);
    if long() {
        wait_until("the learner to miss it", || {
            reported(&fleet, 0).is_some_and(|actor| !actor.present)
        });
    }
    fleet.actor(0).signal("-CONT");
    row.recovered.push(fleet.delivers(0, 100));
    fleet.learner().signal("-STOP");
    let_pass(hanging());
    fleet.learner().signal("-CONT");
    row.recovered.push(fleet.advances(2));
    fleet.delivers(0, 100);
    fleet.delivers(1, 100);
    fleet.finish();
    row.settle(&Account::of(&fleet));
}

/// It works only between its stops; at each of them the others must get on by themselves.
#[test]
fn a_slow_actor_does_not_delay_the_others() {
    let mut fleet = Fleet::new("async", 3);
    fleet.start();
    let times = if long() { 30 } else { 5 };
    let at: Vec<u64> = (0..3).map(|number| fleet.rows_of(number)).collect();
    for _ in 0..times {
        fleet.actor(0).signal("-STOP");
        fleet.delivers(1, 200);
        fleet.delivers(2, 200);
        fleet.actor(0).signal("-CONT");
        fleet.delivers(0, 1);
    }
    let made: Vec<u64> = (0..3).map(|number| fleet.rows_of(number) - at[number]).collect();
    assert!(made[0] < made[1] && made[0] < made[2], "it was slow: {made:?}");
    fleet.finish();
    let row = Row {
        fault: "slow actor, async".into(),
        times,
        remarks: format!(
            "it delivered {}, the others {} and {} beside it",
            made[0], made[1], made[2]
        ),
        ..Row::default()
    };
    row.settle(&Account::of(&fleet));
}
