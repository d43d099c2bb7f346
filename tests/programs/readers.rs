//! Our files, read by the programs that others would read them with: TensorBoard, Python's safetensors and sqlite3.
//!
//! Needs `.venv-test` (`make test` makes it); says aloud that it is skipped otherwise.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use thermoflow::checkpoint::{Checkpoint, TrainerState, decode_policy};
use thermoflow::metrics::{ActorCount, EventWriter, MetricsRow};
use thermoflow::optimizer::AdamState;
use thermoflow::replay::{Received, Store};
use thermoflow::rollout::Trajectory;
use thermoflow::units::{Incarnation, PolicyVersion, Seq};

/// The Python for tests; None, said aloud, where there is none.
pub(super) fn python_for_tests() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv-test/bin/python");
    if !python.is_file() {
        eprintln!(
            "SKIPPED: there is no {} to read our files with; `make test` makes it",
            python.display()
        );
        return None;
    }
    Some(python)
}

/// What a Python script prints, as JSON; None where there is no Python for tests.
fn python(script: &str, arguments: &[&Path]) -> Option<serde_json::Value> {
    let output = Command::new(python_for_tests()?)
        .arg("-c")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stderr}");
    Some(serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}")))
}

fn row(round: u64, modes: u64) -> MetricsRow {
    let name = "left".to_owned();
    MetricsRow {
        round,
        modes,
        loss_online: Some(f64::from(1u8) / round as f64),
        actors: vec![ActorCount {
            name,
            trajectories: 32 * round,
            ..ActorCount::default()
        }],
        ..MetricsRow::default()
    }
}

const READ_EVENTS: &str = "
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={'tensors': 0, 'scalars': 0}).Reload()
print(json.dumps({tag: [[e.step, e.wall_time, e.value] for e in events.Scalars(tag)] for tag in events.Tags()['scalars']}))
";

#[test]
fn tensorboard_reads_the_series_of_a_run_and_of_its_resume() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = EventWriter::create(dir.path(), 1000.0, 1).unwrap();
    for round in 1..=6 {
        first.append(&row(round, round), 1000.0 + round as f64).unwrap();
    }
    // Resumed from a checkpoint after round 3, more slowly: rounds 4 to 6 of the first session are no more.
    let mut second = EventWriter::create(dir.path(), 2000.0, 4).unwrap();
    second.append(&row(4, 40), 2004.0).unwrap();
    let Some(read) = python(READ_EVENTS, &[dir.path()]) else {
        return;
    };
    let modes: Vec<(u64, f64, f64)> = serde_json::from_value(read["modes"].clone()).unwrap();
    assert_eq!(
        modes,
        [(1, 1001.0, 1.0), (2, 1002.0, 2.0), (3, 1003.0, 3.0), (4, 2004.0, 40.0)]
    );
    let mut tags: Vec<_> = read.as_object().unwrap().keys().cloned().collect();
    tags.sort();
    let mut expected: Vec<_> = row(1, 1).series().into_iter().map(|(name, _)| name).collect();
    expected.sort();
    assert_eq!(tags, expected, "the same series as in metrics.jsonl");
}

const COMPARE_TENSORS: &str = "
import json, sys
import numpy
from pathlib import Path
from safetensors import safe_open

def tensors(path):
    with safe_open(path, 'numpy') as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()

ours, metadata = tensors(Path(sys.argv[1]) / 'policy.safetensors')
golden, _ = tensors(sys.argv[2])
adam, step = tensors(Path(sys.argv[1]) / 'optimizer.safetensors')

def torch_agrees():
    try:
        from safetensors.torch import load_file
    except ImportError:
        return None
    loaded = load_file(Path(sys.argv[1]) / 'policy.safetensors')
    return all(numpy.array_equal(loaded[name].numpy(), ours[name]) for name in ours)

print(json.dumps({
    'torch_agrees': torch_agrees(),
    'same_names': sorted(ours) == sorted(golden),
    'same_values': all(numpy.array_equal(ours[name], golden[name]) for name in golden),
    'adam_names': sorted(adam) == sorted(name + end for name in golden for end in ('.exp_avg', '.exp_avg_sq')),
    'adam_shapes': all(adam[name + '.exp_avg'].shape == golden[name].shape for name in golden),
    'step': step['step'], 'task': metadata['task'], 'conditioning': json.loads(metadata['spec'])['conditioning'],
}))
";

#[test]
fn safetensors_reads_a_checkpoint_with_the_names_and_shapes_of_the_published_code() {
    for conditioning in ["unconditional", "logit", "layer", "layer-thermometer", "logit-layer"] {
        let file = format!("tests/golden/{conditioning}_tb_s1.safetensors");
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let policy = decode_policy(&std::fs::read(&golden).unwrap(), &golden, None)
            .unwrap()
            .parameters;
        let mut optimizer = AdamState::new(policy.values.len());
        optimizer.step = 12;
        let (task, trainer) = ("tfbind8".to_owned(), TrainerState::default());
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint {
            task,
            policy,
            optimizer,
            trainer,
        };
        let written = checkpoint.write(dir.path()).unwrap();
        let Some(mut read) = python(COMPARE_TENSORS, &[&written, &golden]) else {
            return;
        };
        match read["torch_agrees"].take() {
            serde_json::Value::Null => eprintln!("SKIPPED: safetensors.torch, there is no PyTorch in .venv-test"),
            agrees => assert_eq!(agrees, true, "safetensors.torch.load_file"),
        }
        read.as_object_mut().unwrap().remove("torch_agrees");
        let expected = serde_json::json!({
            "same_names": true, "same_values": true, "adam_names": true, "adam_shapes": true,
            "step": "12", "task": "tfbind8", "conditioning": conditioning,
        });
        assert_eq!(read, expected);
    }
}

const READ_REPLAY: &str = "
import json, sqlite3, sys
replay = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)
rows = replay.execute('SELECT actor, seq, round, x, y, log_pf, beta, trainable, actions FROM replay ORDER BY seq')
print(json.dumps([[*row[:-1], list(row[-1])] for row in rows]))
";

#[test]
fn sqlite_reads_the_replay_while_the_learner_has_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay.sqlite");
    let mut store = Store::open(&path).unwrap();
    let received = |seq: u64, object: &str, y: f32| Received {
        incarnation: Incarnation(7),
        actor_name: Arc::from("left"),
        seq: Seq(seq),
        staleness: 1,
        received_us: 5,
        trainable: seq == 0,
        trajectory: Trajectory {
            beta: 1.5,
            actions: vec![3, 200],
            y,
            log_reward: 0.5,
            log_pf: -2.25,
            policy_version: PolicyVersion(3),
            round: 4,
            index: seq as u32,
        },
        object: object.into(),
    };
    store
        .commit(&[received(0, "AC", 0.5), received(1, "AC", 0.75)])
        .unwrap();
    let Some(read) = python(READ_REPLAY, &[&path]) else {
        return;
    };
    let expected = serde_json::json!([
        ["left", 0, 4, "AC", 0.5, -2.25, 1.5, 1, [3, 0xc8, 1]],
        ["left", 1, 4, "AC", 0.75, -2.25, 1.5, 0, [3, 0xc8, 1]],
    ]);
    assert_eq!(read, expected);
}
