//! Tasks: an environment, a reward, and what is known about the best objects. No policy, no sampling.
//!
//! A task is one file here and one line in [`KINDS`].

pub mod blocks;
pub mod eight_mers;
pub mod gridworld;
pub mod import;
pub mod modes;
pub mod oracle;
pub mod reward;
pub mod rna;
pub mod sequence;
pub mod table;
pub mod tfbind8;

pub use eight_mers::EightMersError;
pub use table::{ScoreTable, TableError};

use crate::config::{OfflineConfig, TaskConfig};
use crate::env::{Environment, SequenceEnv, States};
use crate::suggest::{did_you_mean, nearest};
use reward::RewardShape;
use std::fmt::Debug;
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every task there is.
pub const KINDS: &[&TaskKind] = &[
    &tfbind8::KIND,
    &blocks::kinds::QM9STR,
    &blocks::kinds::SEHSTR,
    &rna::KINDS[0],
    &rna::KINDS[1],
    &rna::KINDS[2],
    &rna::KINDS[3],
    &gridworld::KIND,
    &sequence::KIND,
];

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
    /// Its objects, in words.
    pub objects: &'static str,
    /// Keys of `[task]` that it takes besides name and reward.
    pub takes: &'static [&'static str],
    /// The published settings, which are the defaults of a run.
    pub published: Published,
    /// The published settings of `[task]` itself; those that it does not take are None.
    pub defaults: fn() -> TaskConfig,
    /// Reads the file that the task needs, if it needs one; the learner hands it to actors.
    pub attachment: fn(&TaskConfig) -> Result<Option<Vec<u8>>, TaskError>,
    /// Builds the task from its configuration and what `attachment` read.
    pub build: fn(&TaskConfig, Option<&[u8]>) -> Result<Task, TaskError>,
}

/// Settings of the published experiment on a task (METHOD.md, table of tasks).
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Hidden and embedding size of the policy.
    pub hidden: usize,
    /// Chance of a uniform action per step.
    pub epsilon: f32,
    /// Rounds of the online experiment.
    pub rounds: u64,
    /// The data set of offline training.
    pub offline: OfflineConfig,
}

impl Published {
    /// Those of TFBind8; tasks without an experiment of their own in the paper start from them.
    pub const TFBIND8: Self = Self {
        hidden: 128,
        epsilon: 0.01,
        rounds: 2000,
        offline: LOWER_HALF,
    };
}

/// The lower half of all objects.
pub const LOWER_HALF: OfflineConfig = OfflineConfig {
    sample: 0,
    share: 0.5,
    seed: 0,
};

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

    /// The task with its published settings.
    pub fn config(&self) -> TaskConfig {
        (self.defaults)()
    }

    /// The keys of `[task]` that it takes.
    pub fn takes_in_words(&self) -> String {
        let keys: Vec<String> = self.takes.iter().map(|key| format!("task.{key}, ")).collect();
        format!("task.name, {}task.reward", keys.concat())
    }
}

/// For tasks that need no file.
pub fn no_attachment(_: &TaskConfig) -> Result<Option<Vec<u8>>, TaskError> {
    Ok(None)
}

/// The whole of a file.
///
/// # Errors
/// When it cannot be read.
pub fn read_file(path: &Path) -> Result<Vec<u8>, TaskError> {
    std::fs::read(path).map_err(|source| TaskError::Open {
        path: path.into(),
        source,
    })
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
    /// The configuration names a file, but nobody gave what is in it.
    #[error("what is in {} was not given (Task::load reads it)", .0.display())]
    NotGiven(PathBuf),
    /// What was given in place of a file is damaged.
    #[error("the score table cannot be used")]
    Scores(#[from] TableError),
    /// A target that is none.
    #[error("task.targets")]
    Target(#[from] rna::RnaError),
    /// A score table of a task of one's own that cannot be used.
    #[error("the score table cannot be used")]
    TableFile(#[from] oracle::TableFileError),
    /// A model that cannot be used.
    #[error("the model cannot be used")]
    Model(#[from] oracle::ModelError),
    /// Published data that has not been imported, or cannot be read.
    #[error(transparent)]
    DataFile(blocks::BlockDataError),
    /// What was given as published data is damaged or something else.
    #[error("the data of task {task:?} cannot be used")]
    Data {
        /// The task.
        task: &'static str,
        /// Why.
        source: blocks::BlockDataError,
    },
    /// A value of `[task]` that is missing or not allowed.
    #[error("task.{key} = {value} is not allowed: {allowed}")]
    Value {
        /// The key within `[task]`.
        key: &'static str,
        /// The offending value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A file could not be opened.
    #[error("{} cannot be opened", path.display())]
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

    /// True when scoring an object again costs next to nothing and gives the same, on another machine too but for rounding.
    /// The learner then scores a share of what actors send again.
    fn is_repeatable(&self) -> bool {
        false
    }

    /// How the oracle behind the scores is doing; all zero where there is none.
    fn health(&self) -> oracle::OracleHealth {
        oracle::OracleHealth::default()
    }

    /// Starts what the scorer runs, such as processes. Without it, [`Self::score`] does so when it is first called.
    ///
    /// # Errors
    /// When there is no use in trying again: the program is not there.
    fn start(&self) -> Result<(), ScoreError> {
        Ok(())
    }

    /// Ends what the scorer runs, such as processes, and waits for that; a [`Self::score`] that another thread waits for
    /// fails at once. Dropping the scorer does the same, but cannot interrupt.
    fn stop(&self) {}
}

/// Why objects could not be scored.
#[derive(Debug, thiserror::Error)]
#[error("objects could not be scored: {0}")]
pub struct ScoreError(pub String);

/// The most features of a state: each has a weight per hidden unit.
const MOST_FEATURES: usize = 1 << 17;

impl TaskConfig {
    /// The strings of a task over these letters.
    ///
    /// # Errors
    /// When words are longer than strings, or there are too many of them.
    ///
    /// # Panics
    /// As [`SequenceEnv::variable`].
    pub fn strings(&self, alphabet: &str, lengths: RangeInclusive<usize>) -> Result<SequenceEnv, TaskError> {
        let env = SequenceEnv::variable(alphabet, lengths, self.growth());
        let words = self.words.unwrap_or(1);
        let few_enough = |&words: &usize| {
            env.features_with_words(words)
                .is_some_and(|count| count <= MOST_FEATURES)
        };
        if words == 1 {
            return Ok(env);
        }
        let most = (1..=env.length()).take_while(few_enough).last().unwrap_or(1);
        if (1..=most).contains(&words) {
            return Ok(env.with_words(words));
        }
        Err(TaskError::Value {
            key: "words",
            value: words.to_string(),
            allowed: format!("words of 1 to {most} letters here (at most {MOST_FEATURES} features)"),
        })
    }
}

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
    /// The task that `config` describes; `attachment` is what its kind's file holds ([`attachment`]).
    ///
    /// # Errors
    /// An unknown name, a value that is not allowed, or an attachment that is missing or does not fit.
    pub fn build(config: &TaskConfig, attachment: Option<&[u8]>) -> Result<Self, TaskError> {
        (TaskKind::find(&config.name)?.build)(config, attachment)
    }

    /// As [`Self::build`], with the file that the configuration names.
    ///
    /// # Errors
    /// As [`Self::build`] and [`attachment`].
    pub fn load(config: &TaskConfig) -> Result<Self, TaskError> {
        Self::build(config, attachment(config)?.as_deref())
    }
}

/// What is in the file that a task needs: None when it needs none.
///
/// # Errors
/// An unknown task, a file that cannot be read or is not what it should be.
pub fn attachment(config: &TaskConfig) -> Result<Option<Vec<u8>>, TaskError> {
    (TaskKind::find(&config.name)?.attachment)(config)
}

#[cfg(test)]
mod tests;
