//! Training with real processes: runs that are left alone, killed, interrupted and resumed.

pub(super) use super::processes::{signal, wait_until};
use super::{assert_fails, assert_refused, output, thermoflow};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use thermoflow::checkpoint;
use thermoflow::metrics::{MetricsRow, jsonl};
use thermoflow::replay::Store;

pub(super) fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/tfbind8.toml")
}

/// `thermoflow train` into `run`, with a row per round and frequent checkpoints.
fn train(run: &Path, arguments: &[&str]) -> Command {
    let mut command = thermoflow();
    command.arg("train").arg(config()).arg("--run-dir").arg(run);
    command
        .args([
            "--set",
            "learner.report_every=1",
            "--set",
            "learner.checkpoint_every=10",
        ])
        .args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(super) fn finish(child: Child) -> Output {
    let output = output::of_child(child);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

pub(super) fn rows(run: &Path) -> Vec<MetricsRow> {
    jsonl::read(&run.join("metrics.jsonl")).unwrap_or_default()
}

/// The rows without what depends on the clock or on who did the work.
pub(super) fn comparable(run: &Path) -> Vec<MetricsRow> {
    let mut rows = rows(run);
    for row in &mut rows {
        (row.seconds, row.trajectories_per_second, row.waiting_for) = (0.0, None, Default::default());
        row.actors.clear();
    }
    rows
}

/// Child processes of `pid`, by the name of their program.
pub(super) fn children(pid: u32, program: &str) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
    pids.filter(|pid| command_line(*pid).contains(program)).collect()
}

pub(super) fn command_line(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

/// Every (round, place) once, every trajectory of every round.
pub(super) fn assert_whole(run: &Path, rounds: u64) {
    let store = Store::open_read_only(&run.join("replay.sqlite")).unwrap();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    for round in 0..rounds {
        let mut places: Vec<u32> = store
            .round_trajectories(round)
            .unwrap()
            .iter()
            .map(|r| r.trajectory.index)
            .collect();
        places.sort_unstable();
        assert_eq!(places, (0..32).collect::<Vec<_>>(), "round {round}");
    }
    assert_eq!(store.counts().unwrap().trajectories, rounds * 32);
}

#[test]
fn a_run_ends_with_everything_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let output = finish(train(&run, &["--rounds", "25"]).spawn().unwrap());
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "Finished after 25 of 25 rounds",
        "modes found",
        "thermoflow evaluate --checkpoint",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert_whole(&run, 25);
    let rows = rows(&run);
    assert_eq!(
        rows.iter().map(|row| row.round).collect::<Vec<_>>(),
        (1..=25).collect::<Vec<_>>()
    );
    assert!(rows.last().unwrap().loss_online < rows[0].loss_online);
    assert_eq!(checkpoint::latest(&run).unwrap().unwrap().checkpoint.trainer.round, 25);
    let exact = thermoflow()
        .args(["evaluate", "--exact", "--json", "--beta", "1", "--checkpoint"])
        .arg(&run)
        .output();
    let exact: serde_json::Value = serde_json::from_slice(&exact.unwrap().stdout).unwrap();
    assert!(exact["results"][0]["tv"].as_f64().unwrap() < 1.0);
}

#[test]
fn the_number_of_actors_does_not_change_what_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let draw = |actors: &str| {
        let run = dir.path().join(actors);
        finish(train(&run, &["--rounds", "6", "--actors", actors]).spawn().unwrap());
        let store = Store::open_read_only(&run.join("replay.sqlite")).unwrap();
        let mut first = store.round_trajectories(0).unwrap();
        first.sort_by_key(|received| received.trajectory.index);
        first
            .into_iter()
            .map(|received| received.trajectory)
            .collect::<Vec<_>>()
    };
    let (one, three) = (draw("1"), draw("3"));
    for (a, b) in one.iter().zip(&three) {
        assert_eq!((a.beta, &a.actions), (b.beta, &b.actions));
    }
}

#[test]
fn a_killed_actor_is_replaced_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let child = train(&run, &["--rounds", "150"]).spawn().unwrap();
    wait_until("the first rounds", || rows(&run).len() > 5);
    signal("-KILL", children(child.id(), "thermoflow-actor")[0]);
    finish(child);
    assert_whole(&run, 150);
}

#[test]
fn an_interrupted_and_resumed_run_has_the_rows_of_an_uninterrupted_one() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    finish(train(&whole, &["--rounds", "90", "--actors", "1"]).spawn().unwrap());

    // Ctrl-C.
    let child = train(&parts, &["--rounds", "90", "--actors", "1"]).spawn().unwrap();
    wait_until("the first rounds", || rows(&parts).len() > 15);
    signal("-INT", child.id());
    let text = String::from_utf8(finish(child).stdout).unwrap();
    assert!(text.contains("Stopped after") && text.contains("--resume"), "{text}");
    let stopped_at = rows(&parts).len();
    assert!(stopped_at < 90);

    // kill -9 of the learner.
    let child = train(&parts, &["--rounds", "90", "--actors", "1", "--resume"])
        .spawn()
        .unwrap();
    wait_until("further rounds", || rows(&parts).len() > stopped_at + 15);
    signal("-KILL", children(child.id(), "thermoflow-learner")[0]);
    assert_eq!(output::of_child(child).status.code(), Some(1));
    assert!(rows(&parts).len() < 90);

    finish(
        train(&parts, &["--rounds", "90", "--actors", "1", "--resume"])
            .spawn()
            .unwrap(),
    );
    assert_eq!(comparable(&whole), comparable(&parts));
    assert_whole(&parts, 90);
}

#[test]
fn nothing_outlives_a_killed_train() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let mut child = train(&run, &["--rounds", "100000"]).spawn().unwrap();
    wait_until("the first rounds", || rows(&run).len() > 5);
    let mut family = children(child.id(), "thermoflow-actor");
    family.extend(children(child.id(), "thermoflow-learner"));
    assert_eq!(family.len(), 3);
    signal("-KILL", child.id());
    child.wait().unwrap();
    wait_until("the children to end", || {
        family.iter().all(|&pid| !command_line(pid).contains("thermoflow"))
    });
    // And the run can be gone on with.
    let at = checkpoint::latest(&run).unwrap().unwrap().checkpoint.trainer.round;
    let rounds = (at + 3).to_string();
    finish(train(&run, &["--rounds", &rounds, "--resume"]).spawn().unwrap());
}

#[test]
fn async_runs_keep_every_trajectory_once() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    finish(
        train(&run, &["--rounds", "60", "--set", "train.mode=\"async\""])
            .spawn()
            .unwrap(),
    );
    let store = Store::open_read_only(&run.join("replay.sqlite")).unwrap();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    assert!(store.counts().unwrap().trajectories >= 60 * 32);
    assert_eq!(rows(&run).last().unwrap().round, 60);
}

#[test]
fn an_actor_may_join_late_and_needs_only_the_address() {
    let dir = tempfile::tempdir().unwrap();
    let (run, address) = (dir.path().join("run"), dir.path().join("address"));
    let mut learner = thermoflow();
    learner
        .arg("learner")
        .arg(config())
        .arg("--run-dir")
        .arg(&run)
        .arg("--address-file")
        .arg(&address);
    learner
        .args(["--rounds", "20"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let learner = learner.spawn().unwrap();
    let mut text = String::new();
    wait_until("the address", || {
        text = std::fs::read_to_string(&address).unwrap_or_default();
        !text.is_empty()
    });
    let actor = thermoflow()
        .args(["actor", "--connect", text.trim()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    finish(learner);
    finish(actor);
    assert_whole(&run, 20);
}

#[test]
fn training_that_comes_apart_stops_with_advice_and_keeps_what_it_could_not_train_on() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let output = train(
        &run,
        &[
            "--set=train.mode=\"offline\"",
            "--set=optimizer.policy_lr=1e30",
            "--set=learner.max_skipped=5",
        ],
    )
    .output()
    .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for part in [
        "not finite in 5 gradient steps in a row",
        "learner.max_skipped",
        "optimizer.policy_lr",
    ] {
        assert!(stderr.contains(part), "{part:?} is not in {stderr}");
    }
    let kept: Vec<_> = std::fs::read_dir(run.join("skipped"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!kept.is_empty());
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/logit_tb_s1.safetensors");
    let mut score = thermoflow();
    score
        .args(["score", "--json", "--task", "tfbind8", "--input"])
        .arg(&kept[0])
        .arg("--checkpoint")
        .arg(weights);
    finish(score.stdout(Stdio::piped()).spawn().unwrap());
}

#[test]
fn run_directories_are_guarded() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    finish(train(&run, &["--rounds", "3"]).spawn().unwrap());
    let (run, config) = (run.to_str().unwrap(), config());
    let config = config.to_str().unwrap();
    let train = |arguments: &[&str], expected: &[&str]| {
        let all = [&["train", config, "--run-dir", run, "--rounds", "3"], arguments].concat();
        assert_refused(&all, expected);
    };
    train(&[], &[run, "--resume"]);
    train(&["--resume", "--set", "train.epsilon=0.5"], &["epsilon"]);
    assert_refused(&["train", config, "--actors", "0"], &["0"]);
    assert_refused(&["train", config, "--resume"], &["--run-dir"]);
    assert_fails(&["train", config, "--run-dir", "/dev/null/run"], 2, &["/dev/null/run"]);
    let foreign = dir.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("letter.txt"), "dear").unwrap();
    assert_refused(&["train", config, "--run-dir", foreign.to_str().unwrap()], &["foreign"]);
    assert_eq!(
        std::fs::read_dir(&foreign).unwrap().count(),
        1,
        "nothing was written there"
    );
}

#[test]
fn addresses_are_guarded() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("tcp://{}", taken.local_addr().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let (run, config) = (run.to_str().unwrap(), config());
    let learner = ["learner", config.to_str().unwrap(), "--run-dir", run, "--bind"];
    assert_fails(&[&learner[..], &[&taken]].concat(), 2, &[&taken["tcp://".len()..]]);
    assert_refused(&[&learner[..], &["tcp://0.0.0.0:0"]].concat(), &["0.0.0.0", "key"]);
    assert!(!Path::new(run).exists(), "nothing half-written");
}
