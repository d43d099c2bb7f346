//! Programs that lie beside this one.

use crate::libtorch::Missing;
use anyhow::{Context, anyhow};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program beside this one that is the same with libtorch.
///
/// # Errors
/// When there is none.
pub fn with_libtorch() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("the place of this program is not known")?;
    let name = this.file_stem().unwrap_or_default().to_string_lossy();
    find(&format!("{name}-torch"))
}

/// The program of this name beside the running one.
///
/// # Errors
/// When there is none.
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
///
/// # Errors
/// When it does not start.
#[cfg(unix)]
pub fn become_program(path: &Path, arguments: &[OsString]) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    Err(Command::new(path).args(arguments).exec().into())
}

#[cfg(not(unix))]
pub fn become_program(path: &Path, arguments: &[OsString]) -> anyhow::Result<()> {
    let status = Command::new(path).args(arguments).status()?;
    std::process::exit(status.code().unwrap_or(1))
}

/// A program that has no libtorch and turns out to need it starts over as the one that has it; returns other errors, and
/// why that cannot be started. Tasks and devices are made before anything is read, printed or written, so nothing is done
/// twice.
pub fn start_over_with_libtorch(error: anyhow::Error) -> anyhow::Error {
    if !error.chain().any(|cause| cause.is::<Missing>()) {
        return error;
    }
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match with_libtorch().and_then(|path| become_program(&path, &arguments)) {
        Ok(()) => error,
        Err(why) => why.context(format!("{error:#}")),
    }
}
