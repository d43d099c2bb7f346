//! `thermoflow doctor`: what is here, what is missing, and what to do about it.

mod arithmetic;
mod system;

use super::Output;
use anyhow::bail;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use thermoflow::console::print_json;

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

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// Works, but could be better.
    Warn,
    /// Training cannot work.
    Fail,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    /// What was found, in plain words.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    /// What was measured, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    gflops: Option<f64>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            found: found.into(),
            advice: None,
            gflops: None,
        }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            status: Status::Warn,
            advice: Some(advice.into()),
            ..Self::ok(name, found)
        }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            status: Status::Fail,
            advice: Some(advice.into()),
            ..Self::ok(name, found)
        }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let mut checks = vec![arithmetic::libtorch()];
        checks.extend(arithmetic::devices());
        checks.push(arithmetic::torch_speed());
        checks.push(arithmetic::native_speed());
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
            report.checks.iter().try_for_each(|check| check.print(out))?;
        }
        match problem {
            Some(problem) => bail!("{problem}"),
            None => Ok(()),
        }
    }
}

impl Check {
    fn print(&self, out: &mut Output) -> std::io::Result<()> {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        writeln!(out, "{status:<5} {:<19} {}", self.name, self.found)?;
        match &self.advice {
            Some(advice) => writeln!(out, "{:<25} -> {advice}", ""),
            None => Ok(()),
        }
    }
}
