//! `thermoflow replay verify`: is the replay whole and right?

use super::Place;
use crate::InspectError;
use crate::replay::Replay;
use crate::verify::{Check, Options, Status, Verdict, verify};
use comfy_table::{Cell, CellAlignment, Table, presets};
use std::io::Write;
use thermoflow::console::{self, Output};
use thermoflow::task::{Task, TaskKind};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay verify runs/a
  thermoflow replay verify runs/a --rescore 100%
  thermoflow replay verify old.sqlite --task tfbind8 --json

Exit codes: 0 all is well, 1 something is wrong, 2 it could not be looked at.";

/// Checks that a replay is whole and right, and says so with its exit code
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// Share of distinct objects that are scored again
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = share)]
    rescore: f64,
    /// Score with the run's own program, if its task has one: it is started on this machine
    #[arg(long)]
    allow_programs: bool,
    /// The task, with its published settings, of a replay that lies alone
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Something is wrong; what, was printed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Wrong(String);

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        // Damage is a finding, wherever it shows first.
        let verdict = self.verdict().or_else(|error| {
            let error = error.downcast::<InspectError>()?;
            anyhow::Ok(Verdict::of_failure(error)?)
        })?;
        if self.json {
            console::print_json(&verdict, out)?;
        } else {
            print(&verdict, out)?;
        }
        let failed: Vec<&str> = with_status(&verdict, Status::Failed).map(|check| check.name).collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(Wrong(format!(
            "{} is not as it should be: {}",
            self.place.run.display(),
            failed.join(", ")
        ))
        .into())
    }

    fn verdict(&self) -> anyhow::Result<Verdict> {
        let replay = self.place.open()?;
        Ok(verify(&replay, &self.options(&replay)?)?)
    }

    fn options(&self, replay: &Replay) -> anyhow::Result<Options> {
        let task = match (&self.task, replay.task()?) {
            (None, task) => task,
            (Some(name), None) => Some(Task::load(&TaskKind::find(name)?.config())?),
            (Some(_), Some(task)) => {
                let message = format!("--task: run.toml says which task it is, {}", task.name);
                return Err(InspectError::Input(message).into());
            }
        };
        let program = replay.task_config()?.is_some_and(|config| config.oracle.is_some());
        let not_rescored = if self.rescore == 0.0 {
            Some("--rescore is 0".to_owned())
        } else if program && !self.allow_programs {
            Some("the task's program is started only with --allow-programs".to_owned())
        } else {
            None
        };
        Ok(Options {
            task,
            rescore: self.rescore,
            not_rescored,
        })
    }
}

/// A share as 0.01 or 1%.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f64>().map(|number| number / unit);
    let allowed = || "a share from 0 to 1, or from 0% to 100%, is needed".to_owned();
    share
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(allowed)
}

fn with_status(verdict: &Verdict, status: Status) -> impl Iterator<Item = &Check> {
    verdict.checks.iter().filter(move |check| check.status == status)
}

fn print(verdict: &Verdict, out: &mut Output) -> anyhow::Result<()> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["check", "", "looked at", "wrong"]);
    for check in &verdict.checks {
        let status = match check.status {
            Status::Ok => "ok",
            Status::Failed => "FAILED",
            Status::Skipped => "skipped",
        };
        let number = |number: u64| Cell::new(number).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(check.name),
            Cell::new(status),
            number(check.checked),
            number(check.wrong),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    for check in &verdict.checks {
        for remark in &check.remarks {
            writeln!(out, "{}: {remark}", check.name)?;
        }
    }
    let skipped = with_status(verdict, Status::Skipped).count();
    let but = if skipped == 0 {
        String::new()
    } else {
        format!("; {skipped} checks were SKIPPED")
    };
    let all = if verdict.ok {
        "all that was checked is well"
    } else {
        "something is WRONG"
    };
    Ok(writeln!(out, "{all}{but}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read() {
        assert_eq!(
            (share("1%"), share("0.25"), share("100 %")),
            (Ok(0.01), Ok(0.25), Ok(1.0))
        );
        for bad in ["", "%", "2", "-1%", "101%", "nan", "all"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
