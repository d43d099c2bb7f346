//! Tasks: an environment, a reward, and what is known about the best objects. No policy, no sampling.
//!
//! A task is one file here and one line in [`KINDS`].

pub mod eight_mers;
pub mod gridworld;
pub mod modes;
pub mod oracle;
pub mod reward;
pub mod table;
pub mod tfbind8;

pub use eight_mers::EightMersError;
pub use table::{ScoreTable, TableError};

use crate::config::TaskConfig;
use crate::env::{Environment, Growth, States};
use crate::suggest::{did_you_mean, nearest};
use reward::RewardShape;
use std::fmt::Debug;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every task there is.
pub const KINDS: &[&TaskKind] = &[&tfbind8::KIND];

/// The names of all tasks, for messages.
pub fn names() -> String {
    KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
}

/// What is known about a task before it is built.
#[derive(Debug)]
pub struct TaskKind {
    /// Its name in a config and on the command line.
    pub name: &'static str,
    /// What it is about, in a line.
    pub summary: &'static str,
    /// The letters of its objects.
    pub alphabet: &'static str,
    /// Letters of an object.
    pub length: usize,
    /// How many objects there are.
    pub objects: u64,
    /// How many modes are listed with the built-in scores.
    pub modes: usize,
    /// Another score table can replace the built-in one.
    pub takes_table: bool,
    /// The published settings, which are the defaults of a run.
    pub published: Published,
    build: fn(&TaskConfig, Option<ScoreTable>) -> Result<Task, TaskError>,
}

/// Settings of the published experiment on a task (METHOD.md, table of tasks).
#[derive(Debug, Clone, Copy)]
pub struct Published {
    /// How strings grow.
    pub growth: Growth,
    /// From score to reward.
    pub reward: RewardShape,
    /// Hidden and embedding size of the policy.
    pub hidden: usize,
    /// Chance of a uniform action per step.
    pub epsilon: f32,
    /// Rounds of the online experiment.
    pub rounds: u64,
}

impl TaskKind {
    /// The task of this name.
    ///
    /// # Errors
    /// [`TaskError::Unknown`] names the nearest task and lists all.
    pub fn find(name: &str) -> Result<&'static Self, TaskError> {
        KINDS
            .iter()
            .find(|kind| kind.name == name)
            .copied()
            .ok_or_else(|| TaskError::unknown(name))
    }

    /// How many states there are, partial and complete.
    pub fn states(&self) -> u64 {
        (0..=self.length as u32)
            .map(|used| (self.alphabet.chars().count() as u64).pow(used))
            .sum()
    }

    /// The task with its published settings.
    pub fn config(&self) -> TaskConfig {
        let Published { growth, reward, .. } = self.published;
        TaskConfig {
            name: self.name.into(),
            table: None,
            growth,
            reward,
        }
    }
}

/// Why a task could not be built.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No task has this name.
    #[error("task {name:?} is not known{}; tasks are: {known}", did_you_mean(*nearest))]
    Unknown {
        /// The offending name.
        name: String,
        /// The name most like it.
        nearest: Option<&'static str>,
        /// All names.
        known: String,
    },
    /// A score table was given to a task that has no use for one.
    #[error("task {task:?} takes no score table")]
    NoTable {
        /// The task.
        task: &'static str,
    },
    /// A score table of another task.
    #[error("the score table has {found} scores, task {task:?} needs {needed}")]
    TableSize {
        /// The task.
        task: &'static str,
        /// Scores in the table.
        found: usize,
        /// Objects of the task.
        needed: usize,
    },
    /// The configuration names a table, but nobody gave its scores.
    #[error("the scores of table {} were not given (Task::load reads them)", .0.display())]
    TableNotGiven(PathBuf),
    /// A table could not be opened.
    #[error("score table {} cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A table is damaged or something else.
    #[error("score table {} cannot be used", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Why.
        source: EightMersError,
    },
}

impl TaskError {
    fn unknown(name: &str) -> Self {
        let names = || KINDS.iter().map(|kind| kind.name);
        let known = names().collect::<Vec<_>>().join(", ");
        Self::Unknown {
            name: name.into(),
            nearest: nearest(name, names()),
            known,
        }
    }
}

/// Reads a score table from a file.
///
/// # Errors
/// When the file cannot be opened or is no table; the message has the line.
pub fn read_table(path: &Path) -> Result<ScoreTable, TaskError> {
    let file = File::open(path).map_err(|source| TaskError::Open {
        path: path.into(),
        source,
    })?;
    eight_mers::read(file).map_err(|source| TaskError::Table {
        path: path.into(),
        source,
    })
}

/// Gives raw scores to complete objects, a batch at a time.
pub trait Scorer: Debug + Send + Sync {
    /// Raw scores y, one per complete state (row of `objects`). NaN: the object could not be scored (no answer in time,
    /// a failure, a score that is not finite) and must not reach training.
    ///
    /// # Errors
    /// When an oracle fails altogether; a table never does.
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError>;

    /// Every object, in alphabetical order, and its score, when the task is small enough to enumerate.
    fn enumerate(&self) -> Option<(States, Vec<f32>)> {
        None
    }

    /// How the oracle behind the scores is doing; all zero where there is none.
    fn health(&self) -> oracle::OracleHealth {
        oracle::OracleHealth::default()
    }

    /// Ends what the scorer runs, such as processes, and waits for that; a [`Self::score`] that another thread waits for
    /// fails at once. Dropping the scorer does the same, but cannot interrupt.
    fn stop(&self) {}
}

/// Why objects could not be scored.
#[derive(Debug, thiserror::Error)]
#[error("objects could not be scored: {0}")]
pub struct ScoreError(pub String);

/// A complete problem: what is built, what it is worth, which objects are listed as modes.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its name in a config and on the command line.
    pub name: String,
    /// Where objects are built.
    pub env: Arc<dyn Environment>,
    /// What they score.
    pub scorer: Arc<dyn Scorer>,
    /// How a score becomes a reward.
    pub reward: RewardShape,
    /// Objects (complete states) to be found; empty when none are listed.
    pub modes: Arc<modes::Modes>,
}

impl Task {
    /// The task that `config` describes; `table` replaces its built-in scores.
    ///
    /// # Errors
    /// An unknown name, a table of the wrong size, a task without tables, or a `config.table` without `table`.
    pub fn build(config: &TaskConfig, table: Option<ScoreTable>) -> Result<Self, TaskError> {
        let kind = TaskKind::find(&config.name)?;
        match (&config.table, &table) {
            (Some(path), None) => Err(TaskError::TableNotGiven(path.clone())),
            (_, Some(_)) if !kind.takes_table => Err(TaskError::NoTable { task: kind.name }),
            _ => (kind.build)(config, table),
        }
    }

    /// As [`Self::build`], with the scores of the file `config.table`, if it names one.
    ///
    /// # Errors
    /// As [`Self::build`] and [`read_table`].
    pub fn load(config: &TaskConfig) -> Result<Self, TaskError> {
        let table = config.table.as_deref().map(read_table).transpose()?;
        Self::build(config, table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_task_names_the_nearest_and_the_list() {
        let mut config = tfbind8::KIND.config();
        config.name = "tfbnd8".into();
        let message = Task::build(&config, None).unwrap_err().to_string();
        assert_eq!(
            message,
            "task \"tfbnd8\" is not known (did you mean \"tfbind8\"?); tasks are: tfbind8"
        );
    }

    #[test]
    fn a_named_table_is_never_silently_left_out() {
        let mut config = tfbind8::KIND.config();
        config.table = Some("missing/table.txt".into());
        assert!(matches!(Task::build(&config, None), Err(TaskError::TableNotGiven(_))));
        let message = Task::load(&config).unwrap_err().to_string();
        assert!(message.contains("missing/table.txt"), "{message}");
    }

    #[test]
    fn what_is_said_about_tasks_is_true() {
        for kind in KINDS {
            let task = Task::build(&kind.config(), None).unwrap();
            assert_eq!((task.modes.len(), task.name.as_str()), (kind.modes, kind.name));
            assert_eq!(task.env.state_width(), kind.length);
            if let Some((objects, scores)) = task.scorer.enumerate() {
                assert_eq!(
                    (objects.len() as u64, scores.len() as u64),
                    (kind.objects, kind.objects)
                );
            }
        }
    }
}
