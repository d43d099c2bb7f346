//! Being watched: what Debian's Prometheus makes of a run, and whether names, alerts and dashboard fit together.

use super::processes::{signal, wait_until};
use super::train::config;
use super::{assert_refused, output, thermoflow};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long a program may take to say something.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that is killed when the test is over.
pub(super) struct Running {
    child: Child,
    stderr: Receiver<String>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let piped = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, stderr) = channel();
        // Reads on when nobody listens, so that the program is never held up.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        Self { child, stderr }
    }

    /// What follows `before` in the first line of its log that has it.
    fn says(&self, before: &str) -> String {
        loop {
            let line = self
                .stderr
                .recv_timeout(PATIENCE)
                .expect("the program goes on and says it");
            if let Some((_, after)) = line.split_once(before) {
                return after.to_owned();
            }
        }
    }

    /// Where its metrics are, HOST:PORT.
    pub fn metrics(&self) -> String {
        let url = self.says("metrics at http://");
        url.split_once("/metrics").unwrap().0.to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        signal("-TERM", self.child.id());
        self.child.wait().unwrap();
    }
}

/// The command of Debian's package prometheus; None, said loudly, where it is missing, which it must not be in CI.
fn tool(name: &str) -> Option<Command> {
    if Command::new(name).arg("--version").output().is_ok() {
        return Some(Command::new(name));
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no {name}: apt-get install prometheus"
    );
    // Not by a macro, whose words a test that passes swallows.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: there is no {name} to test metrics with (apt-get install prometheus)"
    );
    None
}

fn assert_silent_success(output: &Output) {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success() && err.is_empty(), "{out}{err}");
}

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file)
}

pub(super) fn sibling(program: &str) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_thermoflow")).with_file_name(program));
    command.env("RUST_LOG", "info");
    command
}

/// The page at `address`.
pub(super) fn page(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    body.to_owned()
}

/// The number of the first series that starts like this.
pub(super) fn number(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find(|line| line.starts_with(series))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// Names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("thermoflow_")).collect()
}

/// A learner and its only actor, and what they show once there is something of everything.
fn pages(dir: &Path) -> [String; 2] {
    let address = dir.join("address");
    let mut learner = sibling("thermoflow-learner");
    learner
        .arg(config())
        .arg("--run-dir")
        .arg(dir.join("run"))
        .arg("--address-file")
        .arg(&address);
    let learner = Running::start(learner.args(["--metrics-listen", "0", "--set", "learner.report_every=1"]));
    let of_learner = learner.metrics();
    let mut actor = sibling("thermoflow-actor");
    let actor = Running::start(
        actor
            .arg("--connect-file")
            .arg(&address)
            .args(["--metrics-listen", "0"]),
    );
    let of_actor = actor.metrics();
    // The learner counts its actors when it reports, which may be after the round.
    wait_until("a round, and the actor in the learner's count", || {
        let page = page(&of_learner);
        let number = |series| number(&page, series);
        number("thermoflow_rounds_total") > Some(0.0) && number("thermoflow_actors{state=\"present\"}") == Some(1.0)
    });
    let pages = [page(&of_learner), page(&of_actor)];
    assert_eq!(
        number(&pages[1], "thermoflow_actor_connected"),
        Some(1.0),
        "{}",
        pages[1]
    );
    assert!(
        number(&pages[1], "thermoflow_actor_trajectories_rolled_total") > Some(0.0),
        "{}",
        pages[1]
    );
    assert!(pages[1].contains("task=\"tfbind8\""), "{}", pages[1]);
    pages
}

#[test]
fn names_follow_the_rules_and_dashboard_and_alerts_know_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let pages = pages(dir.path());
    let shown: BTreeSet<&str> = pages.iter().flat_map(|page| names(page)).collect();
    for file in [
        "grafana/thermoflow.json",
        "prometheus/alerts.yml",
        "prometheus/alerts.test.yml",
    ] {
        let text = std::fs::read_to_string(deploy(file)).unwrap();
        let unknown: Vec<_> = names(&text).difference(&shown).copied().collect();
        assert!(
            unknown.is_empty() && !names(&text).is_empty(),
            "{file} asks for {unknown:?}"
        );
    }
    pages.iter().for_each(|page| assert_names_are_good(page));
}

/// Prometheus has nothing to say against the names on a page.
pub(super) fn assert_names_are_good(page: &str) {
    let Some(mut promtool) = tool("promtool") else { return };
    let piped = promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = piped.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    assert_silent_success(&child.wait_with_output().unwrap());
}

#[test]
fn alerts_are_raised_when_they_should_and_only_then() {
    for arguments in [
        ["check", "config", "prometheus/prometheus.yml"],
        ["test", "rules", "prometheus/alerts.test.yml"],
    ] {
        let Some(mut promtool) = tool("promtool") else { return };
        let output = promtool
            .args(&arguments[..2])
            .arg(deploy(arguments[2]))
            .output()
            .unwrap();
        assert_silent_success(&output);
    }
}

/// A run in this directory.
fn training(dir: &Path) -> Command {
    let mut train = thermoflow();
    train.arg("train").arg(config()).arg("--run-dir").arg(dir.join("run"));
    train
}

#[test]
fn prometheus_sees_the_trajectories_of_a_run_rise() {
    let (Some(mut prometheus), Some(_)) = (tool("prometheus"), tool("promtool")) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mut train = training(dir.path());
    train
        .args(["--rounds", "1000000", "--metrics-listen", "0"])
        .env("RUST_LOG", "thermoflow_watch=info");
    let train = Running::start(&mut train);
    let yaml = format!(
        "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\nscrape_configs: [{{job_name: thermoflow-learner, \
         static_configs: [{{targets: [\"{}\"]}}]}}]\n",
        train.metrics()
    );
    let config = dir.path().join("prometheus.yml");
    std::fs::write(&config, yaml).unwrap();
    prometheus
        .arg("--config.file")
        .arg(&config)
        .arg("--storage.tsdb.path")
        .arg(dir.path().join("data"));
    let prometheus = Running::start(prometheus.args(["--web.listen-address", "127.0.0.1:0"]));
    let address = prometheus.says("\"Listening on\" address=");

    let query = |expression: &str| {
        let mut promtool = tool("promtool").unwrap();
        let url = format!("http://{address}");
        let output = promtool.args(["query", "instant", &url, expression]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // {labels} => 123 @[456]
        text.split_once("=> ")
            .and_then(|(_, value)| value.split_whitespace().next()?.parse::<f64>().ok())
    };
    let count = || query("thermoflow_trajectories_total");
    wait_until("the first trajectories", || count() > Some(0.0));
    let first = count();
    wait_until("more trajectories", || count() > first);
    wait_until("two actors", || {
        query("thermoflow_actors{state=\"present\"}") == Some(2.0)
    });
    assert_eq!(query("up{job=\"thermoflow-learner\"}"), Some(1.0));
}

#[test]
fn an_address_for_metrics_that_cannot_be_is_bad_input() {
    let dir = tempfile::tempdir().unwrap();
    let (run, config) = (dir.path().join("run"), config());
    let train = |listen: &str| {
        [
            "train",
            config.to_str().unwrap(),
            "--run-dir",
            run.to_str().unwrap(),
            "--metrics-listen",
            listen,
        ]
        .map(str::to_owned)
    };
    let refused =
        |listen: &str, expected: &[&str]| assert_refused(&train(listen).each_ref().map(String::as_str), expected);
    refused("node-7:9464", &["ADDRESS:PORT is allowed"]);
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    refused(&taken, &[&taken, "cannot be listened on for metrics"]);
    assert!(!run.exists(), "nothing is left behind");
}

#[test]
fn every_line_of_the_log_in_json_says_whose_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut train = training(dir.path());
    train.args(["--rounds", "20", "--actors", "1"]).env("RUST_LOG", "info");
    let output = output::of(train.env("THERMOFLOW_LOG_FORMAT", "json"));
    let text = String::from_utf8(output.stderr).unwrap();
    let json = text.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<serde_json::Value> = json.map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |message: &str| {
        let line = lines.iter().find(|line| line["fields"]["message"] == message);
        line.unwrap_or_else(|| panic!("{message} is not in {text}"))
    };
    let (learner, actor) = (said("done"), said("the run is over"));
    assert!(learner["run"].as_str().is_some_and(|run| run.len() == 16), "{learner}");
    assert_eq!(
        (&learner["run"], actor["actor"].is_string()),
        (&actor["run"], true),
        "{actor}"
    );
    assert!(
        learner["actor"].is_null() && learner["version"].is_u64() && actor["version"].is_u64(),
        "{text}"
    );
    for line in &lines {
        let has = |key| line.as_object().unwrap().contains_key(key);
        assert!(
            ["timestamp", "level", "target", "run", "actor", "version", "fields"]
                .into_iter()
                .all(has),
            "{line}"
        );
    }
}
