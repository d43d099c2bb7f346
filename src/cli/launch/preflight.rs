//! What is looked at before anything is submitted.

use super::slurm;
use crate::cli::{BadInput, sibling};
use anyhow::{Context, anyhow};
use std::path::{Path, PathBuf};
use std::process::Command;
use thermoflow::config::{JobConfig, LaunchConfig};
use thermoflow::launch::{Key, LaunchPaths};
use thermoflow::protocol::secure::files;
use thermoflow::suggest::{did_you_mean, nearest};

/// How long a compute node is waited for, seconds.
const IMMEDIATE: u32 = 60;

/// The controller answers and knows the partitions.
pub fn cluster(config: &LaunchConfig) -> anyhow::Result<()> {
    slurm::call(Command::new("sbatch").arg("--version"))?;
    let known = slurm::partitions()?;
    for job in [&config.slurm.learner, &config.slurm.actor] {
        // Several may be given, separated by commas: the job takes the first that is free.
        for name in job.partition.iter().flat_map(|names| names.split(',')) {
            if !known.iter().any(|partition| partition == name) {
                let nearest = nearest(name, known.iter().map(String::as_str));
                let hint = did_you_mean(nearest);
                return Err(BadInput(format!(
                    "the cluster has no partition {name:?}{hint}; it has {} (launch.slurm.partition)",
                    known.join(", ")
                ))
                .into());
            }
        }
    }
    Ok(())
}

/// A compute node runs the program, and has the run directory and the key.
pub fn node(job: &JobConfig, paths: &LaunchPaths, key: &Key) -> anyhow::Result<()> {
    let mut command = Command::new("srun");
    command.args(["--nodes=1", "--ntasks=1", "--job-name=tf-probe", "--quiet", "--time=2"]);
    command.arg(format!("--immediate={IMMEDIATE}"));
    command.args(job.partition.iter().map(|name| format!("--partition={name}")));
    command.args(&job.extra);
    command.arg(std::env::current_exe().context("the place of this program is not known")?);
    command.args(["launch", "probe", "--config"]).arg(paths.config());
    if let Key::File(path) = key {
        command.arg("--key-file").arg(path);
    }
    let advice = "a compute node could not be looked at; when the cluster is merely full, --no-probe goes on without";
    slurm::call(&mut command).map(drop).context(BadInput(advice.into()))
}

/// Looks around on a compute node
#[derive(Debug, clap::Args)]
pub struct ProbeArgs {
    /// A file in the run directory
    #[arg(long)]
    config: PathBuf,
    /// The key
    #[arg(long)]
    key_file: Option<PathBuf>,
}

impl ProbeArgs {
    pub fn run(self) -> anyhow::Result<()> {
        let host = thermoflow::process::host_name();
        readable(&self.config).map_err(|error| {
            anyhow!("{host} does not have the run directory ({error}): choose one that all nodes share")
        })?;
        if let Some(path) = &self.key_file {
            files::read(path).with_context(|| format!("{host} cannot use the key: copy the file there with scp -p"))?;
        }
        for program in ["thermoflow-learner", "thermoflow-actor"] {
            sibling::find(program).with_context(|| format!("on {host}"))?;
        }
        Ok(())
    }
}

fn readable(path: &Path) -> anyhow::Result<()> {
    std::fs::read(path)
        .map(drop)
        .with_context(|| path.display().to_string())
}
