//! Slurm's commands.

use super::super::queue::Tasks;
use crate::cli::BadInput;
use anyhow::Context;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};
use thermoflow::launch::Key;
use thermoflow::launch::queue;
use thermoflow::protocol::secure::KEY_VARIABLE;

/// Submits a script; its job's number.
pub fn submit(script: &Path, key: &Key) -> anyhow::Result<String> {
    let mut command = Command::new("sbatch");
    command.arg("--parsable").arg(script);
    if let Key::File(_) = key {
        // Slurm would keep it with the job.
        command.env_remove(KEY_VARIABLE);
    }
    let printed = call(&mut command)?;
    // With several clusters: JOB;CLUSTER.
    let job = printed.trim().split(';').next().unwrap_or_default();
    if job.is_empty() || !job.bytes().all(|byte| byte.is_ascii_digit()) {
        anyhow::bail!("sbatch printed {printed:?} in place of a job's number");
    }
    Ok(job.into())
}

/// The tasks of the jobs with these names that Slurm knows.
pub fn tasks(names: &[String; 2]) -> anyhow::Result<Tasks> {
    let mut command = Command::new("squeue");
    command.args(["--noheader", "--array", "--states=all"]);
    command.arg(format!("--name={}", names.join(",")));
    command.arg(format!("--format={}", queue::FORMAT));
    Ok(queue::parse(&call(&mut command)?, names)?)
}

/// Cancels tasks (`12`, `12_3`): Slurm asks them to end, and ends them after its KillWait.
pub fn cancel<'a>(jobs: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
    let jobs: Vec<&str> = jobs.into_iter().collect();
    if jobs.is_empty() {
        return Ok(());
    }
    call(Command::new("scancel").args(jobs)).map(drop)
}

/// Cancels whatever was submitted under these names.
pub fn cancel_all(names: &[String; 2]) -> anyhow::Result<()> {
    for name in names {
        call(Command::new("scancel").arg(format!("--name={name}")))?;
    }
    Ok(())
}

/// Sends a signal to what a job's script became.
pub fn signal(job: &str, signal: &str) -> anyhow::Result<()> {
    let flag = format!("--signal={signal}");
    call(Command::new("scancel").args(["--batch", &flag, job])).map(drop)
}

/// Puts this job back into the queue.
pub fn requeue(job: &str) -> anyhow::Result<()> {
    call(Command::new("scontrol").args(["requeue", job])).map(drop)
}

/// Nodes other than `node` on which a job of `partition` (the default one, if None) could start at once.
pub fn other_nodes(node: &str, partition: Option<&str>) -> anyhow::Result<Vec<String>> {
    let mut command = Command::new("sinfo");
    command.args(["--noheader", "--Node", "--states=idle,mixed", "--format=%N|%P"]);
    command.args(partition.map(|names| format!("--partition={names}")));
    let printed = call(&mut command)?;
    let lines = printed.lines().filter_map(|line| line.trim().split_once('|'));
    // The default partition has a star behind its name.
    let ours = lines.filter(|(_, name)| partition.is_some() || name.ends_with('*'));
    Ok(ours
        .map(|(node, _)| node.to_owned())
        .filter(|name| name != node)
        .collect())
}

/// The cluster's partitions, which tells that the controller answers.
pub fn partitions() -> anyhow::Result<Vec<String>> {
    let printed = call(Command::new("sinfo").args(["--noheader", "--format=%R"]))?;
    Ok(printed.lines().map(|line| line.trim().to_owned()).collect())
}

/// What a command printed. Whatever it refuses is for the user to put right.
pub fn call(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| missing(&name, error))?;
    printed(&name, output)
}

/// What the command of this name printed.
pub fn printed(name: &str, Output { status, stdout, stderr }: Output) -> anyhow::Result<String> {
    if status.success() {
        return String::from_utf8(stdout).with_context(|| format!("{name} printed no text"));
    }
    let said = String::from_utf8_lossy(&stderr);
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let advice = if said
        .iter()
        .any(|line| line.contains("contact slurm controller") || line.contains("establish a configuration"))
    {
        "; is slurmctld up, and SLURM_CONF right? `scontrol ping` tells"
    } else {
        ""
    };
    Err(BadInput(format!("{name} failed ({status}): {}{advice}", said.join(", "))).into())
}

fn missing(name: &str, error: std::io::Error) -> anyhow::Error {
    if error.kind() == ErrorKind::NotFound {
        let advice = "run this where Slurm's commands are (a login node), or start the run on this machine with `thermoflow launch local`";
        return BadInput(format!("there is no Slurm here: {name} is not found; {advice}")).into();
    }
    anyhow::Error::new(error).context(format!("{name} cannot be started"))
}

/// The value of an environment variable that Slurm sets in a job.
pub fn variable(name: impl AsRef<OsStr>) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
