//! `examples/python` on a run of ours: the same counts as in the database, the same log P_F as `thermoflow score`.
//!
//! Needs `.venv-test` (`make test` makes it); says aloud what is skipped where it, or a package in it, is not there.

use super::readers::python_for_tests;
use super::{thermoflow, train};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use thermoflow::checkpoint::{Checkpoint, TrainerState, decode_policy};
use thermoflow::optimizer::AdamState;
use thermoflow::policy::{Conditioning, Layout, LogitScale, Parameters, Parity, PolicySpec};
use thermoflow::replay::{Received, Store};

/// The folder of the examples.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python")
}

/// A Python that can import these packages; None, said aloud, where there is none.
fn python_with(packages: &str) -> Option<PathBuf> {
    let python = python_for_tests()?;
    let script = format!("import {packages}");
    let output = Command::new(&python).args(["-c", &script]).output().unwrap();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let reason = stderr.lines().last().unwrap_or_default();
        eprintln!(
            "SKIPPED: an example in Python, {} cannot do {script:?}: {reason}",
            python.display()
        );
        return None;
    }
    Some(python)
}

/// What a Python program prints when it is well.
fn printed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// The JSON that lines of Python print, on one thread (on a busy machine several take 40 times as long); they can import the examples, and find `arguments` from `sys.argv[1]` on.
fn evaluated(python: &Path, script: &str, arguments: &[&Path]) -> Value {
    let mut command = Command::new(python);
    command
        .env("PYTHONPATH", examples())
        .env("OMP_NUM_THREADS", "1")
        .args(["-c", script])
        .args(arguments);
    let text = printed(&mut command);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A short run.
fn trained(run: &Path, arguments: &[&str]) {
    let mut command = thermoflow();
    command
        .arg("train")
        .arg(train::config())
        .args(["--rounds", "25", "--run-dir"])
        .arg(run)
        .args(arguments);
    printed(&mut command);
}

/// Everything that the replay of a short run holds.
fn received(database: &Path) -> Vec<Received> {
    let store = Store::open_read_only(database).unwrap();
    (0..25)
        .flat_map(|round| store.round_trajectories(round).unwrap())
        .collect()
}

/// Two tables with the same rows, but for rounding.
fn assert_alike(one: &Value, other: &Value, tolerance: f64) {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{one:?} {other:?}");
            one.iter().zip(other).for_each(|(a, b)| assert_alike(a, b, tolerance));
        }
        (Value::Object(one), Value::Object(other)) => {
            assert_eq!(one.len(), other.len(), "{one:?} {other:?}");
            one.iter()
                .for_each(|(key, value)| assert_alike(value, &other[key], tolerance));
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            assert!((one - other).abs() <= tolerance, "{one} is not {other}");
        }
        (one, other) => assert_eq!(one, other),
    }
}

/// Σ over the rows of a table: the trajectories of each, times `column` where one is named.
fn total(table: &Value, column: Option<&str>) -> f64 {
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap_or_else(|| panic!("no {name} in {row}"));
    let rows = table.as_array().unwrap().iter();
    rows.map(|row| number(row, "trajectories") * column.map_or(1.0, |name| number(row, name)))
        .sum()
}

const TABLES_OF_A_RUN: &str = "
import json, sys
from pathlib import Path
import pandas, polars, read_run
database = Path(sys.argv[1])
by_pandas = read_run.tables_with_pandas(read_run.read_replay(database, pandas))
by_polars = read_run.tables_with_polars(read_run.read_replay(database, polars))
print(json.dumps([{title: table.to_dict('records') for title, table in by_pandas.items()},
                  {title: table.to_dicts() for title, table in by_polars.items()}]))
";

#[test]
fn read_run_tells_and_draws_what_the_database_holds() {
    let Some(python) = python_with("pandas, polars, matplotlib") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    // A name that a URI must escape.
    let run = dir.path().join("run #1?");
    trained(&run, &[]);
    let database = run.join("replay.sqlite");
    let before = std::fs::read(&database).unwrap();
    let (received, store) = (received(&database), Store::open_read_only(&database).unwrap());
    let (trajectories, distinct) = (received.len(), store.counts().unwrap().objects as usize);
    drop(store);

    for library in ["pandas", "polars"] {
        let image = dir.path().join(library).with_extension("png");
        let mut command = Command::new(&python);
        command
            .arg(examples().join("read_run.py"))
            .arg(&run)
            .args(["--with", library, "--out"])
            .arg(&image);
        let text = printed(&mut command);
        let first = format!("{trajectories} trajectories, {distinct} distinct x, ");
        assert!(text.starts_with(&first), "{first}: {text}");
        assert!(std::fs::read(&image).unwrap().starts_with(b"\x89PNG"));
    }

    let tables = evaluated(&python, TABLES_OF_A_RUN, &[&database]);
    assert_alike(&tables[0], &tables[1], 1e-9);
    let sum_y: f64 = received.iter().map(|r| f64::from(r.trajectory.y)).sum();
    for table in ["by β", "over time"] {
        let table = &tables[0][table];
        assert_eq!(total(table, None), trajectories as f64);
        assert!((total(table, Some("duplicates")) - (trajectories - distinct) as f64).abs() < 1e-6);
        assert!((total(table, Some("mean_y")) - sum_y).abs() < 1e-3);
    }
    let best = received.iter().map(|r| r.trajectory.y).fold(f32::MIN, f32::max);
    assert_alike(&tables[0]["best x"][0]["y"], &best.into(), 1e-6);
    assert!(std::fs::read(&database).unwrap() == before, "the database is as it was");
}

#[test]
fn read_run_refuses_what_is_no_run_in_one_line() {
    let Some(python) = python_with("pandas, polars") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text.sqlite");
    std::fs::write(&text, "not a database, but long enough to be looked at as one would be").unwrap();
    for (path, expected) in [
        (dir.path(), "not a run, there is no"),
        (&text, "file is not a database"),
    ] {
        for library in ["pandas", "polars"] {
            let mut command = Command::new(&python);
            command
                .arg(examples().join("read_run.py"))
                .arg(path)
                .args(["--with", library]);
            let Output { status, stderr, .. } = command.output().unwrap();
            let stderr = String::from_utf8(stderr).unwrap();
            assert_eq!(status.code(), Some(1), "{stderr}");
            assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{stderr}");
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
        }
    }
}

const TABLES_OF_PARQUET: &str = "
import json, math, sys
from pathlib import Path
import read_parquet
question = read_parquet.Question(0, math.inf, -math.inf, 0.25)
by_polars = read_parquet.ask_polars([Path(sys.argv[1])], question)
by_pyarrow = read_parquet.ask_pyarrow([Path(sys.argv[1])], question)
print(json.dumps([{title: table.to_dicts() for title, table in by_polars.items()},
                  {title: table.to_pylist() for title, table in by_pyarrow.items()}], default=str))
";

#[test]
fn read_parquet_tells_what_was_exported() {
    // Older polars, which is all that there is for Python 3.9, does not know the order of floats that our files name.
    let packages = "pandas, pyarrow, polars; assert polars.__version__ >= '2', 'polars is older than 2.0'";
    let Some(python) = python_with(packages) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (run, file) = (dir.path().join("run"), dir.path().join("a.parquet"));
    trained(&run, &[]);
    printed(
        thermoflow()
            .args(["replay", "export"])
            .arg(&run)
            .arg("--out")
            .arg(&file),
    );
    for library in ["polars", "pyarrow"] {
        let mut command = Command::new(&python);
        command
            .arg(examples().join("read_parquet.py"))
            .arg(&file)
            .args(["--with", library]);
        assert!(printed(&mut command).starts_with("by β"));
    }
    let tables = evaluated(&python, TABLES_OF_PARQUET, &[&file]);
    let (polars, pyarrow) = (&tables[0], &tables[1]);
    assert_alike(&polars["by β"], &pyarrow["by β"], 1e-5);
    let received = received(&run.join("replay.sqlite"));
    assert_eq!(total(&polars["by β"], None), received.len() as f64);
    let sum_y: f64 = received.iter().map(|r| f64::from(r.trajectory.y)).sum();
    assert!((total(&polars["by β"], Some("mean_y")) - sum_y).abs() < 1e-2);
    // Names and actions of the best, from both libraries, are those of a trajectory in the database.
    for best in [&polars["best"][0], &pyarrow["best"][0]] {
        let is_best = |r: &Received| {
            let actions = serde_json::json!(r.trajectory.actions);
            best["x"] == *r.object && best["actor"] == *r.actor_name && best["actions"] == actions
        };
        assert!(received.iter().any(is_best), "{best}");
    }
}

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
        let policy = Parameters::initial(Layout::new(&spec, 32), 7);
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
    trained(&run, &["--set", "task.growth=\"append-only\""]);
    let checkpoint = thermoflow::checkpoint::latest(&run).unwrap().unwrap().path;
    let mut command = Command::new(&python);
    command.arg(examples().join("sample_policy.py")).arg(checkpoint);
    command.args([
        "--growth",
        "append-only",
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
}
