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
