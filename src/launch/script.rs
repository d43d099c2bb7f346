//! A job as a batch script for Slurm.

use super::job::MEMBER;
use super::{Job, LaunchError, Plan, Word};
use std::fmt::{self, Display};
use std::path::PathBuf;

/// Seconds before the time limit at which a program is asked to stop: a learner writes a checkpoint, an actor delivers what
/// it has. Slurm may be up to a minute late.
pub const WARNING: u32 = 120;

/// The variable with which Slurm tells a task of an array its number.
const NUMBER: &str = "SLURM_ARRAY_TASK_ID";

/// A script, and the options of sbatch in its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    options: Vec<String>,
    modules: Vec<String>,
    command: String,
}

impl Script {
    /// The script of the learner's job.
    ///
    /// # Errors
    /// A path that cannot stand in a script.
    pub fn learner(plan: &Plan) -> Result<Self, LaunchError> {
        Self::new(plan, &plan.learner, None, &plan.keep_learner())
    }

    /// The script of the actors' tasks with these numbers.
    ///
    /// # Errors
    /// A path that cannot stand in a script.
    pub fn actors(plan: &Plan, numbers: &[u32]) -> Result<Self, LaunchError> {
        Self::new(plan, &plan.actor, Some(numbers), &plan.keep_actor())
    }

    fn new(plan: &Plan, job: &Job, numbers: Option<&[u32]>, keep: &[String]) -> Result<Self, LaunchError> {
        let mut command = vec!["exec".to_owned()];
        for word in keep {
            command.push(quote(word)?);
        }
        command.push("--".into());
        for word in &job.command {
            command.push(shell(word)?);
        }
        Ok(Self {
            options: options(plan, job, numbers)?,
            modules: plan
                .modules
                .iter()
                .map(|module| quote(module))
                .collect::<Result<_, _>>()?,
            command: command.join(" "),
        })
    }
}

impl Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#!/bin/bash")?;
        for option in &self.options {
            writeln!(f, "#SBATCH {option}")?;
        }
        writeln!(f, "set -e")?;
        for module in &self.modules {
            writeln!(f, "module load {module}")?;
        }
        writeln!(f, "{}", self.command)
    }
}

fn options(plan: &Plan, job: &Job, numbers: Option<&[u32]>) -> Result<Vec<String>, LaunchError> {
    let log = match &job.log {
        Word::Text(text) => escape(text),
        Word::Numbered(before) | Word::Member(before) => format!("{}%a", escape(before)),
    };
    let mut options = vec![
        format!("--job-name={}", job.name),
        format!("--output={}", quote(&log)?),
        format!("--chdir={}", quote(&plan.working_dir)?),
        "--open-mode=append".into(),
        "--requeue".into(),
        format!("--signal=B:USR1@{WARNING}"),
        // Libraries, and the key where it is in a variable.
        "--export=ALL".into(),
        "--nodes=1".into(),
        "--ntasks=1".into(),
        format!("--cpus-per-task={}", job.resources.cpus),
    ];
    let optional = [
        ("account", &plan.account),
        ("partition", &job.resources.partition),
        ("time", &job.resources.time),
        ("mem", &job.resources.memory),
        ("gres", &job.resources.gres),
    ];
    for (name, value) in optional {
        options.extend(value.iter().map(|value| format!("--{name}={value}")));
    }
    options.extend(numbers.map(|numbers| format!("--array={}", ranges(numbers))));
    options.extend(job.resources.extra.iter().cloned());
    Ok(options)
}

/// In names of files, `%` stands for something else.
fn escape(path: &str) -> String {
    path.replace('%', "%%")
}

pub(super) fn quote(text: &str) -> Result<String, LaunchError> {
    let quoted = shlex::try_quote(text).map_err(|_| LaunchError::Unwritable(PathBuf::from(text)))?;
    Ok(quoted.into_owned())
}

fn shell(word: &Word) -> Result<String, LaunchError> {
    Ok(match word {
        Word::Text(text) => quote(text)?,
        Word::Numbered(before) => format!("{}\"${NUMBER}\"", quote(before)?),
        Word::Member(before) => format!("{}\"${NUMBER}\"{}", quote(before)?, quote(MEMBER)?),
    })
}

/// Numbers in ascending order as Slurm writes them: `0-3,7`.
pub fn ranges(numbers: &[u32]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let run = |run: &[u32]| match run {
        [only] => only.to_string(),
        _ => format!("{}-{}", run[0], run[run.len() - 1]),
    };
    runs.map(run).collect::<Vec<_>>().join(",")
}
