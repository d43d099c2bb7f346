//! Clocks that jump: the wall clock under running processes, and the monotonic one between two lives of the learner, as
//! when it goes on at another host. Linux, with a C compiler.

use super::account::Account;
use super::fleet::Fleet;
use super::table::Row;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use thermoflow::replay::Store;

const YEAR: i64 = 365 * 86400;

/// The library that moves a process's wall clock; None, said aloud, where it cannot be built.
fn library(fleet: &Fleet) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/wall_clock.c");
    let library = fleet.path("wall_clock.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .output();
    if cfg!(target_os = "linux") && built.is_ok_and(|output| output.status.success()) {
        return Some(library);
    }
    eprintln!("SKIPPED: the test of clock jumps preloads a library that `cc` builds, on Linux");
    None
}

/// From the oldest to the newest row, as the learner's wall clock said.
fn seconds_in_replay(fleet: &Fleet) -> i64 {
    let store = Store::open_read_only(&fleet.run.join("replay.sqlite")).unwrap();
    let sql = "SELECT (max(received_us) - min(received_us)) / 1000000 FROM batches";
    store.connection().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn wall_clocks_that_jump_lose_nothing() {
    let mut fleet = Fleet::new("async", 2);
    let Some(library) = library(&fleet) else { return };
    let clock = |of: &str| {
        let (preload, file) = (format!("LD_PRELOAD={}", library.display()), fleet.path(of));
        vec!["env".to_owned(), preload, format!("WALL_CLOCK={}", file.display())]
    };
    let through = [clock("clock-0"), clock("clock-1")];
    [fleet.learner_through, fleet.actors[0].through] = through;
    fleet.start();
    let set = |fleet: &Fleet, of: &str, seconds: i64| std::fs::write(fleet.path(of), seconds.to_string()).unwrap();
    let mut recovered = Vec::new();
    for jump in [YEAR, -YEAR, 3600, 0] {
        set(&fleet, "clock-0", jump);
        let start = Instant::now();
        fleet.delivers(1, 100);
        set(&fleet, "clock-1", -jump);
        fleet.delivers(0, 100);
        fleet.advances(2);
        recovered.push(start.elapsed());
    }
    assert!(seconds_in_replay(&fleet) > YEAR, "the clock did jump");
    fleet.finish();
    let row = Row {
        fault: "wall clock jumps by up to two years, async".into(),
        times: 8,
        recovered,
        remarks: "the learner's and an actor's, forth and back; the time is until all went on".into(),
    };
    row.settle(&Account::of(&fleet));
}

#[test]
fn a_learner_goes_on_under_another_monotonic_clock() {
    let namespace = |seconds: i64| {
        let seconds = seconds.to_string();
        let words = ["unshare", "--time", "--monotonic", &seconds, "--boottime", &seconds];
        words.map(String::from).to_vec()
    };
    let possible = Command::new("unshare").args(&namespace(YEAR)[1..]).arg("true").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        return eprintln!(
            "SKIPPED: the test of monotonic clocks makes time namespaces (unshare --time), which takes root"
        );
    }
    let mut fleet = Fleet::new("sync", 2);
    fleet.start();
    let mut recovered = Vec::new();
    for offset in [YEAR, 86400] {
        drop(fleet.learner.take());
        fleet.learner_through = namespace(offset);
        let start = Instant::now();
        let at = fleet.rows();
        fleet.start_learner(&[]);
        super::processes::wait_until("the learner to go on", || fleet.rows() > at);
        recovered.push(start.elapsed());
        drop(fleet.actors[0].process.take());
        fleet.actors[0].through = namespace(2 * YEAR - offset);
        fleet.start_actor(0);
        fleet.delivers(0, 10);
    }
    fleet.finish();
    let row = Row {
        fault: "kill -9, then another monotonic clock, sync".into(),
        times: 4,
        recovered,
        remarks: "time namespaces a year and a day ahead, for the learner and an actor".into(),
    };
    row.settle(&Account::of(&fleet));
}
