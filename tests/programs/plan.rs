//! `thermoflow plan`: predictions from given costs, costs measured here, and bad input.

use super::{assert_refused, output, run, thermoflow};
use serde_json::Value;
use std::path::{Path, PathBuf};
use thermoflow::config::{self, RawConfig};
use thermoflow::plan::{ActorCosts, Bytes, Costs, LearnerCosts, LinkCosts, MeasuredFor};

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/tfbind8-async.toml");

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/sequence-program.toml");

/// Costs in round numbers: a roll-out of 32 takes 1 ms, a batch's gradient step too.
fn costs(dir: &Path) -> PathBuf {
    let config = config::load(Path::new(CONFIG), &[], &RawConfig::default()).unwrap();
    let costs = Costs {
        machine: "a machine of a test".into(),
        cores: 2,
        speed_when_full: 1.0,
        measured_for: MeasuredFor::new(&config),
        actor: ActorCosts {
            load: 1e-4,
            roll_fresh: 1e-3,
            roll_again: 1e-3,
            score: 1e-7,
            tick: 1e-5,
            encode: 1e-7,
        },
        learner: LearnerCosts {
            receive: 2e-6,
            receive_each: 3e-7,
            online: 1e-3,
            replay: 1e-3,
            remember: 1e-6,
            publish: 1e-4,
            report: 1e-4,
            report_each: 2e-6,
            checkpoint: 1e-2,
            tick_each: 1e-7,
            commit: 1e-4,
            commit_each: 3e-6,
            commit_wait: 1e-3,
        },
        link: LinkCosts {
            message: 1e-5,
            byte: 3e-10,
            seal_byte: 1e-9,
        },
        bytes: Bytes {
            message: 40.0,
            trajectory: 45.0,
            weights: 240_000.0,
            row: 70.0,
            report: 1000.0,
            report_each: 250.0,
        },
    };
    let path = dir.join("costs.json");
    costs.write(&path).unwrap();
    path
}

fn plan(costs: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = output::of(
        thermoflow()
            .args(["plan", CONFIG, "--costs"])
            .arg(costs)
            .args(arguments),
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    output.stdout
}

#[test]
fn a_plan_from_given_costs_is_the_same_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let costs = costs(dir.path());
    let arguments = ["--actors", "1,64", "--reward-ms", "50", "--cores", "2", "--json"];
    let json = plan(&costs, &arguments);
    assert_eq!(json, plan(&costs, &arguments));
    let plan: Value = serde_json::from_slice(&json).unwrap();
    let rate = |column: usize| {
        plan["plans"][column]["prediction"]["trajectories_per_second"]
            .as_f64()
            .unwrap()
    };
    // 32 rewards of 50 ms, and a roll-out of a millisecond.
    assert!((rate(0) / (32.0 / 1.601) - 1.0).abs() < 0.03, "{}", rate(0));
    assert!((rate(1) / 1280.0 - 1.0).abs() < 0.05, "{}", rate(1));
    assert_eq!(plan["plans"][1]["advice"]["limit"], "rewards");
}

#[test]
fn a_plan_is_a_table_with_the_limit_and_what_to_change() {
    let dir = tempfile::tempdir().unwrap();
    let costs = costs(dir.path());
    let cluster = [
        "--actors",
        "400",
        "--reward-ms",
        "1",
        "--nodes",
        "11",
        "--cores",
        "64",
        "--gbit",
        "10",
    ];
    let text = String::from_utf8(plan(&costs, &cluster)).unwrap();
    for part in [
        "11 machines with 64 cores each",
        "1 ms a reward",
        "a machine of a test",
        "trajectories a second",
        "the learner's link, to it",
        "limit                                 training",
        "Limit: the learner's training thread",
        "replay.samples_per_insert, now 2",
        "fewer actors",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn costs_are_measured_here_and_can_be_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("costs.json");
    let mut command = thermoflow();
    command.args(["plan", CONFIG, "--actors", "2", "--seconds", "1", "--json", "--dir"]);
    let output = output::of(command.arg(dir.path()).arg("--save-costs").arg(&file));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        plan["plans"][0]["prediction"]["trajectories_per_second"]
            .as_f64()
            .unwrap()
            > 1.0
    );
    let costs = Costs::read(&file).unwrap();
    let Costs {
        actor, learner, bytes, ..
    } = &costs;
    for (cost, value) in [
        ("roll_fresh", actor.roll_fresh),
        ("online", learner.online),
        ("replay", learner.replay),
        ("commit", learner.commit + learner.commit_each),
        ("weights", bytes.weights),
        ("row", bytes.row),
    ] {
        assert!(value > 0.0, "{cost} is {value}");
    }
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_real_run_is_shown_beside_its_plan() {
    let dir = tempfile::tempdir().unwrap();
    let costs = costs(dir.path());
    let dir = dir.path().to_str().unwrap();
    let check = [
        "--actors",
        "1",
        "--reward-ms",
        "2",
        "--check",
        "--check-seconds",
        "2",
        "--json",
        "--dir",
        dir,
    ];
    let plan: Value = serde_json::from_slice(&plan(&costs, &check)).unwrap();
    let measured = &plan["plans"][0]["measured"];
    let rate = measured["trajectories_per_second"].as_f64().unwrap();
    assert!(rate > 0.0 && rate <= 500.0, "2 ms each: {measured}");
    assert!(measured["disk_bytes_per_day"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_run_ends_with_what_limited_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = thermoflow();
    command.args(["train", CONFIG, "--actors", "1", "--rounds", "40", "--run-dir"]);
    let output = output::of(command.arg(dir.path().join("run")));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("\nLimit: the "), "{text}");
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = costs(dir.path());
    let costs = file.to_str().unwrap();
    let refused = |arguments: &[&str], expected: &[&str]| {
        assert_refused(&[&["plan", CONFIG, "--costs", costs], arguments].concat(), expected);
    };
    refused(&["--actors", "0"], &["--actors is 0", "1 to"]);
    refused(&["--actors", "4", "--nodes", "9"], &["9 nodes for 4 actors"]);
    refused(&["--actors", "4", "--reward-ms", "-1"], &["--reward-ms is -1", "0 to"]);
    refused(
        &["--actors", "4", "--nodes", "2", "--check"],
        &["--check trains on this machine"],
    );
    refused(&["--actors", "4", "--slow-actors", "5"], &["5 slow actors"]);
    refused(
        &["--actors", "4", "--set", "actor.batch=16"],
        &["actor_batch = 32", "has 16", "--save-costs"],
    );
    refused(
        &["--actors", "4", "--set", "train.mode=\"offline\""],
        &["offline training has no actors"],
    );
    assert_refused(&["plan", PROGRAM, "--actors", "1"], &["gc_content.py", "--reward-ms"]);
    std::fs::write(&file, "{}").unwrap();
    refused(&["--actors", "4"], &["holds no costs"]);
    let none = run(&["plan", CONFIG]);
    assert_eq!(none.status.code(), Some(2));
}
