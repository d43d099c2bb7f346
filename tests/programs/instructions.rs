//! Work is counted, not timed: instructions of a round and of a roll-out under Valgrind, against what is recorded. Counts do not
//! depend on what else a machine does, so this can fail where a slower program would.

use super::output;
use serde::Deserialize;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

const PLACE: &str = "tests/programs/instructions.toml";

#[derive(Deserialize)]
struct Record {
    rollout: u64,
    round: u64,
}

/// So much more or less than recorded is the compiler's, or the C library's. The rest is ours.
const TOLERANCE: f64 = 0.05;

/// The difference of two counts is of so many repetitions, without start and warm-up.
const REPETITIONS: [u64; 2] = [2, 6];

/// Valgrind does a fused multiplication of vectors in a call for each number. A narrow policy has fewer, and leaves more of the count
/// to everything else, where a careless copy is.
const NARROW: [&str; 2] = ["--set", "policy.hidden=32"];

/// A program is some fifty times slower when it is counted. Nothing is asserted about time.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whether Valgrind is here; that it is not is said loudly, and must not be in CI.
fn can_count() -> bool {
    if Command::new("valgrind").arg("--version").output().is_ok() {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no valgrind: apt-get install valgrind"
    );
    // Not by a macro, whose words a test that passes swallows.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: there is no valgrind to count instructions with (apt-get install valgrind)"
    );
    false
}

/// Instructions of a whole `thermoflow bench …`.
fn instructions(bench: &[&str], repetitions: u64) -> u64 {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args([env!("CARGO_BIN_EXE_thermoflow"), "bench"])
        .args(bench)
        .args(NARROW)
        .args(["--repetitions", &repetitions.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = output::within(PATIENCE, command.spawn().unwrap());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let count = said
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.unwrap_or_else(|| panic!("valgrind does not say what it collected: {said}"))
}

/// Fails when a repetition takes more instructions than is recorded; says loudly when it takes less.
fn compare(name: &str, bench: &[&str], recorded: u64) {
    if !can_count() {
        return;
    }
    let [few, many] = REPETITIONS.map(|repetitions| instructions(bench, repetitions));
    let each = (many - few) / (REPETITIONS[1] - REPETITIONS[0]);
    let change = each as f64 / recorded as f64 - 1.0;
    let found = format!(
        "a {name} takes {each} instructions, {recorded} are recorded ({:+.1} %)",
        100.0 * change
    );
    assert!(
        change <= TOLERANCE,
        "{found}: find what made it slower or, if it is worth that, write `{name} = {each}` into {PLACE}"
    );
    if change < -TOLERANCE {
        let _ = writeln!(
            std::io::stderr(),
            "FASTER THAN RECORDED: {found}: write `{name} = {each}` into {PLACE}, so that it stays so"
        );
    }
}

fn record() -> Record {
    toml::from_str(include_str!("instructions.toml")).unwrap()
}

#[test]
fn a_roll_out_takes_no_more_instructions_than_recorded() {
    compare("rollout", &["rollout", "--batch", "256"], record().rollout);
}

#[test]
fn a_round_takes_no_more_instructions_than_recorded() {
    compare("round", &["round"], record().round);
}
