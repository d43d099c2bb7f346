//! `thermoflow launch keep`: one program within a job of Slurm. It asks the program to stop when its time runs out, and puts
//! the job back into the queue.
//!
//! The program is asked by closing its standard input, never by a signal: when Slurm ends a job it sends SIGTERM to every
//! process of it, and a second request would stop the program at once, without a checkpoint.

use super::slurm;
use anyhow::Context;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// A program that was killed (out of memory, a crash) comes back so many times.
const LIVES: u32 = 5;

/// Runs a program within a job
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Add --resume when this file is there
    #[arg(long, value_name = "PATH")]
    resume_if: Option<PathBuf>,
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
    /// Slurm ends the job.
    Terminated,
}

impl Args {
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, status) = runtime.block_on(self.keep())?;
        let killed = status.code().is_none();
        let lives = slurm::variable("SLURM_RESTART_COUNT").and_then(|count| count.parse().ok());
        let again = match end {
            End::Interrupted => true,
            End::Own => killed && lives.unwrap_or(0) < LIVES,
            End::Stopped | End::Terminated => false,
        };
        if let Some(job) = this_job().filter(|_| again) {
            info!(job, %status, "back into the queue");
            slurm::requeue(&job)?;
        }
        std::process::exit(status.code().unwrap_or(1));
    }

    async fn keep(&self) -> anyhow::Result<(End, std::process::ExitStatus)> {
        let (mut interrupt, mut time_up) = (signal(SignalKind::interrupt())?, signal(SignalKind::user_defined1())?);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut child = self.start()?;
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
                // It heard that too.
                _ = terminate.recv() => end = End::Terminated,
            }
        };
        drop(stdin);
        Ok((end, status))
    }

    fn start(&self) -> anyhow::Result<Child> {
        let (program, arguments) = self.command.split_first().context("no program")?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--watch-stdin").stdin(Stdio::piped());
        if self.resume_if.as_ref().is_some_and(|path| path.exists()) {
            command.arg("--resume");
        }
        if let Some(host) = slurm::variable("SLURMD_NODENAME") {
            info!(node = host, job = this_job(), "starting {program}");
        }
        command.spawn().with_context(|| format!("{program} cannot be started"))
    }
}

/// This job as `scontrol` calls it; None outside of Slurm.
fn this_job() -> Option<String> {
    let array = slurm::variable("SLURM_ARRAY_JOB_ID").zip(slurm::variable("SLURM_ARRAY_TASK_ID"));
    let task = array.map(|(job, number)| format!("{job}_{number}"));
    task.or_else(|| slurm::variable("SLURM_JOB_ID"))
}
