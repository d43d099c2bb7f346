//! `thermoflow launch keep`: one program within a job of Slurm, in the background of a machine, or in a pod. It asks the
//! program to stop, when its time runs out for one, and sees to it that it is known how it ended: a job of Slurm goes back into
//! the queue, for a process in the background it is written down, for a pod it is the exit code.
//!
//! The program is asked by closing its standard input, never by a signal: when Slurm ends a job, or a machine is switched
//! off, SIGTERM goes to every process, and a second request would stop the program at once, without a checkpoint.

use super::local::Kept;
use super::slurm;
use anyhow::Context;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use thermoflow::launch::kubernetes::ASKED;
use thermoflow::process::was_killed;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// A program that was killed (out of memory, a crash), or one of its own, comes back so many times.
const LIVES: u32 = 5;

/// Runs a program within a job
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Add --resume when this file is there
    #[arg(long, value_name = "PATH")]
    resume_if: Option<PathBuf>,
    /// In the background: wait for a line of standard input, then write down in this file what becomes of the program
    #[arg(long, value_name = "PATH")]
    process: Option<PathBuf>,
    /// In a pod: SIGTERM comes here alone, and means that the pod goes while its program is still wanted
    #[arg(long, conflicts_with = "process")]
    in_pod: bool,
    /// Program and arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// How a program came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By itself.
    Own,
    /// It was asked to stop, for good.
    Stopped,
    /// It was asked to stop because the time is nearly up.
    Interrupted,
    /// Slurm ends the job, or the cluster the pod.
    Terminated,
}

impl Args {
    pub fn run(self) -> anyhow::Result<()> {
        let mut kept = self.process.as_deref().map(Kept::begin).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, status) = runtime.block_on(self.keep(kept.as_mut()))?;
        match kept {
            Some(kept) => kept.ended(status),
            None if self.in_pod && end == End::Terminated => std::process::exit(ASKED),
            None => put_back(end, status)?,
        }
        std::process::exit(status.code().unwrap_or(1));
    }

    async fn keep(&self, kept: Option<&mut Kept>) -> anyhow::Result<(End, ExitStatus)> {
        let (mut interrupt, mut time_up) = (signal(SignalKind::interrupt())?, signal(SignalKind::user_defined1())?);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut child = self.start()?;
        if let Some(kept) = kept {
            kept.started(child.id());
        }
        let mut stdin = child.stdin.take();
        let mut end = End::Own;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                _ = time_up.recv() => {
                    info!("the time is nearly up: asking the program to stop");
                    (stdin, end) = (None, End::Interrupted);
                }
                _ = interrupt.recv() => (stdin, end) = (None, End::Stopped),
                _ = terminate.recv() => {
                    end = End::Terminated;
                    // Elsewhere it heard that too.
                    if self.in_pod {
                        stdin = None;
                    }
                }
            }
        };
        drop(stdin);
        Ok((end, status))
    }

    fn start(&self) -> anyhow::Result<Child> {
        let (program, arguments) = self.command.split_first().context("no program")?;
        let mut command = Command::new(program);
        // First: what follows a `--` is meant for somebody else.
        command.arg("--watch-stdin").stdin(Stdio::piped());
        if self.resume_if.as_ref().is_some_and(|path| path.exists()) {
            command.arg("--resume");
        }
        command.args(arguments);
        if let Some(host) = slurm::variable("SLURMD_NODENAME") {
            info!(node = host, job = this_job(), "starting {program}");
        }
        command.spawn().with_context(|| format!("{program} cannot be started"))
    }
}

/// Puts this job back into the queue where its program is still wanted.
fn put_back(end: End, status: ExitStatus) -> anyhow::Result<()> {
    let lives = slurm::variable("SLURM_RESTART_COUNT").and_then(|count| count.parse().ok());
    let again = match end {
        End::Interrupted => true,
        End::Own => was_killed(status) && lives.unwrap_or(0) < LIVES,
        End::Stopped | End::Terminated => false,
    };
    if let Some(job) = this_job().filter(|_| again) {
        info!(job, %status, "back into the queue");
        slurm::requeue(&job)?;
    }
    Ok(())
}

/// This job as `scontrol` calls it; None outside of Slurm.
fn this_job() -> Option<String> {
    let array = slurm::variable("SLURM_ARRAY_JOB_ID").zip(slurm::variable("SLURM_ARRAY_TASK_ID"));
    let task = array.map(|(job, number)| format!("{job}_{number}"));
    task.or_else(|| slurm::variable("SLURM_JOB_ID"))
}
