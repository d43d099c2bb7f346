//! kill -9 of a relay, at random moments, with all its actors behind it. A new one takes its place on another port.

use super::account::Account;
use super::fleet::Fleet;
use super::table::Row;
use super::{dice, long, moment};
use std::time::Instant;

const ACTORS: usize = 4;

fn kills(mode: &'static str, test: u64) {
    let mut fleet = Fleet::new(mode, ACTORS);
    fleet.behind_relay = true;
    fleet.start();
    let mut dice = dice(test);
    let mut row = Row {
        fault: format!("kill -9 of the relay of all actors, {mode}"),
        times: if long() { 25 } else { 3 },
        ..Row::default()
    };
    let mut of_learner = 0;
    for turn in 0..row.times {
        moment(&mut dice);
        let start = Instant::now();
        drop(fleet.relay.take());
        // Sometimes it comes back to a learner that was killed with it, and is itself on another port.
        if turn % 3 == 2 {
            of_learner += 1;
            drop(fleet.learner.take());
            fleet.start_learner(&[]);
        }
        fleet.start_relay();
        if dice.below(3) > 0 {
            fleet.delivers(dice.below(ACTORS), 1);
            row.recovered.push(start.elapsed());
        }
    }
    for number in 0..ACTORS {
        fleet.delivers(number, 1);
    }
    fleet.advances(2);
    fleet.finish();
    row.remarks = format!("{of_learner} with the learner; {} rounds", fleet.round());
    row.settle(&Account::of(&fleet));
}

#[test]
fn a_killed_relay_of_a_lockstep_run_loses_nothing() {
    kills("sync", 11);
}

#[test]
fn a_killed_relay_of_a_free_running_run_loses_nothing() {
    kills("async", 12);
}
