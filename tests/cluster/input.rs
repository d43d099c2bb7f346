//! What cannot be launched is refused with one clear line, and nothing is left in the queue or in the file system.

use super::processes::error_line;
use super::run::{CONFIG, Run, good, set_mode};
use super::slurm::Slurm;
use std::process::{Command, Output};

fn refused(output: Output, reason: &str) {
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(error_line(&said).contains(reason), "{reason} in {said}");
}

#[test]
fn what_cannot_be_launched_leaves_nothing_behind() {
    let Some(slurm) = Slurm::start() else { return };
    let run = Run::new(&slurm);
    let launch = |more: &[&str], reason: &str| {
        refused(run.launch(&run.arguments(more)), reason);
        assert!(!run.dir.exists(), "{reason}");
        assert_eq!(slurm.queue(), "", "{reason}");
    };
    launch(&["--set", "launch.slurm.partition=\"mian\""], "did you mean \"main\"?");
    launch(&["--set", "launch.slurm.extra=[\"--array=1\"]"], "launch.slurm.extra");
    // The learner's job is in the queue by then.
    launch(
        &["--set", "launch.slurm.actor.gres=\"gpu:9\"", "--no-probe"],
        "sbatch failed",
    );
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    launch(
        &["--set", &format!("launch.port={port}")],
        &format!("port {port} of {} is in use", thermoflow::process::host_name()),
    );
    set_mode(&run.key, 0o644);
    launch(&[], "chmod 600");
    std::fs::remove_file(&run.key).unwrap();
    launch(&[], "cannot be read");

    let dir = run.dir.to_str().unwrap();
    refused(run.launch(&["status", dir]), "was not launched");
    refused(run.launch(&["stop", dir]), "was not launched");
    let below_zero = run.launch(&["scale", dir, "--actors", "-1"]);
    assert_eq!(below_zero.status.code(), Some(2));
    let said = String::from_utf8(below_zero.stderr).unwrap();
    assert!(said.contains("-1 is not in 0..=100000"), "{said}");
}

/// Needs no Slurm.
#[test]
fn without_slurm_or_its_controller_the_advice_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    let thermoflow = || Command::new(env!("CARGO_BIN_EXE_thermoflow"));
    assert!(
        thermoflow()
            .args(["key", "new"])
            .arg(&key)
            .output()
            .unwrap()
            .status
            .success()
    );
    let run = dir.path().join("run");
    let mut command = thermoflow();
    command
        .args(["launch", "slurm", CONFIG, "--run-dir"])
        .arg(&run)
        .arg("--key-file")
        .arg(&key);
    refused(
        command.env("PATH", dir.path()).output().unwrap(),
        "there is no Slurm here",
    );
    let mut dry = thermoflow();
    dry.args(["launch", "slurm", CONFIG, "--dry-run", "--run-dir"])
        .arg(&run)
        .arg("--key-file")
        .arg(&key);
    let scripts = good(dry.env("PATH", dir.path()).output().unwrap());
    assert!(
        scripts.contains("#SBATCH --array=0-1\n") && scripts.contains("-learner\n"),
        "{scripts}"
    );
    let keyless = thermoflow()
        .args(["launch", "slurm", CONFIG, "--run-dir"])
        .arg(&run)
        .env_remove("THERMOFLOW_KEY")
        .output();
    refused(keyless.unwrap(), "thermoflow key new");
    assert!(!run.exists());
}

#[test]
fn a_controller_that_does_not_answer_is_told_from_no_slurm() {
    let Some(mut slurm) = Slurm::start() else { return };
    slurm.end_controller();
    let run = Run::new(&slurm);
    refused(run.launch(&run.arguments(&[])), "scontrol ping");
    assert!(!run.dir.exists());
}
