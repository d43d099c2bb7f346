//! A launch as processes of one machine: their command lines, and what is written down of each of them. Nothing is started
//! here, and no process is looked at.
//!
//! Every program has a keeper, `thermoflow launch keep`, which asks it to stop and writes down how it ended.
//!
//! Invariant: a keeper is written down before it starts its program (it waits for that), so whatever happens while a run is
//! launched, `launch stop` finds all of it.

use super::job::text;
use super::queue::{Task, Who};
use super::script::quote;
use super::{LaunchError, LaunchPaths, Plan, json};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A process that no later one of its number is mistaken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it came to be, as its system tells it; of two processes with one number no two are equal.
    pub born: String,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What is written down of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Who keeps it.
    pub keeper: ProcessId,
    /// When that was started, seconds since 1970.
    pub started: u64,
    /// The program, once it is started.
    pub program: Option<ProcessId>,
    /// How it ended, and when (seconds since 1970).
    pub ended: Option<(End, u64)>,
}

impl Process {
    /// Of a keeper that was started at `started` (seconds since 1970).
    pub fn new(keeper: ProcessId, started: u64) -> Self {
        Self {
            keeper,
            started,
            program: None,
            ended: None,
        }
    }

    /// What is written down; None when nothing is.
    ///
    /// # Errors
    /// The file system, or the file is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>, LaunchError> {
        json::read(path)
    }

    /// Puts it on the disk.
    ///
    /// # Errors
    /// The file system.
    pub fn write(&self, path: &Path) -> Result<(), LaunchError> {
        json::write(path, self)
    }

    /// What there is to say of it at `now` (seconds since 1970), on `host`; `is_live` tells of a process.
    pub fn task(&self, host: &str, now: u64, is_live: impl Fn(&ProcessId) -> bool) -> Task {
        let program = self.program.as_ref().is_some_and(&is_live);
        let (state, reason) = match self.ended {
            Some((End::Code(0), _)) => ("COMPLETED", String::new()),
            Some((End::Code(code), _)) => ("FAILED", format!("exit code {code}")),
            Some((End::Signal(signal), _)) => ("FAILED", format!("killed by signal {signal}")),
            None if program => ("RUNNING", String::new()),
            None if is_live(&self.keeper) => match &self.program {
                Some(_) => ("COMPLETING", String::new()),
                None => ("CONFIGURING", String::new()),
            },
            // The keeper was killed, or the machine was switched off.
            None => ("FAILED", "lost with its keeper".into()),
        };
        let until = self.ended.map_or(now, |(_, at)| at);
        Task {
            job: self.program.as_ref().unwrap_or(&self.keeper).pid.to_string(),
            state: state.into(),
            node: host.into(),
            time: elapsed(until.saturating_sub(self.started)),
            reason,
        }
    }
}

/// Seconds as Slurm writes them: `1:02`, `1:00:00`, `2-00:00:00`.
fn elapsed(seconds: u64) -> String {
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    match (hours / 24, hours % 24) {
        (0, 0) => format!("{minutes}:{seconds:02}"),
        (0, hours) => format!("{hours}:{minutes:02}:{seconds:02}"),
        (days, hours) => format!("{days}-{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// The command that starts a program.
///
/// # Errors
/// A path that is no text.
pub fn command(plan: &Plan, paths: &LaunchPaths, who: Who) -> Result<Vec<String>, LaunchError> {
    let (job, mut words, number) = match who {
        Who::Learner => (&plan.learner, plan.keep_learner(), 0),
        Who::Actor(number) => (&plan.actor, plan.keep_actor(), number),
    };
    words.extend(["--process".into(), text(&paths.process(who))?, "--".into()]);
    words.extend(job.command.iter().map(|word| word.at(number)));
    Ok(words)
}

/// The same as a shell has it, with the file that gets what it says.
///
/// # Errors
/// A path that is no text.
pub fn line(plan: &Plan, paths: &LaunchPaths, who: Who) -> Result<String, LaunchError> {
    let words = command(plan, paths, who)?;
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect::<Result<_, _>>()?;
    Ok(format!(
        "{} >>{} 2>&1",
        words.join(" "),
        quote(&text(&paths.log(who))?)?
    ))
}
