//! Runs in the background of this machine: launched, watched, killed in part, scaled, stopped, resumed.

use super::processes::{error_line, signal, wait_until};
use super::train::{children, config};
use super::{output, replays, thermoflow};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use thermoflow::checkpoint;
use thermoflow::process::host_name;

/// A run that is stopped when the test is over.
struct Run {
    _scratch: tempfile::TempDir,
    dir: PathBuf,
}

impl Drop for Run {
    fn drop(&mut self) {
        // Stopped already when the test went well.
        let _ = self.launch(&["stop", self.path(), "--within", "5"]);
    }
}

impl Run {
    /// A blank in the name is no trouble.
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("a run");
        Self { _scratch: scratch, dir }
    }

    fn path(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    fn launch(&self, arguments: &[&str]) -> Output {
        let mut command = thermoflow();
        // What is started must not hold the pipes of whoever started it: their end is waited for.
        output::of(command.arg("launch").args(arguments).env_remove("THERMOFLOW_KEY"))
    }

    /// `thermoflow launch local`, for a run that does not end by itself.
    fn local(&self, more: &[&str]) -> Output {
        let file = config();
        let mut arguments = vec!["local", file.to_str().unwrap(), "--run-dir", self.path()];
        arguments.extend(["--rounds", "1000000", "--set", "train.mode=\"async\""]);
        arguments.extend(["--set", "launch.ledger=true", "--set", "learner.report_every=1"]);
        arguments.extend(more);
        self.launch(&arguments)
    }

    /// A subcommand that works.
    fn does(&self, command: &str, more: &[&str]) -> String {
        good(self.launch(&[&[command, self.path()], more].concat()))
    }

    fn programs(&self) -> Vec<Value> {
        let status: Value = serde_json::from_str(&self.does("status", &["--json"])).unwrap();
        status["programs"].as_array().unwrap().clone()
    }

    fn program(&self, name: &str) -> Value {
        let mut programs = self.programs().into_iter();
        programs.find(|program| program["name"] == name).unwrap()
    }

    fn live(&self) -> Vec<String> {
        let programs = self.programs().into_iter().filter(|program| program["live"] == true);
        programs
            .map(|program| program["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until actors of these names have each delivered more.
    fn delivers(&self, names: &[&str]) {
        for name in names {
            let at = replays::rows_of(&self.dir, name);
            wait_until(&format!("{name} to deliver"), || replays::rows_of(&self.dir, name) > at);
        }
    }
}

fn good(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(output: Output, reason: &str) {
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(error_line(&said).contains(reason), "{reason} in {said}");
}

fn pid(program: &Value) -> u32 {
    program["job"].as_str().unwrap().parse().unwrap()
}

/// The words with which a process was started.
fn words(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

fn parent(pid: u32) -> u32 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn a_run_in_the_background_outlives_a_killed_actor_scaling_and_a_resume() {
    let run = Run::new();
    let shown = good(run.local(&["--dry-run"]));
    assert!(!run.dir.exists());
    good(run.local(&[]));
    let programs = run.programs();
    assert_eq!(programs.len(), 3, "{programs:?}");
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with('#')).collect();
    for (program, line) in programs.iter().zip(&lines) {
        assert_eq!(
            (&program["state"], program["node"].as_str()),
            (&"RUNNING".into(), Some(&*host_name()))
        );
        let shown = shlex::split(line).unwrap();
        assert_eq!(
            words(parent(pid(program))),
            shown[..shown.len() - 2],
            "exactly what was shown was started"
        );
    }
    refused(run.local(&[]), "a run under way");
    run.delivers(&["actor-0", "actor-1"]);

    signal("-KILL", pid(&run.program("actor-1")));
    wait_until("the dead actor to be seen", || {
        run.program("actor-1")["state"] == "FAILED"
    });
    assert_eq!(run.program("actor-1")["reason"], "killed by signal 9");
    assert!(run.does("status", &[]).contains("1 of 2 actors"));
    run.does("scale", &["--actors", "3"]);
    run.delivers(&["actor-0", "actor-1", "actor-2"]);
    wait_until("a rate", || {
        run.program("actor-2")["rate"].as_f64().is_some_and(|rate| rate > 0.0)
    });
    run.does("scale", &["--actors", "1"]);
    assert_eq!(run.live(), ["learner", "actor-0"]);
    assert_eq!(run.program("actor-2")["state"], "COMPLETED");

    run.does("stop", &[]);
    assert_eq!(run.live(), Vec::<String>::new());
    let step = checkpoint_of(&run.dir);
    let acknowledged = replays::account(&run.dir);
    assert!(acknowledged > 0);
    refused(run.launch(&["scale", run.path(), "--actors", "2"]), "has no learner");

    refused(run.local(&[]), "--resume goes on with it");
    good(run.local(&["--resume", "--actors", "1"]));
    assert_eq!(
        run.live(),
        ["learner", "actor-0"],
        "of the earlier launch nothing is left"
    );
    run.delivers(&["actor-0"]);
    assert!(run.does("logs", &["learner", "-n", "1000"]).contains("resumed"));
    run.does("stop", &[]);
    assert!(replays::account(&run.dir) > acknowledged && checkpoint_of(&run.dir) >= step);
}

/// The round of the newest checkpoint.
fn checkpoint_of(run: &Path) -> u64 {
    let latest = checkpoint::latest(run).unwrap().expect("a checkpoint");
    latest.checkpoint.trainer.round
}

#[test]
fn relays_with_their_actors_are_scaled_lost_and_stopped_as_one() {
    let run = Run::new();
    let together = ["--actors-per-task", "2"];
    refused(
        run.local(&[&together[..], &["--actors", "3"]].concat()),
        "3 actors do not fill tasks of 2 (launch.actors_per_task): 2 or 4 would",
    );
    let shown = good(run.local(&[&together[..], &["--dry-run"]].concat()));
    assert_eq!(shown.matches(" --crew 2 -- ").count(), 2, "{shown}");
    assert!(!run.dir.exists());
    good(run.local(&together));
    run.delivers(&["actor-0.0", "actor-0.1", "actor-1.0", "actor-1.1"]);
    assert!(run.does("status", &[]).contains("4 of 4 actors"));
    wait_until("a rate", || {
        run.program("actor-1")["rate"].as_f64().is_some_and(|rate| rate > 0.0)
    });

    let actors = children(pid(&run.program("actor-1")), "thermoflow-actor");
    assert_eq!(actors.len(), 2);
    signal("-KILL", actors[0]);
    wait_until("the crew to end", || run.program("actor-1")["state"] == "FAILED");
    assert_eq!(run.program("actor-1")["reason"], "exit code 137");
    assert!(run.does("status", &[]).contains("2 of 4 actors"));
    assert!(run.does("logs", &["actor-1"]).contains("of the crew ended badly"));
    refused(run.launch(&["scale", run.path(), "--actors", "5"]), ": 4 or 6 would");
    assert!(run.does("scale", &["--actors", "4"]).contains("4 actors: 2 more"));
    run.delivers(&["actor-1.0", "actor-1.1"]);
    run.does("scale", &["--actors", "2"]);
    assert_eq!(run.live(), ["learner", "actor-0"]);

    run.does("stop", &[]);
    assert_eq!(run.live(), Vec::<String>::new());
    assert_eq!(run.program("actor-0")["state"], "COMPLETED");
    assert!(replays::account(&run.dir) > 0);
}

#[test]
fn a_program_that_lost_its_keeper_stops_by_itself_and_a_stop_of_what_is_gone_is_no_error() {
    let run = Run::new();
    good(run.local(&["--actors", "1"]));
    run.delivers(&["actor-0"]);
    signal("-KILL", parent(pid(&run.program("actor-0"))));
    wait_until("the actor to follow its keeper", || run.live() == ["learner"]);
    assert_eq!(run.program("actor-0")["reason"], "lost with its keeper");
    run.does("stop", &[]);
    run.does("stop", &[]);
    assert!(replays::account(&run.dir) > 0);
}

#[test]
fn what_cannot_be_launched_here_leaves_nothing_behind() {
    let run = Run::new();
    let launch = |more: &[&str], reason: &str| {
        refused(run.local(more), reason);
        assert!(!run.dir.exists(), "{reason}");
    };
    launch(&["--set", "train.batch=0"], "train.batch = ");
    launch(&["--actors", "513"], "at most 512");
    // The learner runs by then, and says why it does not go on.
    launch(&["--set", "learner.device=\"cuda:63\""], "learner failed (exit code 2)");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    launch(&["--set", &format!("launch.port={port}")], &format!("port {port} of "));
    launch(&["--key-file", "no/such/key"], "no/such/key");
    refused(run.launch(&["status", run.path()]), "was not launched");
    let below_zero = run.launch(&["scale", run.path(), "--actors", "-1"]);
    let said = String::from_utf8(below_zero.stderr).unwrap();
    assert!(
        below_zero.status.code() == Some(2) && said.contains("-1 is not in 0..=100000"),
        "{said}"
    );
}

#[test]
fn when_an_actor_cannot_start_the_learner_is_taken_down_again() {
    let run = Run::new();
    // Where the log of an actor would be is a directory.
    std::fs::create_dir_all(run.dir.join("launch/logs/actor-1")).unwrap();
    let failed = run.local(&[]);
    let said = String::from_utf8(failed.stderr).unwrap();
    assert!(
        !failed.status.success() && error_line(&said).contains("actor-1"),
        "{said}"
    );
    assert_eq!(run.live(), Vec::<String>::new());
    assert_eq!(run.program("learner")["state"], "COMPLETED", "it was asked, not killed");
}
