//! A trained policy from the command line: the arguments that name one, shared by `sample`, `score` and `evaluate`.

use super::BadInput;
use crate::checkpoint::load_policy;
use crate::config::{Invalid, RunConfig};
use crate::policy::{Backend, Parameterization, Parameters, PolicySpec, backend};
use crate::run_dir::RunRecord;
use crate::task::{Task, TaskKind};
use std::path::{Path, PathBuf};

/// Which policy, on which task, computed where.
#[derive(Debug, clap::Args)]
pub struct Source {
    /// A .safetensors file, a checkpoint directory, or a run directory (its newest checkpoint)
    #[arg(long, value_name = "C")]
    pub checkpoint: PathBuf,
    /// The task, where the checkpoint does not say [default: what it says, else tfbind8]
    #[arg(long)]
    pub task: Option<String>,
    /// Files of the task
    #[command(flatten)]
    pub files: Files,
    /// Where to compute: cpu, cpu-torch, cuda, cuda:N, mps
    #[arg(long, default_value = "cpu")]
    pub device: String,
}

/// Files of a task, in place of those that it uses otherwise.
#[derive(Debug, Default, clap::Args)]
pub struct Files {
    /// Score table to use instead of the built-in one (tfbind8, sequence)
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Imported data to use instead of that in $THERMOFLOW_DATA (qm9str, sehstr, rna1)
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

impl Files {
    /// Puts them into a configuration.
    pub fn name_in(&self, config: &mut RunConfig) -> Result<(), Invalid> {
        if self.table.is_some() {
            config.task.table.clone_from(&self.table);
        }
        if self.data.is_some() {
            config.task.data.clone_from(&self.data);
        }
        config.check()
    }
}

/// A policy with its task.
pub struct Policy {
    /// The task with its published settings (or those of the run that the checkpoint belongs to).
    pub task: Task,
    /// The configuration these come from.
    pub config: RunConfig,
    /// The weights.
    pub parameters: Parameters,
    device: String,
}

impl Source {
    /// Reads the policy. `adjust` completes what bare tensors do not say of themselves.
    pub fn load(&self, adjust: impl FnOnce(&mut PolicySpec)) -> anyhow::Result<Policy> {
        let found = load_policy(&self.checkpoint, None)?;
        for (path, error) in &found.skipped {
            tracing::warn!("checkpoint {} was passed over: {error}", path.display());
        }
        let mut parameters = found.policy.parameters;
        let said = found.policy.meta.map(|meta| meta.task);
        if said.is_none() {
            let mut spec = parameters.layout.spec.clone();
            adjust(&mut spec);
            parameters.layout = crate::policy::Layout::new(&spec, parameters.layout.sizes);
        }
        let name = self.task.clone().or(said).unwrap_or_else(|| "tfbind8".into());
        TaskKind::find(&name)?;
        let mut config = match self.run_config()? {
            Some(config) if config.task.name == name => config,
            _ => RunConfig::published(&name)?,
        };
        self.files.name_in(&mut config)?;
        let task = Task::load(&config.task)?;
        check_features(&found.path, &parameters, &task)?;
        Ok(Policy {
            task,
            config,
            parameters,
            device: self.device.clone(),
        })
    }

    /// The configuration of the run that the checkpoint lies in, if it lies in one.
    fn run_config(&self) -> anyhow::Result<Option<RunConfig>> {
        let place = self
            .checkpoint
            .canonicalize()
            .unwrap_or_else(|_| self.checkpoint.clone());
        // RUN, RUN/checkpoints/<step>, RUN/checkpoints/<step>/policy.safetensors.
        let runs = place.ancestors().take(4).map(|dir| dir.join("run.toml"));
        let Some(record) = runs.into_iter().find(|path| path.is_file()) else {
            return Ok(None);
        };
        let run = record.parent().unwrap_or(&place);
        Ok(Some(RunRecord::read(run)?.config))
    }
}

impl Policy {
    /// The backend that computes it.
    pub fn backend(&self) -> anyhow::Result<Box<dyn Backend>> {
        Ok(backend(&self.device, self.task.env.clone(), &self.parameters)?)
    }
}

/// The policy in a checkpoint, for a task that is known; and where it was found.
///
/// # Errors
/// No policy there, or one for another task.
pub fn load_for(task: &Task, checkpoint: &Path) -> anyhow::Result<(PathBuf, Parameters)> {
    let found = load_policy(checkpoint, None)?;
    check_features(&found.path, &found.policy.parameters, task)?;
    Ok((found.path, found.policy.parameters))
}

fn check_features(path: &Path, parameters: &Parameters, task: &Task) -> Result<(), BadInput> {
    let (has, needs) = (parameters.layout.sizes, task.env.sizes());
    let scores_actions = parameters.layout.spec.parameterization == Parameterization::StateAction;
    let (path, name) = (path.display(), &task.name);
    if has.features != needs.features {
        return Err(BadInput(format!(
            "{path} takes {} features of a state, task {name:?} has {}",
            has.features, needs.features
        )));
    }
    if scores_actions && has.actions != needs.actions {
        return Err(BadInput(format!(
            "{path} scores {} actions, task {name:?} has {}",
            has.actions, needs.actions
        )));
    }
    Ok(())
}

/// Reads a positive, finite β.
pub fn parse_beta(text: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(beta) if beta.is_finite() && beta > 0.0 => Ok(beta),
        _ => Err("β is a positive number, for example 0.5 or 2".into()),
    }
}
