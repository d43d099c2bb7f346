//! A run that is over: the numbers it reported and the policy it left.

use super::{ExperimentError, Job};
use crate::checkpoint::load_policy;
use crate::exact::{Enumerated, ExactMetrics, ExactPolicy};
use crate::metrics::{MetricsRow, jsonl};
use crate::policy::{Backend, BackendError, PolicySpec, backend};
use crate::run_dir::RunPaths;
use crate::sampling::Sampler;
use crate::task::Task;
use std::path::{Path, PathBuf};

/// A run that is over.
#[derive(Debug)]
pub struct FinishedJob {
    /// What was run.
    pub job: Job,
    /// Its run directory.
    pub run_dir: PathBuf,
    /// What it reported, in order.
    pub rows: Vec<MetricsRow>,
}

/// A trained policy, ready to be asked.
pub struct Trained {
    /// The task of the run.
    pub task: Task,
    /// What the policy is.
    pub spec: PolicySpec,
    /// Computes it.
    pub backend: Box<dyn Backend>,
}

/// A policy at one β, by enumeration.
#[derive(Debug)]
pub struct AtBeta {
    /// log P(x | β) of every object, in the order of `Enumerated::graph`.
    pub log_p: Vec<f64>,
    /// How close that is to the target.
    pub metrics: ExactMetrics,
}

impl Trained {
    /// Compares the policy with the target at each β, by enumeration; `all` is of the same task.
    ///
    /// # Errors
    /// When the device fails.
    pub fn exact(&mut self, all: &Enumerated, betas: &[f32]) -> Result<Vec<AtBeta>, BackendError> {
        let mut exact = ExactPolicy::new(&all.graph, &self.spec);
        let at = |&beta| {
            let log_p = exact.log_probabilities(&*self.task.env, &mut *self.backend, beta)?;
            let log_z = self.backend.log_z(&[beta])?[0];
            let metrics = ExactMetrics::new(beta, &log_p, &all.log_rewards, log_z);
            Ok(AtBeta { log_p, metrics })
        };
        betas.iter().map(at).collect()
    }

    /// Draws samples of the policy.
    pub fn sampler(&mut self, seed: u64) -> Sampler<'_> {
        Sampler::new(&self.task, &self.spec, &mut *self.backend, seed)
    }
}

impl FinishedJob {
    /// Reads the reports of the run.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn load(job: Job, run_dir: &Path) -> Result<Self, ExperimentError> {
        let rows = jsonl::read(&RunPaths::new(run_dir).metrics()).map_err(|source| ExperimentError::Metrics {
            run: job.name(),
            source,
        })?;
        let run_dir = run_dir.into();
        Ok(Self { job, run_dir, rows })
    }

    /// Loads the policy that the run left, with its task, on the learner's device.
    ///
    /// # Errors
    /// No checkpoint can be read, or the task or the device cannot be had.
    pub fn trained(&self) -> Result<Trained, ExperimentError> {
        let config = &self.job.variant.config;
        let found = load_policy(&self.run_dir, None).map_err(|source| ExperimentError::Checkpoint {
            run: self.job.name(),
            source,
        })?;
        let parameters = found.policy.parameters;
        let task = Task::load(&config.task)?;
        let backend = backend(&config.learner.device, task.env.clone(), &parameters)?;
        let spec = parameters.layout.spec.clone();
        Ok(Trained { task, spec, backend })
    }

    /// The name in legends and tables.
    pub fn label(&self) -> &str {
        &self.job.variant.label
    }

    /// The task's name.
    pub fn task(&self) -> &str {
        &self.job.variant.config.task.name
    }
}
