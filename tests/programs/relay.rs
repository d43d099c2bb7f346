//! Actors behind a relay, as on a node of a cluster: to a run it makes no difference, and to the learner's network all.

use super::train::{assert_whole, comparable, config, finish, rows, wait_until};
use super::watch::{Running, assert_names_are_good, number, page, sibling};
use super::{assert_refused, run, thermoflow};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const ACTORS: usize = 4;

struct Site(tempfile::TempDir);

impl Site {
    /// A directory with a key in it.
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        assert!(run(&["key", "new", &site.text("key")]).status.success());
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A program that has the key and finds the other side by a file.
    fn with_key(&self, mut command: Command, connect_file: Option<&str>) -> Command {
        command.arg("--key-file").arg(self.path("key"));
        if let Some(file) = connect_file {
            command.arg("--connect-file").arg(self.path(file));
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// A learner on this run; its address file has the run's name with `.address`.
    fn learner(&self, program: Command, name: &str) -> Command {
        let mut command = program;
        command.arg(config()).arg("--run-dir").arg(self.path(name));
        command.arg("--address-file").arg(self.path(&format!("{name}.address")));
        command.args(["--set", "learner.report_every=1"]);
        self.with_key(command, None)
    }

    fn program(&self, name: &str) -> Command {
        let mut command = thermoflow();
        command.arg(name);
        command
    }

    /// Trains in lockstep with actors that find the learner, or their relay, by this file.
    fn trains(&self, name: &str, rounds: &str, connect_file: &str) {
        let mut learner = self.learner(self.program("learner"), name);
        let learner = learner.args(["--rounds", rounds]).spawn().unwrap();
        let actor = |_| {
            self.with_key(self.program("actor"), Some(connect_file))
                .spawn()
                .unwrap()
        };
        let actors: Vec<Child> = (0..ACTORS).map(actor).collect();
        finish(learner);
        actors.into_iter().for_each(|actor| drop(finish(actor)));
    }
}

#[test]
fn lockstep_training_is_the_same_through_a_relay_which_ends_with_the_run() {
    let site = Site::new();
    site.trains("direct", "40", "direct.address");
    let mut relay = site.with_key(site.program("relay"), Some("relayed.address"));
    let relay = relay.arg("--address-file").arg(site.path("relay")).spawn().unwrap();
    site.trains("relayed", "40", "relay");
    finish(relay);
    assert_whole(&site.path("relayed"), 40);
    assert_eq!(comparable(&site.path("relayed")), comparable(&site.path("direct")));
    let actors = &rows(&site.path("relayed")).pop().unwrap().actors;
    assert_eq!(actors.len(), ACTORS, "the learner knows each of them");
}

#[test]
fn the_learner_has_one_connection_for_a_node_and_weights_go_over_it_once() {
    let site = Site::new();
    let mut learner = site.learner(sibling("thermoflow-learner"), "run");
    learner.args(["--rounds", "1000000", "--metrics-listen", "0"]);
    let learner = Running::start(&mut learner);
    let of_learner = learner.metrics();
    let mut relay = site.with_key(sibling("thermoflow-relay"), Some("run.address"));
    relay
        .args(["--metrics-listen", "0"])
        .arg("--address-file")
        .arg(site.path("relay"));
    let relay = Running::start(&mut relay);
    let of_relay = relay.metrics();
    let start = |_| Running::start(&mut site.with_key(sibling("thermoflow-actor"), Some("relay")));
    let _actors: Vec<Running> = (0..ACTORS).map(start).collect();
    let of = |address: &str, series: &str| number(&page(address), series).unwrap_or_default();
    wait_until("all actors, at work behind one relay", || {
        of(&of_learner, "thermoflow_actors{state=\"present\"}") == ACTORS as f64
            && of(&of_learner, "thermoflow_relays") == 1.0
            && of(&of_relay, "thermoflow_relay_actors") == ACTORS as f64
            && of(&of_learner, "thermoflow_rounds_total") > 100.0
    });
    // What the learner sent is little more than each version once; four actors of their own would be sent four times that.
    let shown = page(&of_learner);
    let published = number(&shown, "thermoflow_weights_published_bytes_total").unwrap();
    let sent = number(&shown, "thermoflow_link_bytes_total{direction=\"out\"}").unwrap();
    assert!(sent < 2.0 * published, "{sent} of {published}");
    assert!(of(&of_relay, "thermoflow_relay_kept_bytes") > 0.0);
    assert_names_are_good(&page(&of_relay));
}

#[test]
fn a_relay_goes_no_further_than_its_key_and_says_what_is_missing() {
    let site = Site::new();
    let run_dir = site.text("run");
    let address = "tcp://127.0.0.1:1";
    assert_refused(
        &["relay", "--connect", "tcp://10.0.0.1:5"],
        &["10.0.0.1:5", "thermoflow key new"],
    );
    assert_refused(
        &["relay", "--connect", address, "--bind", "tcp://0.0.0.0:0"],
        &["0.0.0.0:0", "key"],
    );
    assert_refused(&["relay", "--connect", address, "--key-file", &run_dir], &[&run_dir]);
    let mut learner = site.learner(sibling("thermoflow-learner"), "run");
    let _learner = Running::start(&mut learner);
    wait_until("the address", || site.path("run.address").exists());
    let file = site.text("run.address");
    assert_refused(&["relay", "--connect-file", &file], &["wants a key"]);
    assert!(run(&["key", "new", &site.text("other")]).status.success());
    let other = site.text("other");
    assert_refused(
        &["relay", "--connect-file", &file, "--key-file", &other],
        &["does not know"],
    );
}
