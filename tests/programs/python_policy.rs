//! `examples/python/sample_policy.py`: the same log P_F as `thermoflow score`.

use super::python_examples::{
    assert_alike, assert_quiet_without_a_reader, evaluated, printed, python_with, script, trained,
};
use super::thermoflow;
use serde_json::Value;
use std::path::{Path, PathBuf};
use thermoflow::checkpoint::{Checkpoint, TrainerState, decode_policy};
use thermoflow::env::Sizes;
use thermoflow::optimizer::AdamState;
use thermoflow::policy::{Conditioning, Layout, LogitScale, Parameters, Parity, PolicySpec};

/// The program gives trajectories the log P_F that the example gave them.
fn assert_scored_alike(checkpoint: &Path, found: &Value) {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("trajectories.json");
    std::fs::write(&input, found.to_string()).unwrap();
    let mut command = thermoflow();
    command
        .args(["score", "--json", "--checkpoint"])
        .arg(checkpoint)
        .arg("--input")
        .arg(input);
    let scored: Value = serde_json::from_str(&printed(&mut command)).unwrap();
    assert_alike(&found["log_pf"], &scored["log_pf"], 1e-5);
}

/// A checkpoint of these weights.
fn written(policy: Parameters, run: &Path) -> PathBuf {
    let checkpoint = Checkpoint {
        task: "tfbind8".into(),
        optimizer: AdamState::new(policy.values.len()),
        policy,
        trainer: TrainerState::default(),
    };
    checkpoint.write(run).unwrap()
}

/// Checkpoints of published weights of every conditioning, and of untrained ones with everything that is ours.
fn checkpoints(dir: &Path) -> Vec<PathBuf> {
    let golden = ["unconditional", "logit", "layer", "layer-thermometer", "logit-layer"].map(|conditioning| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{conditioning}_tb_s1.safetensors"));
        let policy = decode_policy(&std::fs::read(&file).unwrap(), &file, None).unwrap();
        written(policy.parameters, &dir.join(conditioning))
    });
    let own = [Conditioning::LogitLayer, Conditioning::LayerThermometer].map(|conditioning| {
        let spec = PolicySpec {
            parity: Parity::Improved,
            logit_scale: LogitScale::Positive,
            beta_limit: Some(4.0),
            edge_offset: true,
            ..PolicySpec::published(conditioning)
        };
        let policy = Parameters::initial(
            Layout::new(
                &spec,
                Sizes {
                    features: 32,
                    actions: 8,
                },
            ),
            7,
        );
        written(policy, &dir.join(format!("own {conditioning:?}")))
    });
    golden.into_iter().chain(own).collect()
}

/// For each checkpoint, trajectories with the log P_F of the example: those of a golden/*.json, whose letters are digits,
/// and sampled ones. And how many standard deviations the log P_F of the sampled steps is off its expectation.
const TRAJECTORIES: &str = "
import json, sys
from pathlib import Path
import torch
from sample_policy import Policy

def trajectories(checkpoint):
    policy = Policy(Path(checkpoint) / 'policy.safetensors', '0123')
    golden = json.loads(Path(sys.argv[1]).read_text())
    betas = torch.tensor([0.5, 3.0, 40.0]).repeat(80)
    torch.manual_seed(1)
    walks = policy.sample(betas)
    paths = [path['states'] for path in golden['trajectories']] + walks
    beta = golden['beta'] + betas.tolist()
    log_pf = [policy.log_prob(path, b) for path, b in zip(paths, beta)]
    return {'beta': beta, 'trajectories': [{'states': path} for path in paths], 'log_pf': log_pf,
            'off': off(policy, walks, betas.repeat_interleave(policy.length))}

def off(policy, walks, betas):
    steps = [pair for walk in walks for pair in zip(walk, walk[1:])]
    children, log_p = policy.log_probs([state for state, _ in steps], betas)
    chosen = torch.stack([row[some.index(child)] for row, some, (_, child) in zip(log_p, children, steps)])
    p, finite = log_p.exp(), log_p.clamp(min=-1e3)
    expected = (p * finite).sum(1)
    variance = (p * (finite - expected[:, None]) ** 2).sum()
    return float((chosen - expected).sum() / variance.sqrt())

print(json.dumps([trajectories(checkpoint) for checkpoint in sys.argv[2:]]))
";

#[test]
fn sample_policy_has_the_probabilities_of_the_program() {
    let Some(python) = python_with("torch, safetensors") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/logit_tb_s1.json");
    let checkpoints = checkpoints(dir.path());
    let arguments: Vec<&Path> = [&golden]
        .into_iter()
        .chain(&checkpoints)
        .map(PathBuf::as_path)
        .collect();
    let found = evaluated(&python, TRAJECTORIES, &arguments);
    for (checkpoint, found) in checkpoints.iter().zip(found.as_array().unwrap()) {
        eprintln!("{}: {} standard deviations off", checkpoint.display(), found["off"]);
        assert_scored_alike(checkpoint, found);
        assert!(found["off"].as_f64().unwrap().abs() < 4.0);
    }
}

#[test]
fn sample_policy_prints_what_the_program_scores_alike() {
    let Some(python) = python_with("torch, safetensors") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    trained(&run, &["--set", "task.growth=\"append-only\"", "--set", "task.words=3"]);
    let checkpoint = thermoflow::checkpoint::latest(&run).unwrap().unwrap().path;
    let mut command = script(&python, "sample_policy.py", &[checkpoint.to_str().unwrap()]);
    command.args([
        "--growth",
        "append-only",
        "--words",
        "3",
        "--json",
        "-n",
        "10",
        "--beta",
        "0.5",
        "2",
        "40",
    ]);
    let sampled: Value = serde_json::from_str(&printed(&mut command)).unwrap();
    assert_eq!(sampled["trajectories"].as_array().unwrap().len(), 30);
    assert_scored_alike(&run, &sampled);
    assert_quiet_without_a_reader(command);
}
