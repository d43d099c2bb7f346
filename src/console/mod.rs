//! What programs with a command line of their own share: standard output, rows, a policy from arguments, how an error is
//! told and with which exit code. No command.

pub mod check;
mod output;
pub mod policy;
mod rows;
pub mod sibling;

pub use output::Output;
pub use rows::Rows;

use crate::checkpoint::CheckpointError;
use crate::config::{ConfigError, Invalid};
use crate::env::EnvError;
use crate::experiment::ExperimentError;
use crate::launch::LaunchError;
use crate::launch::kubernetes::KubernetesError;
use crate::logging::{self, LogFormat};
use crate::plan::{CostsError, Impossible};
use crate::policy::BackendError;
use crate::process::{BAD_INPUT, FAILED};
use crate::protocol::secure::KeyFileError;
use crate::scoring::ScoringError;
use crate::task::TaskError;
use crate::task::blocks::BlockDataError;
use crate::task::import::ImportError;
use anyhow::Context;
use serde::Serialize;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Input that cannot be used, where no library error says so.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// Runs a command that prints to standard output, and says how to exit; `code` knows the errors of the program's own.
pub fn run(
    default_log: &str,
    command: impl FnOnce(&mut Output) -> anyhow::Result<()>,
    code: impl FnOnce(&anyhow::Error) -> Option<u8>,
) -> ExitCode {
    let mut out = Output::stdout();
    let result = start_logging(default_log)
        .and_then(|()| command(&mut out).map_err(sibling::start_over_with_libtorch))
        .and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // `thermoflow … | head` has seen enough; that is no failure.
        Err(_) if out.reader_left() => ExitCode::SUCCESS,
        Err(error) => {
            // What was printed before the error comes out before it.
            let _ = out.flush();
            print_error(format!("{error:#}"));
            ExitCode::from(code(&error).unwrap_or_else(|| exit_code(&error)))
        }
    }
}

/// Prints an error with its causes as one line. There is nobody left to tell when stderr is closed.
pub fn print_error(error: impl Display) {
    let line = error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr(), "error: {line}");
}

/// Prints a value as JSON, indented.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_json(value: &impl Serialize, out: &mut Output) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    Ok(writeln!(out)?)
}

/// [`BAD_INPUT`] for what the user can put right in what they gave, else [`FAILED`].
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let is_input = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<BadInput>()
            || cause.is::<ConfigError>()
            || cause.is::<Invalid>()
            || cause.is::<TaskError>()
            || cause.is::<EnvError>()
            || cause.is::<CheckpointError>()
            || cause.is::<ScoringError>()
            || cause.is::<BlockDataError>()
            || cause.is::<ImportError>()
            || cause.is::<KeyFileError>()
            || cause.is::<CostsError>()
            || cause.is::<Impossible>()
            || cause.downcast_ref().is_some_and(ExperimentError::is_bad_input)
            || cause.downcast_ref().is_some_and(LaunchError::is_bad_input)
            || cause.downcast_ref().is_some_and(KubernetesError::is_bad_input)
            || matches!(cause.downcast_ref(), Some(BackendError::Device(_)))
    };
    if error.chain().any(is_input) { BAD_INPUT } else { FAILED }
}

fn start_logging(default_log: &str) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => {
            let parsed = EnvFilter::try_new(&text);
            parsed
                .map_err(|error| BadInput(error.to_string()))
                .with_context(|| format!("RUST_LOG is {text:?}"))?
        }
        _ => EnvFilter::new(default_log),
    };
    logging::log_to_stderr(filter, LogFormat::Text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_errors_are_told_from_failures() {
        let code = |error: anyhow::Error| exit_code(&error.context("while testing"));
        assert_eq!(code(BadInput("x".into()).into()), BAD_INPUT);
        assert_eq!(code(EnvError::Incomplete { steps: 1 }.into()), BAD_INPUT);
        assert_eq!(code(std::io::Error::other("disk").into()), FAILED);
    }
}
