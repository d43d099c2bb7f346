//! kill -9, at random moments, of actors and of the learner. Actors come back with their outbox, the learner on another
//! port.

use super::account::Account;
use super::fleet::Fleet;
use super::processes::wait_until;
use super::table::Row;
use super::{dice, long, moment};
use std::time::{Duration, Instant};

const ACTORS: usize = 3;

/// Kills and starts again; None of an actor's number means the learner. How long until it has delivered or committed.
fn kill(fleet: &mut Fleet, victim: Option<usize>, wait: bool) -> Option<Duration> {
    let start = Instant::now();
    let at = match victim {
        Some(number) => {
            drop(fleet.actors[number].process.take());
            let at = fleet.rows_of(number);
            fleet.start_actor(number);
            at
        }
        None => {
            drop(fleet.learner.take());
            let at = fleet.rows();
            fleet.start_learner(&[]);
            at
        }
    };
    if !wait {
        return None;
    }
    wait_until("the killed one to be at work again", || match victim {
        Some(number) => fleet.rows_of(number) > at,
        None => fleet.rows() > at,
    });
    Some(start.elapsed())
}

fn kills(mode: &'static str, test: u64) {
    let mut fleet = Fleet::new(mode, ACTORS);
    fleet.start();
    let mut dice = dice(test);
    let mut row = Row {
        fault: format!("kill -9, {mode}"),
        times: if long() { 25 } else { 3 },
        ..Row::default()
    };
    let mut of_learner = 0;
    for turn in 0..row.times {
        moment(&mut dice);
        // The learner each third time, so that the short form has it too.
        let victim = if turn % 3 == 1 { None } else { Some(dice.below(ACTORS)) };
        of_learner += usize::from(victim.is_none());
        // Sometimes the next one is killed before this one is back at work.
        row.recovered.extend(kill(&mut fleet, victim, dice.below(3) > 0));
    }
    for number in 0..ACTORS {
        fleet.delivers(number, 1);
    }
    fleet.advances(2);
    fleet.finish();
    row.remarks = format!(
        "{of_learner} of the learner, which came back on another port each time; {} rounds",
        fleet.round()
    );
    row.settle(&Account::of(&fleet));
}

#[test]
fn killed_processes_of_a_lockstep_run_lose_nothing() {
    kills("sync", 1);
}

#[test]
fn killed_processes_of_a_free_running_run_lose_nothing() {
    kills("async", 2);
}
