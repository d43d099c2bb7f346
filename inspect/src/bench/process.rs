//! This program once more, in processes of their own: how long each took and how much memory it had.

use anyhow::Context;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;
use wait4::Wait4;

/// What a process took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    /// From its start to its end.
    pub seconds: f64,
    /// Of both user and system.
    pub cpu_seconds: f64,
    /// The most memory it had at once.
    pub peak_bytes: u64,
}

/// A process that is under way.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    start: Instant,
    arguments: String,
}

impl Process {
    /// Starts this program with these arguments.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<A: AsRef<OsStr>>(arguments: &[A]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("the place of this program is not known")?;
        let start = Instant::now();
        let mut command = Command::new(&program);
        command.args(arguments).stdin(Stdio::piped());
        let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.with_context(|| format!("{} cannot be started", program.display()))?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Ok(Self {
            child,
            output: BufReader::new(output),
            start,
            arguments: arguments.join(OsStr::new(" ")).to_string_lossy().into_owned(),
        })
    }

    /// Waits for a line; an empty one when it ended.
    ///
    /// # Errors
    /// When its output cannot be read.
    pub fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }

    /// Ends its input, waits for its end; returns the rest of its output.
    ///
    /// # Errors
    /// When it failed; says why.
    pub fn finish(mut self) -> anyhow::Result<(String, Spent)> {
        drop(self.child.stdin.take());
        let mut output = String::new();
        self.output.read_to_string(&mut output)?;
        let mut message = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut message)?;
        }
        let end = self.child.wait4()?;
        let message = message.trim();
        anyhow::ensure!(end.status.success(), "{} failed: {message}{output}", self.arguments);
        let spent = Spent {
            seconds: self.start.elapsed().as_secs_f64(),
            cpu_seconds: (end.rusage.utime + end.rusage.stime).as_secs_f64(),
            peak_bytes: end.rusage.maxrss,
        };
        Ok((output, spent))
    }
}

/// Runs this program with these arguments.
///
/// # Errors
/// When it fails; says why.
pub(super) fn run<A: AsRef<OsStr>>(arguments: &[A]) -> anyhow::Result<(String, Spent)> {
    Process::start(arguments)?.finish()
}
