//! Real processes: Python oracles that behave and that do not.

use super::*;
use crate::env::{Growth, SequenceEnv};
use rustix::process::{Pid, test_kill_process};
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// What every oracle begins with: `requests()` yields (id, x), `answer` answers, `score` is the number of C in x.
const PRELUDE: &str = r#"
import json, os, subprocess, socket, sys, time

def requests():
    for line in sys.stdin:
        request = json.loads(line)
        yield request["id"], request["x"]

def answer(id, y):
    print(json.dumps({"id": id, "y": y}), flush=True)

def score(x):
    return float(x.count("C"))
"#;

/// Time enough for a Python to start on a busy machine, little enough to wait for.
const SHORT: f64 = 4.0;

struct Oracle {
    directory: TempDir,
    config: OracleConfig,
}

impl Oracle {
    /// A program with this body; the first argument it gets is a directory of its own.
    fn new(body: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("oracle.py");
        std::fs::write(&script, format!("{PRELUDE}\n{body}")).unwrap();
        let words = [Path::new("python3"), &script, directory.path()];
        let config = OracleConfig {
            command: words.map(|word| word.to_str().unwrap().to_owned()).into(),
            ..OracleConfig::default()
        };
        Self { directory, config }
    }

    fn with(mut self, change: impl FnOnce(&mut OracleConfig)) -> Self {
        change(&mut self.config);
        self
    }

    fn start(&self) -> ProgramScorer {
        assert_eq!(self.config.check("oracle"), Ok(()));
        ProgramScorer::start(&self.config, env()).unwrap()
    }

    /// Lines that the program wrote to the file `log`.
    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.directory.path().join("log")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

fn env() -> Arc<dyn Environment> {
    Arc::new(SequenceEnv::variable("ACGT", 1..=8, Growth::PrependAppend))
}

fn objects(texts: &[&str]) -> States {
    let mut objects = States::new(env().state_width());
    texts.iter().for_each(|text| {
        objects.push(&env().parse_object(text).unwrap());
    });
    objects
}

/// Scores, with None for NaN.
fn ask(scorer: &ProgramScorer, texts: &[&str]) -> Vec<Option<f32>> {
    let scores = scorer.score(&objects(texts)).unwrap();
    scores.into_iter().map(|y| (!y.is_nan()).then_some(y)).collect()
}

/// Writes every request to the log, then answers.
const LOGGING: &str = r#"
for id, x in requests():
    with open(sys.argv[1] + "/log", "a") as log:
        print(" ".join(x), file=log)
    answer(id, [score(s) for s in x])
"#;

#[test]
fn scores_come_in_order_in_requests_of_at_most_a_batch() {
    let oracle = Oracle::new(LOGGING).with(|config| config.batch = 2);
    let scorer = oracle.start();
    assert_eq!(
        ask(&scorer, &["CC", "A", "CCC", "C", "GG"]),
        [2.0, 0.0, 3.0, 1.0, 0.0].map(Some)
    );
    assert_eq!(oracle.log(), ["CC A", "CCC C", "GG"]);
    assert_eq!(ask(&scorer, &[]), []);
    let health = scorer.health();
    assert_eq!(
        health,
        OracleHealth {
            calls: 5,
            ..OracleHealth::default()
        }
    );
}

#[test]
fn an_object_is_paid_for_once() {
    let oracle = Oracle::new(LOGGING).with(|config| config.cache = 2);
    let scorer = oracle.start();
    assert_eq!(ask(&scorer, &["C", "CC", "C"]), [1.0, 2.0, 1.0].map(Some));
    assert_eq!(ask(&scorer, &["CC", "C"]), [2.0, 1.0].map(Some));
    assert_eq!((scorer.health().calls, scorer.health().cached), (2, 3));
    // CC was used before C, so it makes room.
    assert_eq!(ask(&scorer, &["G"]), [Some(0.0)]);
    assert_eq!(ask(&scorer, &["C", "CC"]), [1.0, 2.0].map(Some));
    assert_eq!(oracle.log(), ["C CC", "G", "CC"]);
}

#[test]
fn without_a_cache_every_object_is_asked_for_again() {
    let oracle = Oracle::new(LOGGING).with(|config| config.cache = 0);
    let scorer = oracle.start();
    assert_eq!(ask(&scorer, &["C", "C"]), [1.0, 1.0].map(Some));
    assert_eq!(ask(&scorer, &["C"]), [Some(1.0)]);
    assert_eq!(oracle.log(), ["C", "C"]);
}

#[test]
fn instances_work_at_the_same_time() {
    // Each instance waits until all three have a request, which they never have one after the other.
    let body = r#"
for id, x in requests():
    open(f"{sys.argv[1]}/has-{os.getpid()}", "w").close()
    while sum(name.startswith("has-") for name in os.listdir(sys.argv[1])) < 3:
        time.sleep(0.01)
    answer(id, [score(s) for s in x])
"#;
    let oracle = Oracle::new(body).with(|config| config.instances = 3);
    let scorer = oracle.start();
    assert_eq!(
        ask(&scorer, &["C", "G", "CC", "T", "CCC"]),
        [1.0, 0.0, 2.0, 0.0, 3.0].map(Some)
    );
    assert_eq!(scorer.health().restarts, 0);
}

#[test]
fn an_object_that_hangs_loses_only_itself() {
    let body = r#"
for id, x in requests():
    if "TTT" in x:
        time.sleep(1000)
    answer(id, [score(s) for s in x])
"#;
    let oracle = Oracle::new(body).with(|config| {
        config.retries = 1;
        config.timeout_seconds = SHORT;
    });
    let scorer = oracle.start();
    assert_eq!(ask(&scorer, &["C", "TTT"]), [Some(1.0), None]);
    let health = scorer.health();
    assert_eq!(
        (health.calls, health.failed, health.timeouts, health.retries),
        (2, 1, 2, 2)
    );
    assert_eq!(ask(&scorer, &["CC", "C"]), [2.0, 1.0].map(Some));
    assert_eq!((scorer.health().restarts, scorer.health().cached), (2, 1));
}

#[test]
fn a_program_that_dies_is_started_again() {
    let body = r#"
for id, x in requests():
    if "TTT" in x:
        print("no TTT here", file=sys.stderr, flush=True)
        os._exit(3)
    answer(id, [score(s) for s in x])
"#;
    let oracle = Oracle::new(body);
    let scorer = oracle.start();
    assert_eq!(
        ask(&scorer, &["C", "CC", "TTT", "CCC"]),
        [Some(1.0), Some(2.0), None, Some(3.0)]
    );
    let health = scorer.health();
    // All four, then two and two, then the bad two one by one; a new process after each of the three failures.
    assert_eq!(
        (health.retries, health.restarts, health.failed, health.timeouts),
        (4, 3, 1, 0)
    );
    let newest = scorer.pool.newest_complaint();
    for expected in ["\"TTT\"", "exit status: 3", "no TTT here"] {
        assert!(newest.contains(expected), "{newest}");
    }
    assert_eq!(
        ask(&scorer, &["TTT", "C"]),
        [None, Some(1.0)],
        "failures are not remembered, scores are"
    );
}

#[test]
fn every_kind_of_bad_answer_costs_one_request() {
    let body = r#"
for id, x in requests():
    if x == ["A"]:
        print("I am thinking")
    if x == ["AA"]:
        answer(id + 1, [0.0])
    if x == ["AAA"]:
        answer(id, [])
    if x == ["AAAA"]:
        answer(id, ["high"])
    if x == ["AAAAA"]:
        print("0" * (2 << 20))
    if x == ["AAAAAA"]:
        sys.stdout.close()
    answer(id, [score(s) for s in x])
"#;
    let oracle = Oracle::new(body).with(|config| {
        config.batch = 1;
        config.retries = 0;
        config.cache = 0;
    });
    let scorer = oracle.start();
    for (bad, (text, complaint)) in (1..).zip([
        ("A", "I am thinking"),
        ("AA", "answered request"),
        ("AAA", "0 scores for 1"),
        ("AAAA", "high"),
        ("AAAAA", "a line of more than"),
        ("AAAAAA", "closed its output"),
    ]) {
        assert_eq!(ask(&scorer, &["CC", text, "C"]), [Some(2.0), None, Some(1.0)], "{text}");
        let newest = scorer.pool.newest_complaint();
        assert!(newest.contains(complaint), "{newest}");
        assert_eq!((scorer.health().failed, scorer.health().timeouts), (bad, 0));
    }
    assert_eq!((scorer.health().restarts, scorer.health().retries), (6, 0));
}

#[test]
fn what_has_no_score_is_said_once_and_believed() {
    let body = r#"
for id, x in requests():
    special = {"A": None, "AA": float("nan"), "AAA": float("inf"), "AAAA": -1e300}
    answer(id, [special.get(s, score(s)) for s in x])
"#;
    let oracle = Oracle::new(body);
    let scorer = oracle.start();
    let expected = [None, None, Some(1.0), None, None];
    for _ in 0..2 {
        assert_eq!(ask(&scorer, &["A", "AA", "C", "AAA", "AAAA"]), expected);
    }
    let health = scorer.health();
    assert_eq!(
        (health.calls, health.cached, health.failed, health.restarts),
        (5, 5, 8, 0)
    );
    assert!(scorer.pool.newest_complaint().contains("4 of 5 objects, such as \"A\""));
}

#[test]
fn late_answers_are_ignored() {
    let body = r#"
newest = 0
for id, x in requests():
    answer(newest, [9.0])
    answer(id, [score(s) for s in x])
    answer(id, [8.0])
    newest = id
"#;
    let oracle = Oracle::new(body);
    let scorer = oracle.start();
    for (text, y) in [("C", 1.0), ("CC", 2.0), ("CCC", 3.0)] {
        assert_eq!(ask(&scorer, &[text]), [Some(y)]);
    }
    assert_eq!(scorer.health().restarts, 0);
}

#[test]
fn a_program_that_does_not_read_is_not_waited_for() {
    let oracle = Oracle::new("time.sleep(1000)").with(|config| {
        config.retries = 0;
        config.timeout_seconds = 0.2;
        config.batch = 65_536;
    });
    // More than a pipe holds.
    let all = SequenceEnv::new("ACGT", 8, Growth::AppendOnly).objects(65_536).unwrap();
    let mut objects = States::new(9);
    all.iter().for_each(|letters| {
        objects.push(&[letters, &[1]].concat());
    });
    let message = oracle.start().score(&objects).unwrap_err().to_string();
    assert!(message.contains("no answer within 200ms"), "{message}");
}

#[test]
fn a_program_that_never_answers_is_an_error() {
    let oracle = Oracle::new("sys.exit('the model file is missing')");
    let message = oracle.start().score(&objects(&["C"])).unwrap_err().to_string();
    for expected in [
        "not answered",
        "exit status: 1",
        "the model file is missing",
        "oracle.py",
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let config = OracleConfig {
        command: vec!["no-such-oracle".into()],
        ..OracleConfig::default()
    };
    let message = ProgramScorer::start(&config, env()).unwrap_err().to_string();
    assert!(message.contains("no-such-oracle"), "{message}");
}

#[test]
fn no_process_outlives_its_scorer() {
    // Deaf to the end of its input and to SIGTERM, with a child; both hold a connection to us.
    let body = r#"
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1] + "/socket")
connection.set_inheritable(True)
connection.sendall(f"{os.getpid()}\n".encode())
subprocess.Popen(["sleep", "1000"], close_fds=False)
for id, x in requests():
    answer(id, [score(s) for s in x])
time.sleep(1000)
"#;
    let oracle = Oracle::new(body).with(|config| config.instances = 2);
    let listener = UnixListener::bind(oracle.directory.path().join("socket")).unwrap();
    let scorer = oracle.start();
    assert_eq!(ask(&scorer, &["C", "CC"]), [1.0, 2.0].map(Some));
    let connections = [listener.accept().unwrap().0, listener.accept().unwrap().0];
    drop(scorer);
    for connection in connections {
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut lines = BufReader::new(connection).lines();
        let pid: i32 = lines.next().unwrap().unwrap().parse().unwrap();
        assert!(lines.next().is_none(), "nobody holds the other end");
        assert!(test_kill_process(Pid::from_raw(pid).unwrap()).is_err(), "no zombie");
    }
}

#[test]
fn the_example_oracles_answer() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/oracles");
    let start = |script: &str, arguments: &[&str]| {
        let script = examples.join(script);
        let words = ["python3", script.to_str().unwrap()]
            .into_iter()
            .chain(arguments.iter().copied());
        let config = OracleConfig {
            command: words.map(str::to_owned).collect(),
            ..OracleConfig::default()
        };
        ProgramScorer::start(&config, env()).unwrap()
    };
    for scorer in [start("gc_content.py", &[]), start("slow.py", &["--seconds", "0.001"])] {
        assert_eq!(ask(&scorer, &["GC", "AGTC", "T"]), [1.0, 0.5, 0.0].map(Some));
        assert_eq!(scorer.health().restarts, 0);
    }
}
