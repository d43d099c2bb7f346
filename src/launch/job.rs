//! The jobs of a run: their commands and what they need.

use super::{LaunchError, LaunchPaths, Scheduler};
use crate::config::{JobConfig, LaunchConfig};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How long an actor looks for its learner, seconds: a learner that was put back into the queue comes back in its time.
pub(super) const GIVE_UP_AFTER: u32 = 86_400;

/// The flag that says so.
const GIVE_UP: &str = "--give-up-after";

/// What follows the number of a task in the names of its actors, if it has several: a relay puts the actor's number for the
/// brackets.
pub(super) const MEMBER: &str = ".{}";

/// A word of a command line, or a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// The same in every task of a job.
    Text(String),
    /// Followed by the number of the task.
    Numbered(String),
    /// Followed by the number of the task and that of the actor in it.
    Member(String),
}

impl Word {
    /// What it is in the task of this number.
    pub fn at(&self, number: u32) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Numbered(before) => format!("{before}{number}"),
            Self::Member(before) => format!("{before}{number}{MEMBER}"),
        }
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// Where the key comes from; never what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// A file that every node has.
    File(PathBuf),
    /// The environment of whoever submits, which the scheduler passes on.
    Environment,
    /// There is none, so learner and actors are on one machine.
    Absent,
}

/// The programs, at the same place on every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// `thermoflow`.
    pub thermoflow: PathBuf,
    /// `thermoflow-learner`.
    pub learner: PathBuf,
    /// `thermoflow-actor`.
    pub actor: PathBuf,
    /// `thermoflow-relay`.
    pub relay: PathBuf,
}

/// What a plan is made of.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Names the jobs; unique among the user's.
    pub id: &'a str,
    /// Of the run; absolute.
    pub paths: &'a LaunchPaths,
    /// The programs.
    pub programs: &'a Programs,
    /// Where they are started.
    pub working_dir: &'a Path,
    /// The key.
    pub key: &'a Key,
    /// Where programs run.
    pub scheduler: &'a Scheduler,
    /// The run's objects are scored by a program of the user's.
    pub allow_programs: bool,
    /// What is asked of the scheduler.
    pub config: &'a LaunchConfig,
}

/// A job: one program, once or many times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name in the queue.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<Word>,
    /// The file that gets what it says.
    pub log: Word,
    /// What it needs.
    pub resources: JobConfig,
}

/// Everything that a launch starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The command that keeps a program within a job of a scheduler: `thermoflow`.
    pub keeper: String,
    /// Where programs are started.
    pub working_dir: String,
    /// The run directory.
    pub run_dir: String,
    /// Account that is charged.
    pub account: Option<String>,
    /// Environment modules.
    pub modules: Vec<String>,
    /// Where the key comes from.
    pub key: Key,
    /// The learner's port; 0: a free one.
    #[serde(default)]
    pub port: u16,
    /// Actors in a task: one by itself, or several behind a relay.
    #[serde(default = "one")]
    pub actors_per_task: u32,
    /// The learner.
    pub learner: Job,
    /// The actors' tasks; every one has a number.
    pub actor: Job,
}

impl Plan {
    /// The plan of a run.
    ///
    /// # Errors
    /// A path that is no text.
    pub fn new(request: &Request<'_>) -> Result<Self, LaunchError> {
        Ok(Self {
            keeper: text(&request.programs.thermoflow)?,
            working_dir: text(request.working_dir)?,
            run_dir: text(request.paths.run_dir())?,
            account: request.config.slurm.account.clone(),
            modules: request.config.slurm.modules.clone(),
            key: request.key.clone(),
            port: request.config.port,
            actors_per_task: request.config.actors_per_task,
            learner: learner(request)?,
            actor: actor(request)?,
        })
    }

    /// The command that keeps the learner: the first life begins the run, later ones go on with it.
    pub(super) fn keep_learner(&self) -> Vec<String> {
        let mut words = self.keep_actor();
        words.extend(["--resume-if".into(), format!("{}/run.toml", self.run_dir)]);
        words
    }

    /// The command that keeps an actor, or a relay with its actors.
    pub(super) fn keep_actor(&self) -> Vec<String> {
        [self.keeper.as_str(), "launch", "keep"].map(str::to_owned).into()
    }
}

/// Plans of before there were relays in them.
fn one() -> u32 {
    1
}

/// The names that jobs of a launch have, the learner's first.
pub(super) fn names(id: &str) -> [String; 2] {
    ["learner", "actor"].map(|kind| format!("tf-{id}-{kind}"))
}

fn learner(request: &Request<'_>) -> Result<Job, LaunchError> {
    let paths = request.paths;
    let mut command = vec![text(&request.programs.learner)?, text(&paths.config())?];
    let mut add = |flag: &str, value: String| command.extend([flag.to_owned(), value]);
    add("--run-dir", text(paths.run_dir())?);
    add(
        "--bind",
        format!("tcp://{}:{}", request.scheduler.bind(), request.config.port),
    );
    add("--address-file", text(&paths.address())?);
    if let Key::File(path) = request.key {
        add("--key-file", text(path)?);
    }
    let [name, _] = names(request.id);
    Ok(Job {
        name,
        command: command.into_iter().map(Word::Text).collect(),
        log: Word::Text(text(&paths.logs().join("learner.log"))?),
        resources: request.config.slurm.learner.clone(),
    })
}

fn actor(request: &Request<'_>) -> Result<Job, LaunchError> {
    let count = request.config.actors_per_task;
    let own = own(request)?;
    let command = if count == 1 {
        [program(&request.programs.actor, request)?, own].concat()
    } else {
        let crew = ["--crew", &count.to_string(), "--", GIVE_UP, &GIVE_UP_AFTER.to_string()].map(Word::from);
        [program(&request.programs.relay, request)?, crew.into(), own].concat()
    };
    let [_, name] = names(request.id);
    Ok(Job {
        name,
        command,
        log: Word::Numbered(text(&request.paths.logs().join("actor-"))?),
        resources: request.config.slurm.actor.clone(),
    })
}

/// A program and how it finds the learner.
fn program(path: &Path, request: &Request<'_>) -> Result<Vec<Word>, LaunchError> {
    let mut words = vec![text(path)?, "--connect-file".into(), text(&request.paths.address())?];
    words.extend([GIVE_UP.to_owned(), GIVE_UP_AFTER.to_string()]);
    if let Key::File(path) = request.key {
        words.extend(["--key-file".into(), text(path)?]);
    }
    Ok(words.into_iter().map(Word::Text).collect())
}

/// What every actor has for itself.
fn own(request: &Request<'_>) -> Result<Vec<Word>, LaunchError> {
    let paths = request.paths;
    let numbered = match request.config.actors_per_task {
        1 => Word::Numbered,
        _ => Word::Member,
    };
    let within = |dir: PathBuf| text(&dir.join("actor-")).map(numbered);
    let mut words = vec!["--name".into(), numbered("actor-".into())];
    words.extend(["--outbox".into(), within(paths.outboxes())?]);
    if request.config.ledger {
        words.extend(["--ledger".into(), within(paths.ledgers())?]);
    }
    if request.allow_programs {
        words.push("--allow-programs".into());
    }
    Ok(words)
}

/// A path as text that a script can hold.
pub(super) fn text(path: &Path) -> Result<String, LaunchError> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    text.map(str::to_owned)
        .ok_or_else(|| LaunchError::Unwritable(path.into()))
}
