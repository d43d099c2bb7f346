//! Waiting for real processes and sending them signals, for all tests of whole programs.

use std::process::Command;
use std::time::{Duration, Instant};

/// How long anything may take. Nothing is asserted about time; this ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Returns once `condition` holds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The one clear line with which a program that failed says why.
pub fn error_line(stderr: &str) -> &str {
    let mut lines = stderr.lines().filter(|line| line.starts_with("error: "));
    match (lines.next(), lines.next()) {
        (Some(line), None) => line,
        _ => panic!("one error line, not {stderr}"),
    }
}

/// Sends a signal, named as `kill` does ("-KILL").
pub fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(status.unwrap().success(), "kill {name} {pid}");
}
