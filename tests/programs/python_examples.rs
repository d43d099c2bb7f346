//! `examples/python` on a run of ours: the same counts as in the database. The example of a policy is in python_policy.rs.
//!
//! Needs `.venv-test` (`make test` makes it); says aloud what is skipped where it, or a package in it, is not there.

use super::readers::python_for_tests;
use super::{output, thermoflow, train};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use thermoflow::replay::{Received, Store};

/// How long a script may take on a busy machine; imports alone take seconds.
const PATIENCE: Duration = Duration::from_secs(600);

/// The folder of the examples.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python")
}

/// A Python that can import these packages; None, said aloud, where there is none.
pub(super) fn python_with(packages: &str) -> Option<PathBuf> {
    let python = python_for_tests()?;
    let script = format!("import {packages}");
    let output = ended(Command::new(&python).args(["-c", &script]));
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

/// What a program prints and how it ends.
fn ended(command: &mut Command) -> Output {
    let piped = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    output::within(PATIENCE, piped.spawn().unwrap())
}

/// An example with arguments.
pub(super) fn script(python: &Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(python);
    command.arg(examples().join(name)).args(arguments);
    command
}

/// A script that nobody reads ends without a word.
pub(super) fn assert_quiet_without_a_reader(mut command: Command) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let Output { status, stderr, .. } = output::within(PATIENCE, child);
    assert_eq!(String::from_utf8_lossy(&stderr), "", "{command:?}");
    assert!(status.success(), "{command:?}: {status}");
}

/// A script refuses what it was given with one line that contains `expected`.
fn assert_refuses(mut command: Command, expected: &str) {
    let Output { status, stderr, .. } = ended(&mut command);
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{command:?}: {stderr}");
    assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

/// What a Python program prints when it is well.
pub(super) fn printed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = ended(command);
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// The JSON that lines of Python print, on one thread (on a busy machine several take 40 times as long); they can import the examples, and find `arguments` from `sys.argv[1]` on.
pub(super) fn evaluated(python: &Path, script: &str, arguments: &[&Path]) -> Value {
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
pub(super) fn trained(run: &Path, arguments: &[&str]) {
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
pub(super) fn assert_alike(one: &Value, other: &Value, tolerance: f64) {
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
        assert_quiet_without_a_reader(command);
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
            let arguments = [path.to_str().unwrap(), "--with", library];
            assert_refuses(script(&python, "read_run.py", &arguments), expected);
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
    let Some(python) = python_with("pandas, pyarrow, polars") else {
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
        assert_quiet_without_a_reader(command);
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

#[test]
fn read_parquet_refuses_what_it_cannot_use_in_one_line() {
    let Some(python) = python_with("pandas, pyarrow, polars") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (run, file) = (dir.path().join("run"), dir.path().join("few.parquet"));
    trained(&run, &[]);
    let mut export = thermoflow();
    export.args(["replay", "export", "--columns", "x,y,beta"]).arg(&run);
    printed(export.arg("--out").arg(&file));
    let damaged = dir.path().join("damaged.parquet");
    std::fs::write(&damaged, b"PAR1 and nothing that follows from it").unwrap();
    for (file, expected) in [
        (
            &file,
            "few.parquet: there is no column actor, received_us, actions, log_reward",
        ),
        (&damaged, "damaged.parquet: "),
        (&run.join("run.toml"), "run.toml is not a Parquet file"),
    ] {
        for library in ["polars", "pyarrow"] {
            let arguments = [file.to_str().unwrap(), "--with", library];
            assert_refuses(script(&python, "read_parquet.py", &arguments), expected);
        }
    }
}
