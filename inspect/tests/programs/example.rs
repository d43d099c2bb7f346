//! A replay to ask, and every question to it. It lies in a directory of its own, so that all that changes can be seen.

use super::output;
use super::processes::error_line;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;
use tempfile::TempDir;
use thermoflow::config::RunConfig;
use thermoflow::replay::{Received, Store};
use thermoflow::rollout::Trajectory;
use thermoflow::units::{Incarnation, PolicyVersion, Seq};

/// Trajectories in a round.
const BATCH: u64 = 16;

/// Every question with the fewest arguments. RUN stands for the replay, OUT for a file that is not there.
pub const QUESTIONS: [&str; 13] = [
    "summary RUN",
    "top RUN",
    "show RUN 0000000000000000:0",
    "histogram RUN",
    "timeline RUN",
    "compare RUN RUN",
    "query RUN SELECT|sum(length),avg(y)|FROM|replay",
    "export RUN",
    "export RUN --out OUT.parquet",
    "verify RUN --rescore 0",
    "merge RUN --out OUT.sqlite",
    "compact RUN --out OUT.sqlite",
    COMPACT,
];

/// Some of them that open what they are given each in its own way.
pub const SOME: [&str; 4] = ["summary RUN", "compare RUN RUN", "merge RUN --out OUT.sqlite", COMPACT];

/// The one that writes.
pub const COMPACT: &str = "compact RUN";

/// A directory with a replay in it, and room beside it.
pub struct Example {
    dir: TempDir,
    /// What RUN stands for.
    pub run: PathBuf,
}

impl Example {
    /// A replay of some rounds.
    pub fn new(rounds: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        fs::create_dir(&run).unwrap();
        write(&run.join("replay.sqlite"), rounds);
        Self { dir, run }
    }

    /// One whose file was then changed by somebody.
    pub fn changed(sql: &str) -> Self {
        let example = Self::new(4);
        let connection = Connection::open(example.replay()).unwrap();
        connection.execute_batch(sql).unwrap();
        example
    }

    /// The database.
    pub fn replay(&self) -> PathBuf {
        self.run.join("replay.sqlite")
    }

    /// Beside the run.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A question as a command; | stands for a space within an argument.
    pub fn command(&self, question: &str) -> Command {
        let (run, out) = (self.run.to_str().unwrap(), self.beside("out"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_thermoflow-replay"));
        let arguments = question.split(' ').map(|argument| match argument {
            "RUN" => run.to_owned(),
            _ => argument.replace("OUT", out.to_str().unwrap()).replace('|', " "),
        });
        command.args(arguments);
        command
    }

    /// Asks a question.
    pub fn ask(&self, question: &str) -> Output {
        output::of(&mut self.command(question))
    }

    /// Asks a question that must be answered.
    pub fn answer(&self, question: &str) -> String {
        let Output { status, stdout, stderr } = self.ask(question);
        assert!(status.success(), "{question}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// Removes what questions wrote beside the run.
    pub fn clean(&self) {
        for ending in ["sqlite", "parquet"] {
            let _ = fs::remove_file(self.beside("out").with_extension(ending));
        }
    }

    /// Expects `code`, no answer, one line on stderr with all of `expected`, nothing written and the run as it was.
    pub fn assert_refused(&self, question: &str, code: i32, expected: &[&str]) {
        let before = (files(&self.run), names(self.dir.path()));
        let Output { status, stdout, stderr } = self.ask(question);
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{question}: {stderr}");
        assert_eq!(String::from_utf8(stdout).unwrap(), "", "{question}");
        assert_eq!(stderr, format!("{}\n", error_line(&stderr)), "{question}");
        for part in expected {
            assert!(stderr.contains(part), "{question}: {part:?} is not in {stderr}");
        }
        let after = (files(&self.run), names(self.dir.path()));
        assert!(before == after, "{question} has changed something");
    }
}

/// Writes a replay of TFBind8.
fn write(path: &Path, rounds: u64) {
    let mut store = Store::open(path).unwrap();
    let task = RunConfig::published("tfbind8").unwrap().task;
    store.set_meta("task", &serde_json::to_string(&task).unwrap()).unwrap();
    for round in 0..rounds {
        let batch: Vec<Received> = (0..BATCH).map(|place| trajectory(round, place)).collect();
        store.commit(&batch).unwrap();
    }
}

/// A trajectory to the object whose letters are the digits of `place`, one letter appended after the other.
fn trajectory(round: u64, place: u64) -> Received {
    let actions: Vec<u16> = (0..8).map(|digit| (place >> (2 * digit) & 3) as u16).collect();
    let y = (place + 1) as f32 / BATCH as f32;
    // R = 10·y³, as TFBind8 has it.
    let log_reward = 10f32.ln() + 3.0 * y.ln();
    Received {
        incarnation: Incarnation(0),
        actor_name: "actor-0".into(),
        seq: Seq(round * BATCH + place),
        staleness: 0,
        received_us: 1_700_000_000_000_000 + round * 1_000_000,
        trainable: true,
        object: actions
            .iter()
            .map(|action| ['A', 'C', 'G', 'T'][usize::from(*action)])
            .collect(),
        trajectory: Trajectory {
            beta: 1.0 + (place % 3) as f32,
            actions,
            y,
            log_reward,
            log_pf: -8.0,
            policy_version: PolicyVersion(round),
            round,
            index: place as u32,
        },
    }
}

/// Every file of a run with its time and its bytes. But for what SQLite leaves where a replay is read: a log without
/// anything in it, and the memory that readers share.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let files = names(dir).into_iter().map(|path| {
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        (path.clone(), (written, fs::read(&path).unwrap_or_default()))
    });
    let is_left = |path: &Path, bytes: &[u8]| {
        let name = path.to_str().unwrap();
        name.ends_with("-shm") || (name.ends_with("-wal") && bytes.is_empty())
    };
    files.filter(|(path, (_, bytes))| !is_left(path, bytes)).collect()
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}
