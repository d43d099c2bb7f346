//! `thermoflow learner`, `thermoflow actor`, `thermoflow relay` …: start the program of that name that lies beside this one.

use anyhow::{Context, anyhow};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Arguments that are handed on as they are.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Arguments of the program; --help shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

impl Args {
    /// The same behind another one.
    pub fn after(mut self, first: &str) -> Self {
        self.arguments.insert(0, first.into());
        self
    }

    pub fn run(self, program: &str) -> anyhow::Result<()> {
        let path = find(program)?;
        become_program(&path, &self.arguments).with_context(|| format!("{} cannot be started", path.display()))
    }
}

/// The program of this name beside the running one.
pub fn find(program: &str) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("the place of this program is not known")?;
    let path = this.with_file_name(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    if path.is_file() {
        return Ok(path);
    }
    Err(anyhow!(
        "{} is missing: build all programs (cargo build --release --workspace) and keep them in one directory",
        path.display()
    ))
}

/// Replaces this process, so that signals and the exit code are the program's own.
#[cfg(unix)]
fn become_program(path: &Path, arguments: &[OsString]) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    Err(Command::new(path).args(arguments).exec().into())
}

#[cfg(not(unix))]
fn become_program(path: &Path, arguments: &[OsString]) -> anyhow::Result<()> {
    let status = Command::new(path).args(arguments).status()?;
    std::process::exit(status.code().unwrap_or(1))
}
