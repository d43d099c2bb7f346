//! Why an experiment could not be set up or analysed.

use super::EXPERIMENTS;
use crate::checkpoint::CheckpointError;
use crate::config::Invalid;
use crate::metrics::MetricsError;
use crate::offline::OfflineError;
use crate::policy::BackendError;
use crate::sampling::SampleError;
use crate::suggest::{did_you_mean, nearest};
use crate::task::{ScoreError, TaskError};

/// Why an experiment could not be set up or analysed.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// No experiment has this name.
    #[error("experiment {name:?} is not known{}; experiments are: {known}", did_you_mean(*nearest))]
    Unknown {
        /// The offending name.
        name: String,
        /// The name most like it.
        nearest: Option<&'static str>,
        /// All names.
        known: String,
    },
    /// An experiment that is not run on this task.
    #[error("experiment {experiment} cannot be run on task {task:?}; its tasks are: {tasks}")]
    NoSuchTask {
        /// The offending task.
        task: String,
        /// The experiment.
        experiment: &'static str,
        /// The tasks it can be run on.
        tasks: String,
    },
    /// An experiment on modes, and a task that lists none.
    #[error("task {0} lists no modes without data that users fetch (see thermoflow data)")]
    NoModes(String),
    /// Settings that are not allowed.
    #[error("the settings of a run are not allowed")]
    Settings(#[from] Invalid),
    /// The task of a run.
    #[error("the task of a run cannot be built")]
    Task(#[from] TaskError),
    /// The numbers that a run reported.
    #[error("the metrics of run {run} cannot be used")]
    Metrics {
        /// Name of the job.
        run: String,
        /// Why not.
        source: MetricsError,
    },
    /// The policy that a run left.
    #[error("the policy of run {run} cannot be used")]
    Checkpoint {
        /// Name of the job.
        run: String,
        /// Why not.
        source: CheckpointError,
    },
    /// Computing failed.
    #[error("the device failed")]
    Backend(#[from] BackendError),
    /// Sampling failed.
    #[error("sampling a policy failed")]
    Sampling(#[from] SampleError),
    /// Scoring failed.
    #[error("scoring failed")]
    Score(#[from] ScoreError),
    /// A data set for offline training.
    #[error("the data set of a run cannot be had")]
    DataSet(#[from] OfflineError),
}

impl ExperimentError {
    /// True when other arguments would help.
    pub fn is_bad_input(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::NoSuchTask { .. } | Self::NoModes(_))
    }

    pub(super) fn unknown(name: &str) -> Self {
        let known: Vec<&'static str> = EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
        Self::Unknown {
            name: name.into(),
            nearest: nearest(name, known.iter().copied()),
            known: known.join(", "),
        }
    }
}
