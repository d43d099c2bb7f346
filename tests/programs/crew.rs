//! A relay that starts its actors: they train, stop in order with it, and leave with it however either dies.

use super::processes::{error_line, signal, wait_until};
use super::train::{assert_whole, children, command_line, config, finish};
use super::watch::sibling;
use super::{output, replays, thermoflow};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// A learner and a relay with two actors.
struct Site {
    dir: tempfile::TempDir,
    learner: Option<Child>,
    relay: Option<Child>,
}

impl Drop for Site {
    fn drop(&mut self) {
        // Both have ended when the test went well.
        for mut child in self.relay.take().into_iter().chain(self.learner.take()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Site {
    /// The learner runs with these arguments.
    fn start(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut learner = thermoflow();
        learner
            .arg("learner")
            .arg(config())
            .arg("--run-dir")
            .arg(dir.path().join("run"));
        learner
            .arg("--address-file")
            .arg(dir.path().join("address"))
            .args(arguments);
        let learner = piped(&mut learner);
        let mut relay = sibling("thermoflow-relay");
        relay.arg("--connect-file").arg(dir.path().join("address"));
        relay.args(["--crew", "2", "--", "--name", "a.{}"]);
        for (flag, place) in [("--outbox", "outbox/a.{}"), ("--ledger", "run/launch/ledger/a.{}")] {
            let place = dir.path().join(place);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            relay.arg(flag).arg(place);
        }
        Self {
            relay: Some(piped(&mut relay)),
            learner: Some(learner),
            dir,
        }
    }

    /// The same for a run that goes on until it is stopped, with both actors at work.
    fn at_work() -> Self {
        let site = Self::start(&["--rounds", "1000000", "--set", "train.mode=\"async\""]);
        wait_until("both actors to deliver", || {
            ["a.0", "a.1"]
                .iter()
                .all(|name| replays::rows_of(&site.run(), name) > 0)
        });
        site
    }

    fn run(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    fn relay(&self) -> u32 {
        self.relay.as_ref().unwrap().id()
    }

    fn actors(&self) -> Vec<u32> {
        children(self.relay(), "thermoflow-actor")
    }

    /// How the relay ended, and what it and its actors said.
    fn end_of_relay(&mut self) -> Output {
        output::of_child(self.relay.take().unwrap())
    }

    /// Ends the run, and looks whether what was acknowledged is in it.
    fn account(mut self) -> u64 {
        let learner = self.learner.take().unwrap();
        signal("-TERM", learner.id());
        finish(learner);
        replays::account(&self.run())
    }
}

fn piped(command: &mut Command) -> Child {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
    quiet.stderr(Stdio::piped()).spawn().unwrap()
}

fn are_gone(pids: &[u32]) -> bool {
    pids.iter().all(|&pid| !command_line(pid).contains("thermoflow"))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_relay_with_a_crew_trains_a_run_to_its_end_and_ends_with_it() {
    let mut site = Site::start(&["--rounds", "30"]);
    let ended = site.end_of_relay();
    let said = text(ended.stderr);
    assert!(ended.status.success(), "{said}");
    assert!(said.contains("the run is over"), "{said}");
    finish(site.learner.take().unwrap());
    assert_whole(&site.run(), 30);
    let of = |name| replays::rows_of(&site.run(), name);
    assert_eq!(of("a.0") + of("a.1"), 30 * 32, "its actors and nobody else");
}

#[test]
fn asked_to_stop_it_passes_on_what_its_actors_still_have() {
    let mut site = Site::at_work();
    let actors = site.actors();
    assert_eq!(actors.len(), 2);
    signal("-TERM", site.relay());
    let ended = site.end_of_relay();
    let said = text(ended.stderr);
    assert!(ended.status.success() && are_gone(&actors), "{said}");
    assert_eq!(said.matches("everything was delivered").count(), 2, "{said}");
    assert!(site.account() > 0);
}

#[test]
fn actors_do_not_outlive_a_relay_that_is_killed() {
    let mut site = Site::at_work();
    let actors = site.actors();
    signal("-KILL", site.relay());
    site.end_of_relay();
    wait_until("the actors to end", || are_gone(&actors));
    assert!(site.account() > 0);
}

#[test]
fn an_actor_that_dies_ends_the_crew_with_its_own_end() {
    let mut site = Site::at_work();
    let actors = site.actors();
    signal("-KILL", actors[1]);
    let ended = site.end_of_relay();
    let said = text(ended.stderr);
    assert_eq!(ended.status.code(), Some(128 + 9), "{said}");
    let error = error_line(&said);
    assert!(
        error.contains("of the crew ended badly") && error.contains("SIGKILL"),
        "{error}"
    );
    assert!(are_gone(&actors) && said.contains("everything was delivered"), "{said}");
    assert!(site.account() > 0);
}

#[test]
fn actors_that_cannot_work_end_the_relay_with_the_reason() {
    let mut relay = sibling("thermoflow-relay");
    relay.args([
        "--connect",
        "tcp://127.0.0.1:1",
        "--crew",
        "2",
        "--",
        "--threads",
        "many",
    ]);
    let ended = output::of(&mut relay);
    let said = text(ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(error_line(&said).contains("invalid value 'many'"), "{said}");
    super::assert_refused(
        &["relay", "--connect", "tcp://127.0.0.1:1", "--", "--name", "a"],
        &["--crew"],
    );
}
