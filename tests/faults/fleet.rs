//! A learner and its actors as processes of their own, started as on a cluster: the learner takes a free port whenever it
//! starts, actors find it through its address file and keep ledgers and outboxes.

use super::processes::{signal, wait_until};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use thermoflow::metrics::jsonl;
use thermoflow::replay::Store;

/// A process that is killed when it is dropped, with what it says in a file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(mut command: Command, log: PathBuf) -> Self {
        let stderr = std::fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log }
    }

    pub fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// How it ended, and what it said.
    pub fn end(&mut self) -> (ExitStatus, String) {
        let mut status = None;
        wait_until(&format!("{} to end", self.log.display()), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap(), self.said())
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Expects it to end well.
    pub fn finish(&mut self) {
        let (status, said) = self.end();
        assert!(status.success(), "{}: {said}", self.log.display());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An actor, at work or not.
#[derive(Debug)]
pub struct Actor {
    pub name: String,
    /// The program that starts it, if any, with its arguments.
    pub through: Vec<String>,
    pub process: Option<Process>,
}

/// See the module.
pub struct Fleet {
    dir: tempfile::TempDir,
    pub run: PathBuf,
    pub mode: &'static str,
    pub learner: Option<Process>,
    /// Actors connect to it, where they are behind one.
    pub relay: Option<Process>,
    pub behind_relay: bool,
    pub actors: Vec<Actor>,
    /// The program that starts the learner, if any, with its arguments.
    pub learner_through: Vec<String>,
    /// Further arguments of the learner and of actors.
    pub learner_more: Vec<String>,
    pub actors_more: Vec<String>,
    lives: Cell<usize>,
}

impl Fleet {
    /// So many actors, nobody started.
    pub fn new(mode: &'static str, actors: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let actor = |number| Actor {
            name: format!("actor-{number}"),
            through: Vec::new(),
            process: None,
        };
        Self {
            run: dir.path().join("run"),
            dir,
            mode,
            learner: None,
            relay: None,
            behind_relay: false,
            actors: (0..actors).map(actor).collect(),
            learner_through: Vec::new(),
            learner_more: Vec::new(),
            actors_more: Vec::new(),
            lives: Cell::new(0),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn names(&self) -> Vec<String> {
        self.actors.iter().map(|actor| actor.name.clone()).collect()
    }

    pub fn ledger(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.ledger"))
    }

    pub fn outbox(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.outbox"))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.lives.set(self.lives.get() + 1);
        self.path(&format!("{name}.log-{}", self.lives.get()))
    }

    /// A learner on the run; it resumes when there is one.
    pub fn another_learner(&self, more: &[&str]) -> Process {
        let mut command = through(&self.learner_through);
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/tfbind8.toml");
        command.arg("learner").arg(config).arg("--run-dir").arg(&self.run);
        command.arg("--address-file").arg(self.path("address"));
        command.arg(format!("--set=train.mode=\"{}\"", self.mode));
        command.args(["--set=learner.report_every=1", "--set=learner.checkpoint_every=20"]);
        command.args(&self.learner_more).args(more);
        // Without an end, unless `more` names one.
        if !more.iter().any(|argument| argument.starts_with("--rounds")) {
            command.arg("--rounds=1000000");
        }
        if self.run.join("run.toml").exists() {
            command.arg("--resume");
        }
        Process::start(command, self.log("learner"))
    }

    pub fn start_learner(&mut self, more: &[&str]) {
        self.learner = Some(self.another_learner(more));
    }

    pub fn start_relay(&mut self) {
        let mut command = through(&[]);
        command.arg("relay").arg("--connect-file").arg(self.path("address"));
        command.arg("--address-file").arg(self.path("relay"));
        self.relay = Some(Process::start(command, self.log("relay")));
    }

    pub fn start_actor(&mut self, number: usize) {
        let actor = &self.actors[number];
        let mut command = through(&actor.through);
        command.args(["actor", "--name", &actor.name]);
        let file = if self.behind_relay { "relay" } else { "address" };
        command.arg("--connect-file").arg(self.path(file));
        command.arg("--ledger").arg(self.ledger(&actor.name));
        command.arg("--outbox").arg(self.outbox(&actor.name));
        command.args(&self.actors_more);
        let process = Process::start(command, self.log(&actor.name));
        self.actors[number].process = Some(process);
    }

    /// Starts everybody and waits until everybody has delivered.
    pub fn start(&mut self) {
        self.start_learner(&[]);
        if self.behind_relay {
            self.start_relay();
        }
        for number in 0..self.actors.len() {
            self.start_actor(number);
        }
        wait_until("every actor to deliver", || {
            (0..self.actors.len()).all(|number| self.rows_of(number) > 0)
        });
    }

    pub fn learner(&mut self) -> &mut Process {
        self.learner.as_mut().expect("a learner was started")
    }

    pub fn actor(&mut self, number: usize) -> &mut Process {
        self.actors[number].process.as_mut().expect("the actor was started")
    }

    /// Trajectories in the replay.
    pub fn rows(&self) -> u64 {
        let store = Store::open_read_only(&self.run.join("replay.sqlite"));
        store
            .and_then(|store| store.counts())
            .map_or(0, |counts| counts.trajectories)
    }

    /// Trajectories in the replay by one actor.
    pub fn rows_of(&self, number: usize) -> u64 {
        let sql = "SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM batches b JOIN actors a ON a.id = b.actor_id
                   WHERE a.name = ?1";
        let Ok(store) = Store::open_read_only(&self.run.join("replay.sqlite")) else {
            return 0;
        };
        let name = &self.actors[number].name;
        let rows: rusqlite::Result<i64> = store.connection().query_row(sql, [name], |row| row.get(0));
        rows.map_or(0, |rows| rows as u64)
    }

    /// Rounds finished, as the metrics say.
    pub fn round(&self) -> u64 {
        let rows = jsonl::read(&self.run.join("metrics.jsonl")).unwrap_or_default();
        rows.last().map_or(0, |row| row.round)
    }

    /// Waits until the actor has delivered so much more; how long that took.
    pub fn delivers(&self, number: usize, more: u64) -> Duration {
        let (start, at) = (Instant::now(), self.rows_of(number));
        let what = format!("{} to deliver", self.actors[number].name);
        wait_until(&what, || self.rows_of(number) >= at + more);
        start.elapsed()
    }

    /// Waits until training has finished so many more rounds; how long that took.
    pub fn advances(&self, rounds: u64) -> Duration {
        let (start, at) = (Instant::now(), self.round());
        wait_until("rounds to be finished", || self.round() >= at + rounds);
        start.elapsed()
    }

    /// Asks the actors to stop, which deliver what they have, then their relay and the learner.
    pub fn finish(&mut self) {
        for number in 0..self.actors.len() {
            self.actor(number).signal("-TERM");
        }
        for number in 0..self.actors.len() {
            self.actor(number).finish();
        }
        if let Some(relay) = &mut self.relay {
            relay.signal("-TERM");
            relay.finish();
        }
        self.learner().signal("-TERM");
        self.learner().finish();
    }
}

/// The `thermoflow` command, started by another program if one is given.
fn through(program: &[String]) -> Command {
    let thermoflow = env!("CARGO_BIN_EXE_thermoflow");
    match program.split_first() {
        Some((first, arguments)) => {
            let mut command = Command::new(first);
            command.args(arguments).arg(thermoflow);
            command
        }
        None => Command::new(thermoflow),
    }
}
