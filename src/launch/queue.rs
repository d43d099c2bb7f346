//! The programs of a launch as whoever runs them sees them, and what Slurm says of its jobs: the lines of `squeue`, read.

use super::LaunchError;
use std::collections::BTreeMap;

/// What `squeue` is asked to print: job, name, state, node, time used, reason.
pub const FORMAT: &str = "%i|%j|%T|%N|%M|%r";

/// States of jobs that will not run any more.
const ENDED: [&str; 9] = [
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "REVOKED",
    "TIMEOUT",
];

/// Who a job is for. The learner comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The learner.
    Learner,
    /// The actor of this number, or the relay with its actors: a task of the actors' job.
    Actor(u32),
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Learner => f.write_str("learner"),
            Self::Actor(number) => write!(f, "actor-{number}"),
        }
    }
}

impl std::str::FromStr for Who {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = text.strip_prefix("actor-").and_then(|number| number.parse().ok());
        match (text, number) {
            ("learner", _) => Ok(Self::Learner),
            (_, Some(number)) => Ok(Self::Actor(number)),
            _ => Err(()),
        }
    }
}

impl Who {
    /// An actor of this name is part of it: `actor-3`, or where there are several in a task `actor-3.0` and so on.
    pub fn has(self, actor: &str) -> bool {
        let rest = actor.strip_prefix(&self.to_string());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// One program of a run, as the scheduler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Job, with the number of the task in an array (`12_3`), or process.
    pub job: String,
    /// In Slurm's words, upper case, whoever runs it.
    pub state: String,
    /// Where it runs; empty when it does not.
    pub node: String,
    /// How long it has run.
    pub time: String,
    /// Why it waits, or ended; empty when there is nothing to say.
    pub reason: String,
}

impl Task {
    /// It runs, or will.
    pub fn is_live(&self) -> bool {
        !ENDED.contains(&self.state.as_str())
    }
}

/// The tasks of the jobs with these names, the learner's first; of several lives of an actor the live or newest one.
///
/// # Errors
/// A line that is not as asked for.
pub fn parse(text: &str, [learner, actor]: &[String; 2]) -> Result<BTreeMap<Who, Task>, LaunchError> {
    let mut lines = csv::ReaderBuilder::new();
    let lines = lines.delimiter(b'|').has_headers(false).quoting(false).flexible(true);
    let mut tasks: BTreeMap<Who, Task> = BTreeMap::new();
    for line in lines.from_reader(text.as_bytes()).records() {
        let line = line.map_err(|error| LaunchError::Queue(error.to_string()))?;
        let unknown = || LaunchError::Queue(line.iter().collect::<Vec<_>>().join("|"));
        let fields: Vec<&str> = line.iter().map(str::trim).collect();
        let [job, name, state, node, time, reason] = fields[..] else {
            return Err(unknown());
        };
        let who = if name == learner {
            Who::Learner
        } else if name == actor {
            let number = job.rsplit_once('_').and_then(|(_, number)| number.parse().ok());
            Who::Actor(number.ok_or_else(unknown)?)
        } else {
            continue;
        };
        let reason = if reason == "None" { "" } else { reason };
        let task = Task {
            job: job.into(),
            state: state.into(),
            node: node.into(),
            time: time.into(),
            reason: reason.into(),
        };
        let known = tasks.get(&who);
        if known.is_none_or(|known| rank(known) <= rank(&task)) {
            tasks.insert(who, task);
        }
    }
    Ok(tasks)
}

/// Which of two lives counts: a live one, else the later job.
fn rank(task: &Task) -> (bool, u64) {
    let number = task.job.split('_').next().and_then(|number| number.parse().ok());
    (task.is_live(), number.unwrap_or(0))
}
