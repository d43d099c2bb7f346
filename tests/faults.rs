//! Faults done to real processes: learners and actors that are killed, stopped, cut off, short of disk, given damaged
//! files. Each test prints a row of a table and asserts that nothing acknowledged is lost and nothing is there twice.
//!
//! `make test` runs a short form, `make faults` (`THERMOFLOW_FAULTS=long`) more of it, and what takes minutes.
//! Waiting is always for a condition; where time passes it is a fault's duration or its moment, drawn from a seeded
//! generator.

#![cfg(unix)]

#[path = "faults/account.rs"]
mod account;
#[path = "faults/clocks.rs"]
mod clocks;
#[path = "faults/damage.rs"]
mod damage;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/fleet.rs"]
mod fleet;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/links.rs"]
mod links;
#[path = "shared/processes.rs"]
mod processes;
#[path = "faults/relays.rs"]
mod relays;
#[path = "faults/stops.rs"]
mod stops;
#[path = "faults/table.rs"]
mod table;
#[path = "faults/twice.rs"]
mod twice;

use std::time::Duration;
use thermoflow::random::{Purpose, Stream};

/// Names the moments and the victims. `THERMOFLOW_FAULTS_SEED` takes its place.
fn seed() -> u64 {
    let given = std::env::var("THERMOFLOW_FAULTS_SEED").ok();
    given.map_or(4, |text| text.parse().expect("THERMOFLOW_FAULTS_SEED is a number"))
}

/// True for `make faults`.
fn long() -> bool {
    std::env::var("THERMOFLOW_FAULTS").is_ok_and(|form| form == "long")
}

/// The random draws of one test.
fn dice(test: u64) -> Stream {
    Stream::new(seed(), Purpose::Bench, test, 0)
}

/// Lets a fault last, or its moment come. Nobody relies on anything having happened afterwards.
fn let_pass(time: Duration) {
    std::thread::sleep(time);
}

/// A random moment, often within what the victim is doing right after its start.
fn moment(dice: &mut Stream) {
    let_pass(Duration::from_secs_f64(dice.uniform(0.0, 0.8)));
}
