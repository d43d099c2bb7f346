//! Bad input: one clear line, the right exit code. And the small commands on good input.

use super::{assert_fails, assert_refused, output, run, thermoflow};
use std::path::Path;
use std::process::Stdio;

fn file(dir: &Path, name: &str, content: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().into()
}

#[test]
fn rewards_are_the_published_scores() {
    // The best 8-mer and its reverse complement score 1; digits are letters' numbers.
    let output = run(&["reward", "--task", "tfbind8", "GATTACAA", "20330100"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "x,y");
    let y = |line: &str| line.split_once(',').unwrap().1.parse::<f64>().unwrap();
    assert_eq!(y(lines[1]), y(lines[2]), "GATTACAA is 20330100");
}

#[test]
fn objects_that_are_none_are_refused() {
    for (object, expected) in [("GATTACAX", "'X'"), ("GATTACAAA", "at most 8"), ("GAT", "8 are needed")] {
        assert_refused(&["reward", "--task", "tfbind8", object], &[object, expected]);
    }
    assert_refused(&["reward", "--task", "tfbnd8", "GATTACAA"], &["tfbnd8", "tfbind8"]);
}

#[test]
fn a_bad_line_of_a_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let objects = file(dir.path(), "objects", "GATTACAA\nACGT\nAAAAAAAA\n");
    assert_refused(
        &["reward", "--task", "tfbind8", "--input", &objects],
        &["line 2", "ACGT"],
    );
}

#[test]
fn damaged_tables_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("empty", ""),
        ("short", "8-mer\t8-mer\tE-score\nAAAAAAAA\tTTTTTTTT\t0.1\n"),
    ] {
        let table = file(dir.path(), name, content);
        assert_refused(&["reward", "--task", "tfbind8", "--table", &table, "GATTACAA"], &[name]);
    }
}

#[test]
fn configurations_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let config = file(dir.path(), "a.toml", "[task]\nname = \"tfbind8\"\n[train]\nrouns = 3\n");
    assert_refused(&["config", "check", &config], &["rouns", "train.rounds", "4"]);
    let good = file(dir.path(), "b.toml", "[task]\nname = \"tfbind8\"\n");
    for (set, expected) in [
        ("train.epsilon=2", "epsilon"),
        ("train.explore.min=-1", "min"),
        ("train.beta={kind=\"uniform\",min=3,max=1}", "min"),
        ("train.rounds=0", "rounds"),
        ("replay.error_band=1", "error_band"),
        ("policy.hiden=3", "policy.hidden"),
        ("train.rounds", "train.rounds"),
    ] {
        assert_refused(&["config", "check", &good, "--set", set], &[expected]);
    }
    assert!(run(&["config", "check", &good]).status.success());
    assert_refused(&["config", "check", "no-such-file.toml"], &["no-such-file.toml"]);
}

#[test]
fn checkpoints_that_are_none_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = file(dir.path(), "foreign.safetensors", "this is no checkpoint");
    for checkpoint in [foreign.as_str(), "no/such/checkpoint"] {
        assert_refused(&["sample", "--checkpoint", checkpoint, "--beta", "1"], &[checkpoint]);
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/logit_tb_s1.safetensors");
    let bytes = std::fs::read(&golden).unwrap();
    let damaged = dir.path().join("damaged.safetensors");
    std::fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    assert_refused(
        &["evaluate", "--checkpoint", damaged.to_str().unwrap()],
        &["damaged.safetensors"],
    );
    // A tensor of another name: same length, so that the header stays readable.
    let renamed = bytes.windows(12).position(|name| name == b"log_z.0.bias").unwrap();
    let mut bytes = bytes;
    bytes[renamed..renamed + 12].copy_from_slice(b"log_y.0.bias");
    let foreign = dir.path().join("renamed.safetensors");
    std::fs::write(&foreign, bytes).unwrap();
    assert_refused(&["evaluate", "--checkpoint", foreign.to_str().unwrap()], &["log_"]);
}

#[test]
fn betas_and_counts_are_checked() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/logit_tb_s1.safetensors");
    let golden = golden.to_str().unwrap();
    for beta in ["0", "-1", "nan", "x"] {
        assert_refused(
            &["sample", "--checkpoint", golden, &format!("--beta={beta}")],
            &["beta"],
        );
    }
    assert_refused(&["sample", "--checkpoint", golden, "--beta=1", "-n", "0"], &["0"]);
    assert_fails(
        &["sample", "--checkpoint", golden, "--beta=1", "--device", "cuda:99"],
        2,
        &["cuda:99", "not available"],
    );
}

#[test]
fn trajectories_that_are_none_are_refused() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/logit_tb_s1.safetensors");
    let dir = tempfile::tempdir().unwrap();
    for (name, content, expected) in [
        ("a.json", "{", "a.json"),
        ("b.json", r#"{"beta": [1.0], "trajectories": []}"#, "no trajectories"),
        (
            "c.json",
            r#"{"beta": [1.0], "trajectories": [{"states": ["", "A", "GA", "C"]}]}"#,
            "does not follow",
        ),
        (
            "d.json",
            r#"{"beta": [1.0, 2.0], "trajectories": [{"states": [""]}]}"#,
            "one β",
        ),
    ] {
        let input = file(dir.path(), name, content);
        assert_refused(
            &["score", "--checkpoint", golden.to_str().unwrap(), "--input", &input],
            &[expected],
        );
    }
}

#[test]
fn samples_repeat_with_their_seed_and_a_reader_may_leave() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/logit_tb_s1.safetensors");
    let sample = |seed: &str| {
        let golden = golden.to_str().unwrap();
        let output = run(&[
            "sample",
            "--checkpoint",
            golden,
            "--beta",
            "2",
            "-n",
            "1500",
            "--seed",
            seed,
        ]);
        assert!(output.status.success());
        output.stdout
    };
    assert_eq!(sample("1"), sample("1"));
    assert_ne!(sample("1"), sample("2"));
    assert_eq!(
        sample("1")
            .split(|&b| b == b'\n')
            .filter(|line| !line.is_empty())
            .count(),
        1501
    );

    let mut child = thermoflow()
        .args([
            "sample",
            "--checkpoint",
            golden.to_str().unwrap(),
            "--beta",
            "2",
            "-n",
            "200000",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = output::of_child(child);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_configuration_of_the_project_is_accepted() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let folders = [configs.clone(), configs.join("objectives"), configs.join("bench")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        let output = run(&["config", "check", path.to_str().unwrap()]);
        let message = String::from_utf8_lossy(&output.stderr);
        // Data that users fetch need not be here; then the message says how to get it.
        let accepted = output.status.success() || message.contains("thermoflow data import");
        assert!(accepted, "{}: {message}", path.display());
    }
}

#[test]
fn bench_reports_a_rate() {
    let gfnx = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/bench/tfbind8-gfnx.toml");
    for work in ["rollout", "train", "round"] {
        for config in [&[][..], &["--config", gfnx]] {
            let output = run(&[&["bench", work, "--seconds", "0.2", "--json"], config].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert!(report["trajectories_per_second"].as_f64().unwrap() > 0.0, "{report}");
        }
    }
}

#[test]
fn bench_replay_measures_what_it_makes_and_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let bench = |arguments: &[&str]| {
        let output = run(&[&["bench", "replay"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let run = place("run");
    assert_eq!(bench(&["--make", "3000", "--out", &run]), b"");
    let brief = ["--runs", "1", "--seconds", "0.1", "--json", "--dir"];
    let brief = [&brief[..], &[dir.path().to_str().unwrap()]].concat();
    for what in [&[&*run][..], &["--make", "3000"]] {
        let report: serde_json::Value = serde_json::from_slice(&bench(&[&brief[..], what].concat())).unwrap();
        assert_eq!(report["trajectories"], 3000);
        let questions = report["questions"].as_array().unwrap();
        assert!(questions.iter().any(|one| one["question"] == "summary") && questions.len() > 5);
        for one in questions {
            assert!(one["seconds"].as_f64().unwrap() > 0.0 && one["peak_bytes"].as_u64().unwrap() > 1 << 20);
        }
        assert!(report["writer"]["alone"].as_f64().unwrap() > 0.0);
        assert_eq!(report["writer"]["beside"].as_array().unwrap().len(), 2);
    }
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["run"], "what was written for the time of the bench is gone");
    assert_refused(
        &["bench", "replay", &run, "--make", "5"],
        &["--make", "cannot be used with"],
    );
    assert_refused(&["bench", "replay", "--make", "5", "--out", &run], &["run"]);
}
