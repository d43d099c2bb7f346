//! What is looked at before anything is submitted. Compute nodes are looked at by two short jobs: one where the learner would
//! run, which listens where it would, and one where actors would, which connects to that.

use super::commands;
use crate::cli::BadInput;
use crate::cli::launch::probe::Place;
use crate::cli::launch::queue::wait;
use anyhow::{Context, bail};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use thermoflow::config::JobConfig;
use thermoflow::launch::{Key, LaunchPaths, Plan};
use thermoflow::suggest::{did_you_mean, nearest};

/// How long a compute node is waited for, seconds.
const IMMEDIATE: u32 = 60;

/// How long the listening job is waited for: to start, and for a shared file system to show what it wrote.
const LISTENS_WITHIN: Duration = Duration::from_secs(IMMEDIATE as u64 + 30);

/// The controller answers and knows the partitions.
pub fn cluster(plan: &Plan) -> anyhow::Result<()> {
    commands::call(Command::new("sbatch").arg("--version"))?;
    let known = commands::partitions()?;
    for job in [&plan.learner.resources, &plan.actor.resources] {
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

/// Compute nodes run the programs, have the run directory and the key, and an actor's reaches the learner's.
pub fn nodes(plan: &Plan, paths: &LaunchPaths) -> anyhow::Result<()> {
    // One may be left of an attempt that was cut short.
    let _ = std::fs::remove_file(paths.probe());
    let advice = "compute nodes could not be looked at; when the cluster is merely full, --no-probe goes on without";
    look(plan, paths).context(BadInput(advice.into()))
}

fn look(plan: &Plan, paths: &LaunchPaths) -> anyhow::Result<()> {
    let mut listening = srun(&plan.learner.resources);
    probe(&mut listening, plan, paths);
    listening.args(["--listen", &plan.port.to_string()]);
    let piped = listening
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut listener = piped.spawn().context("srun cannot be started")?;
    let connected = connect(&mut listener, plan, paths);
    let ended = listener.try_wait()?.is_some();
    // It need not wait any longer.
    let _ = std::fs::remove_file(paths.probe());
    let listened = commands::printed("srun", listener.wait_with_output()?);
    if connected.is_err() && !ended {
        return connected;
    }
    // Why the listening side failed is why nobody could connect.
    listened.and(connected)
}

/// Lets a second job connect to the first.
fn connect(listener: &mut Child, plan: &Plan, paths: &LaunchPaths) -> anyhow::Result<()> {
    let mut ended = false;
    let listens = wait(LISTENS_WITHIN, || {
        ended = listener.try_wait()?.is_some();
        Ok(ended || paths.probe().exists())
    })?;
    if ended || !listens {
        bail!("the node of the learner does not say where it listens");
    }
    let node = Place::read(&paths.probe())?.node;
    let job = &plan.actor.resources;
    let mut connecting = srun(job);
    // From another node if there is one: a machine always reaches itself.
    if !commands::other_nodes(&node, job.partition.as_deref())?.is_empty() {
        connecting.arg(format!("--exclude={node}"));
    }
    probe(&mut connecting, plan, paths);
    connecting.arg("--connect").stdin(Stdio::null());
    commands::call(&mut connecting).map(drop)
}

/// A job of one task that gives up when it cannot start at once.
fn srun(job: &JobConfig) -> Command {
    let mut command = Command::new("srun");
    command.args(["--nodes=1", "--ntasks=1", "--job-name=tf-probe", "--quiet", "--time=2"]);
    command.arg(format!("--immediate={IMMEDIATE}"));
    command.args(job.partition.iter().map(|name| format!("--partition={name}")));
    command.args(&job.extra);
    command
}

/// Adds what runs in it.
fn probe(command: &mut Command, plan: &Plan, paths: &LaunchPaths) {
    command.args([plan.keeper.as_str(), "launch", "probe", "--config"]);
    command.arg(paths.config()).arg("--place").arg(paths.probe());
    if let Key::File(path) = &plan.key {
        command.arg("--key-file").arg(path);
    }
}
