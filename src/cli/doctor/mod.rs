//! `thermoflow doctor`: what is here, what is missing, and what to do about it.

mod system;

use super::Output;
use anyhow::bail;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use thermoflow::console::check::{Check, Status, native_speed};
use thermoflow::console::{print_json, sibling};
use thermoflow::libtorch;

const EXAMPLES: &str = "\
Examples:
  thermoflow doctor
  thermoflow doctor --run-dir /scratch/runs --json

Exit code 1 when something necessary is missing. Python is not needed to train.";

/// Checks libtorch, devices, speed, ports, disk and programs, and says what to do
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where runs are to be kept
    #[arg(long, value_name = "DIR", default_value = "runs")]
    run_dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let mut checks = match libtorch::needed_by("the whole of doctor") {
            Ok(libtorch) => (libtorch.checks)(),
            Err(missing) if sibling::with_libtorch().is_ok() => return Err(missing.into()),
            Err(_) => vec![system::program("thermoflow-torch")],
        };
        checks.push(native_speed());
        checks.push(system::threads());
        checks.push(system::ports());
        checks.extend(system::run_directory(&self.run_dir));
        checks.extend(["thermoflow-learner", "thermoflow-actor"].map(system::program));
        let failed: Vec<_> = checks
            .iter()
            .filter(|check| check.status == Status::Fail)
            .map(|check| check.name)
            .collect();
        let problem = (!failed.is_empty()).then(|| format!("not ready to train: {}", failed.join(", ")));
        let report = Report {
            ok: problem.is_none(),
            checks,
        };
        if self.json {
            print_json(&report, out)?;
        } else {
            report.checks.iter().try_for_each(|check| print(check, out))?;
        }
        match problem {
            Some(problem) => bail!("{problem}"),
            None => Ok(()),
        }
    }
}

fn print(check: &Check, out: &mut Output) -> std::io::Result<()> {
    let status = match check.status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    };
    writeln!(out, "{status:<5} {:<19} {}", check.name, check.found)?;
    match &check.advice {
        Some(advice) => writeln!(out, "{:<25} -> {advice}", ""),
        None => Ok(()),
    }
}
