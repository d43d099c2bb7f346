//! Tests of the whole programs, as a user runs them. One test binary, a module per subject.

#[path = "programs/bench.rs"]
mod bench;
#[path = "programs/commands.rs"]
mod commands;
#[cfg(target_os = "linux")]
#[path = "programs/crew.rs"]
mod crew;
#[path = "programs/data.rs"]
mod data;
#[path = "programs/experiment.rs"]
mod experiment;
#[path = "programs/fleet.rs"]
mod fleet;
#[path = "programs/golden.rs"]
mod golden;
#[path = "programs/input.rs"]
mod input;
#[path = "programs/installation.rs"]
mod installation;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "programs/instructions.rs"]
mod instructions;
#[path = "programs/launch_kubernetes.rs"]
mod launch_kubernetes;
#[cfg(target_os = "linux")]
#[path = "programs/launch_local.rs"]
mod launch_local;
#[path = "programs/oracle.rs"]
mod oracle;
#[path = "shared/output.rs"]
mod output;
#[path = "programs/plan.rs"]
mod plan;
#[path = "shared/processes.rs"]
mod processes;
#[path = "programs/python_examples.rs"]
mod python_examples;
#[path = "programs/python_policy.rs"]
mod python_policy;
#[path = "programs/readers.rs"]
mod readers;
#[path = "programs/relay.rs"]
mod relay;
#[cfg(target_os = "linux")]
#[path = "shared/replays.rs"]
mod replays;
#[cfg(unix)]
#[path = "programs/security.rs"]
mod security;
#[path = "programs/train.rs"]
mod train;
#[path = "programs/watch.rs"]
mod watch;

use std::process::{Command, Output};

/// The `thermoflow` command.
fn thermoflow() -> Command {
    Command::new(env!("CARGO_BIN_EXE_thermoflow"))
}

/// Runs `thermoflow` with `arguments`.
fn run(arguments: &[&str]) -> Output {
    output::of(thermoflow().args(arguments))
}

/// Expects bad input: exit code 2, nothing but one line on stderr that contains all of `expected`.
fn assert_refused(arguments: &[&str], expected: &[&str]) {
    assert_fails(arguments, 2, expected);
}

/// Expects `code` and one clear line on stderr that contains all of `expected`.
fn assert_fails(arguments: &[&str], code: i32, expected: &[&str]) {
    let output = run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    processes::error_line(&stderr);
    for part in expected {
        assert!(stderr.contains(part), "{arguments:?}: {part:?} is not in {stderr}");
    }
}
