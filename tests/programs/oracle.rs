//! Training with oracles of a user's own, good ones and bad ones, and what is shown of objects without a score.

use super::train::{assert_whole, finish, rows, signal, wait_until};
use super::{assert_refused, run, thermoflow};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use thermoflow::metrics::MetricsRow;
use thermoflow::replay::Store;
use thermoflow::task::{Task, TaskKind};

/// A directory with an oracle and a configuration that names it.
struct Site {
    dir: tempfile::TempDir,
    settings: String,
}

impl Site {
    /// `settings` are lines of `[task.oracle]`.
    fn new(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = format!("[task.oracle]\n{settings}");
        Self { dir, settings }
    }

    /// A Python program that scores x by `score(x)`; the first argument it gets is the site's directory.
    fn python(score: &str, settings: &str) -> Self {
        let site = Self::new("");
        let script = site.path("oracle.py");
        let program = format!(
            "import json, os, signal, sys, time\n{score}\nfor line in sys.stdin:\n    request = json.loads(line)\n    \
             print(json.dumps({{'id': request['id'], 'y': [score(x) for x in request['x']]}}), flush=True)\n"
        );
        fs::write(&script, program).unwrap();
        let command = format!("command = [\"python3\", {script:?}, {:?}]\n", site.dir.path());
        Self {
            settings: format!("{}{command}{settings}", site.settings),
            ..site
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Strings of four letters of ACGT, a small network.
    fn config(&self) -> PathBuf {
        let path = self.path("config.toml");
        let text = format!(
            "[task]\nname = \"sequence\"\nalphabet = \"ACGT\"\nlength = 4\n{}\n[policy]\nhidden = 8\n[learner]\n\
             report_every = 1\n",
            self.settings
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// `thermoflow train` with one actor into `run`.
    fn train(&self, rounds: u64) -> Command {
        let mut command = thermoflow();
        command
            .arg("train")
            .arg(self.config())
            .arg("--run-dir")
            .arg(self.path("run"));
        command.args(["--actors", "1", "--rounds", &rounds.to_string()]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Everything found: x and y.
    fn objects(&self) -> Vec<(String, f32)> {
        let mut config = TaskKind::find("sequence").unwrap().config();
        (config.alphabet, config.length) = (Some("ACGT".into()), Some(4));
        config.oracle = Some(Default::default());
        let env = Task::build(&config, None).unwrap().env;
        let store = Store::open_read_only(&self.path("run/replay.sqlite")).unwrap();
        let mut found = Vec::new();
        let read = store.scan(None, |row| -> Result<(), thermoflow::replay::StoreError> {
            let object = env.object_of(&row.trajectory.actions).unwrap();
            found.push((env.format(&object), row.trajectory.y));
            Ok(())
        });
        read.unwrap();
        found
    }

    /// The largest value of a counter in the metrics.
    fn most(&self, counter: fn(&MetricsRow) -> Option<u64>) -> u64 {
        rows(&self.path("run")).iter().filter_map(counter).max().unwrap_or(0)
    }
}

const GC: &str = "def score(x):\n    return sum(letter in 'GC' for letter in x) / len(x)\n";

#[test]
fn the_example_oracle_is_trained_with() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let site = Site::new(&format!(
        "command = [\"python3\", {:?}]\n",
        root.join("examples/oracles/gc_content.py")
    ));
    finish(site.train(4).spawn().unwrap());
    assert_whole(&site.path("run"), 4);
    for (x, y) in site.objects() {
        let share = x.chars().filter(|letter| "GC".contains(*letter)).count() as f32 / 4.0;
        assert_eq!(y, share, "{x}");
    }
}

/// Some x have no score: null, NaN, no answer, the end of the program, each a sixteenth of the strings. The run goes on,
/// says so, and never trains on such an x.
#[test]
fn a_bad_program_costs_scores_but_not_the_run() {
    let bad = format!(
        "{GC}gc = score\ndef score(x):\n    {}\n    {}\n    {}\n    {}\n    return gc(x)\n",
        "if x.startswith('AA'): return None",
        "if x.startswith('CC'): return float('nan')",
        "if x.startswith('GG'): time.sleep(1000)",
        "if x.startswith('TT'): sys.exit('this one is too much for me')"
    );
    let site = Site::python(&bad, "batch = 8\ninstances = 4\ntimeout_seconds = 1.5\nretries = 1\n");
    finish(site.train(3).spawn().unwrap());
    assert_whole(&site.path("run"), 3);
    let objects = site.objects();
    let good = |(x, y): &(String, f32)| y.is_finite() && !["AA", "CC", "GG", "TT"].iter().any(|bad| x.starts_with(bad));
    assert!(objects.iter().all(good), "{objects:?}");
    assert_eq!(objects.len(), 3 * 32);
    assert!(site.most(|row| row.oracle_calls) > 0);
    assert!(site.most(|row| row.oracle_failed) > 0);
    assert!(site.most(|row| row.oracle_timeouts) > 0);
    assert!(site.most(|row| row.oracle_restarts) > 0);
}

#[test]
fn a_program_that_is_not_there_ends_the_run_with_its_name() {
    let site = Site::new("command = [\"/no/such/oracle\"]\n");
    let output = site.train(3).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("error: no actor is left") && last.contains("\"/no/such/oracle\""),
        "{stderr}"
    );
}

#[test]
fn an_actor_starts_no_program_that_it_was_not_allowed_to() {
    let site = Site::python(GC, "");
    let mut learner = thermoflow();
    learner
        .arg("learner")
        .arg(site.config())
        .arg("--run-dir")
        .arg(site.path("run"));
    learner
        .args(["--rounds", "3", "--address-file"])
        .arg(site.path("address"));
    let learner = learner.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    wait_until("the address", || {
        address = fs::read_to_string(site.path("address")).unwrap_or_default();
        !address.is_empty()
    });
    let arguments = ["actor", "--connect", address.trim()];
    assert_refused(&arguments, &["--allow-programs", "python3", "oracle.py"]);
    let allowed = run(&[&arguments[..], &["--allow-programs"]].concat());
    assert!(allowed.status.success(), "{}", String::from_utf8_lossy(&allowed.stderr));
    finish(learner);
    assert_whole(&site.path("run"), 3);
}

fn is_running(pid: &str) -> bool {
    // A process that ended and was not reaped yet has no command line.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn ctrl_c_ends_everything_while_an_oracle_hangs() {
    // It hears neither the end of its input nor a polite signal.
    let hangs = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef score(x):\n    \
                 open(sys.argv[1] + '/pid.new', 'w').write(str(os.getpid()))\n    \
                 os.rename(sys.argv[1] + '/pid.new', sys.argv[1] + '/pid')\n    time.sleep(1000)\n";
    let site = Site::python(hangs, "timeout_seconds = 1000\n");
    let train: Child = site.train(3).spawn().unwrap();
    let mut oracle = String::new();
    wait_until("the oracle to hang", || {
        oracle = fs::read_to_string(site.path("pid")).unwrap_or_default();
        !oracle.is_empty()
    });
    assert!(is_running(&oracle));
    signal("-INT", train.id());
    let output = finish(train);
    assert!(String::from_utf8_lossy(&output.stdout).contains("Stopped after 0 of 3"));
    assert!(!is_running(&oracle), "the oracle is still there");
}

/// A table that lacks a sixteenth of the strings: commands show those without a score, and count them.
#[test]
fn objects_without_a_score_are_shown_without_one() {
    let site = Site::new("");
    let letters = ["A", "C", "G", "T"];
    let pairs: Vec<String> = letters
        .iter()
        .flat_map(|a| letters.map(|b| format!("{a}{b}")))
        .collect();
    let strings = pairs.iter().flat_map(|a| pairs.iter().map(move |b| format!("{a}{b}")));
    let lines: String = strings
        .filter(|x| !x.starts_with("AA"))
        .map(|x| format!("{x},0.5\n"))
        .collect();
    fs::write(site.path("table.csv"), format!("x,y\n{lines}")).unwrap();
    let site = Site {
        settings: "table = \"table.csv\"".into(),
        ..site
    };
    finish(site.train(3).spawn().unwrap());
    let (config, trained) = (site.config(), site.path("run"));
    let (config, trained) = (config.to_str().unwrap(), trained.to_str().unwrap());
    let text = |arguments: &[&str]| {
        let output = run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let reward = text(&["reward", "--config", config, "AACC", "CAAA"]);
    assert_eq!(reward, "x,y\nAACC,\nCAAA,0.5\n");
    let reward = text(&["reward", "--config", config, "--json", "AACC"]);
    assert_eq!(reward, "{\"x\":\"AACC\",\"y\":null}\n");
    let samples = text(&["sample", "--checkpoint", trained, "--beta", "1", "-n", "500"]);
    let unscored = samples
        .lines()
        .filter(|line| line.starts_with("AA") && line.contains(",,,"))
        .count();
    assert!(unscored > 0 && samples.lines().count() == 501, "{samples}");
    let evaluated = text(&["evaluate", "--checkpoint", trained, "--beta", "1", "--json"]);
    let evaluated: serde_json::Value = serde_json::from_str(&evaluated).unwrap();
    let result = &evaluated["results"][0];
    assert!(
        result["unscored"].as_u64().unwrap() > 0 && result["mean_y"] == 0.5,
        "{result}"
    );
    assert_refused(
        &["evaluate", "--checkpoint", trained, "--exact"],
        &["some have no score"],
    );
}
