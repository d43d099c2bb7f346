//! The file of a program, as its keeper writes it.

use super::processes;
use anyhow::{Context, bail};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{SystemTime, UNIX_EPOCH};
use thermoflow::launch::local::{End, Process};
use tracing::warn;

/// See the module.
pub struct Kept {
    path: PathBuf,
    process: Process,
}

impl Kept {
    /// Leaves the terminal of whoever started this, and waits until it is written down.
    pub fn begin(path: &Path) -> anyhow::Result<Self> {
        // Of a shell's job it is no part; one that leads a session already has no other terminal.
        let _ = rustix::process::setsid();
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        if line.is_empty() {
            bail!("whoever started this has gone before it was written down");
        }
        let keeper = processes::identify(std::process::id()).context("this process does not find itself")?;
        Ok(Self {
            path: path.into(),
            process: Process::new(keeper, now()),
        })
    }

    /// The program runs.
    pub fn started(&mut self, pid: Option<u32>) {
        self.process.program = pid.and_then(processes::identify);
        self.write();
    }

    /// The program has ended.
    pub fn ended(mut self, status: ExitStatus) {
        use std::os::unix::process::ExitStatusExt;
        let end = match (status.code(), status.signal()) {
            (Some(code), _) => End::Code(code),
            (None, signal) => End::Signal(signal.unwrap_or(0)),
        };
        self.process.ended = Some((end, now()));
        self.write();
    }

    /// A full disk is no reason to end the program; those who look for it know less.
    fn write(&self) {
        if let Err(error) = self.process.write(&self.path) {
            warn!(%error, "what is known of a program");
        }
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
