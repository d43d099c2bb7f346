//! A run whose objects a TorchScript model scores, with programs that have no libtorch until they need it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tch::{CModule, Device, Kind, Tensor};

/// Strings of up to three of two letters: six features.
const CONFIG: &str = r#"
[task]
name = "sequence"
alphabet = "AB"
length = 3
model = "oracle.pt"

[train]
rounds = 3
batch = 8
"#;

/// A program beside the one that this package builds, as a user starts it.
fn program(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_BIN_EXE_thermoflow-torch")).with_file_name(name))
}

fn good(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A model that gives 1, 2, 4 … for each letter by its place, with a configuration beside it.
fn model(directory: &Path) -> PathBuf {
    let weights = Tensor::from_slice(&[1f32, 2.0, 4.0, 8.0, 16.0, 32.0]);
    let input = Tensor::zeros([2, 6], (Kind::Float, Device::Cpu));
    let mut forward = |inputs: &[Tensor]| vec![inputs[0].matmul(&weights)];
    let model = CModule::create_by_tracing("Oracle", "forward", &[input], &mut forward).unwrap();
    model.save(directory.join("oracle.pt")).unwrap();
    let config = directory.join("run.toml");
    std::fs::write(&config, CONFIG).unwrap();
    config
}

#[test]
fn a_model_scores_a_run_and_what_asks_about_it_later() {
    let directory = tempfile::tempdir().unwrap();
    let (config, run) = (model(directory.path()), directory.path().join("run"));
    let mut train = program("thermoflow");
    train
        .arg("train")
        .arg(&config)
        .args(["--actors", "1", "--run-dir"])
        .arg(&run);
    good(train.output().unwrap());

    let mut best = program("thermoflow");
    best.args(["replay", "query"]).arg(&run);
    best.args(["SELECT x, y FROM objects ORDER BY x", "--json"]);
    let rows = good(best.output().unwrap());
    assert!(!rows.is_empty());
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let letters = row["x"].as_str().unwrap().bytes().enumerate();
        let score = |(place, letter)| f64::from(1u32 << (2 * place + usize::from(letter == b'B')));
        assert_eq!(row["y"].as_f64(), Some(letters.map(score).sum()), "{row}");
    }

    let mut verify = program("thermoflow");
    verify.args(["replay", "verify", "--rescore", "100%"]).arg(&run);
    let verdict = good(verify.output().unwrap());
    let scores = verdict.lines().find(|line| line.contains("scores of objects")).unwrap();
    assert!(scores.contains(" ok "), "{verdict}");
}
