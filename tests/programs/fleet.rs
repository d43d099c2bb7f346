//! Actors and a learner started one by one, as on a cluster: either side may die, hang and come back.

use super::thermoflow;
use super::train::{assert_whole, config, finish, rows, signal, wait_until};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use thermoflow::replay::Store;

struct Site {
    dir: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Site {
    fn new(mode: &str, rounds: u64) -> Self {
        let arguments = [
            format!("--rounds={rounds}"),
            format!("--set=train.mode=\"{mode}\""),
            "--set=learner.report_every=1".into(),
            "--set=learner.checkpoint_every=20".into(),
        ];
        Self {
            dir: tempfile::tempdir().unwrap(),
            arguments: arguments.into(),
        }
    }

    fn run(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    fn learner(&self, bind: &str, more: &[&str]) -> Child {
        let mut command = thermoflow();
        command
            .arg("learner")
            .arg(config())
            .arg("--run-dir")
            .arg(self.run())
            .args(&self.arguments);
        command
            .arg("--address-file")
            .arg(self.dir.path().join("address"))
            .args(["--bind", bind])
            .args(more);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn address(&self) -> String {
        let mut text = String::new();
        wait_until("the address", || {
            text = std::fs::read_to_string(self.dir.path().join("address")).unwrap_or_default();
            !text.is_empty()
        });
        text.trim().into()
    }

    fn actor(&self, address: &str, name: &str) -> Child {
        let mut command = thermoflow();
        command
            .args(["actor", "--connect", address, "--name", name])
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }
}

/// Trajectories of each actor by name.
fn by_actor(run: &Path) -> Vec<(String, u64)> {
    let store = Store::open_read_only(&run.join("replay.sqlite")).unwrap();
    let sql = "SELECT a.name, count(*) FROM trajectories t JOIN actors a ON a.id = t.actor_id GROUP BY 1 ORDER BY 1";
    let mut statement = store.connection().prepare(sql).unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

/// The learner is killed and resumed on its port; its actors find it again and deliver what they hold.
fn actors_outlive_a_learner(mode: &str) -> Site {
    let site = Site::new(mode, 300);
    let mut learner = site.learner("tcp://127.0.0.1:0", &[]);
    let address = site.address();
    let actors = ["a", "b"].map(|name| site.actor(&address, name));
    wait_until("the first rounds", || rows(&site.run()).len() > 50);
    signal("-KILL", learner.id());
    learner.wait().unwrap();
    finish(site.learner(&address, &["--resume"]));
    actors.into_iter().for_each(|actor| drop(finish(actor)));
    assert_eq!(rows(&site.run()).last().unwrap().round, 300);
    let incarnations = Store::open_read_only(&site.run().join("replay.sqlite"))
        .unwrap()
        .actors()
        .unwrap();
    assert_eq!(incarnations.len(), 2, "the same actors as before");
    site
}

#[test]
fn actors_outlive_a_learner_in_lockstep() {
    let site = actors_outlive_a_learner("sync");
    assert_whole(&site.run(), 300);
}

#[test]
fn actors_outlive_a_free_running_learner() {
    let site = actors_outlive_a_learner("async");
    let store = Store::open_read_only(&site.run().join("replay.sqlite")).unwrap();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn the_work_of_a_hanging_actor_is_given_to_another_and_it_may_return() {
    let site = Site::new("sync", 400);
    let learner = site.learner("tcp://127.0.0.1:0", &[]);
    let address = site.address();
    let (hanging, other) = (site.actor(&address, "hanging"), site.actor(&address, "other"));
    wait_until("both to work", || {
        site.run().join("replay.sqlite").exists() && by_actor(&site.run()).len() == 2
    });
    signal("-STOP", hanging.id());
    let at = rows(&site.run()).len();
    wait_until("the other to go on alone", || rows(&site.run()).len() > at + 20);
    signal("-CONT", hanging.id());
    finish(learner);
    finish(hanging);
    finish(other);
    assert_whole(&site.run(), 400);
}
