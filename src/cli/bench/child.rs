//! A bench as a process of its own: nothing is warm from what was measured before, its memory is its own, and it can be held to
//! some of the cores.

use crate::cli::BadInput;
use anyhow::{Context, anyhow};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use thermoflow::process;

/// A bench to run: what comes after `thermoflow bench`, and how many cores it gets (None: all).
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    pub arguments: Vec<String>,
    pub cores: Option<usize>,
}

impl Child {
    /// The bench of a command line without quotes.
    pub fn new(command: &str, cores: Option<usize>) -> Self {
        Self {
            arguments: command.split_whitespace().map(str::to_owned).collect(),
            cores,
        }
    }

    /// The command that does the same by hand.
    pub fn command(&self) -> String {
        let pinned = self.cores.map(|cores| format!("taskset -c {} ", first_cores(cores)));
        format!(
            "{}thermoflow bench {}",
            pinned.unwrap_or_default(),
            self.arguments.join(" ")
        )
    }

    /// The configuration that it names.
    pub fn config(&self) -> Option<&Path> {
        let names = self.arguments.iter().skip_while(|argument| *argument != "--config");
        names.map(Path::new).nth(1)
    }

    /// What is missing here for its cores, in words.
    pub fn lacks(&self) -> Option<String> {
        let cores = self.cores?;
        let here = allowed_cores().len();
        if here < cores {
            return Some(format!("{cores} cores, here are {here}"));
        }
        let taskset = Command::new("taskset").arg("--version").stdout(Stdio::null()).status();
        taskset
            .is_err()
            .then(|| "taskset (util-linux), which holds programs to cores".into())
    }

    /// Measures for so long; returns what it says in JSON.
    ///
    /// # Errors
    /// When it fails, with its own words.
    pub fn run(&self, seconds: f64) -> anyhow::Result<Value> {
        let this = std::env::current_exe().context("the place of this program is not known")?;
        let mut command = match self.cores {
            None => Command::new(this),
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.arg("-c").arg(first_cores(cores)).arg(this);
                command
            }
        };
        command
            .arg("bench")
            .args(&self.arguments)
            .args(["--json", "--seconds", &seconds.to_string()]);
        let output = command.stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("`{}` cannot be started", self.command()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let words = said.lines().next_back().unwrap_or_default();
        let words = words.strip_prefix("error: ").unwrap_or(words);
        if !output.status.success() {
            let message = format!("`{}` failed: {words}", self.command());
            let is_input = output.status.code() == Some(process::BAD_INPUT.into());
            return Err(if is_input {
                BadInput(message).into()
            } else {
                anyhow!(message)
            });
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("what `{}` says is no JSON", self.command()))
    }
}

/// The first cores that this process may use, as `taskset -c` takes them.
fn first_cores(count: usize) -> String {
    let cores: Vec<String> = allowed_cores().iter().take(count).map(usize::to_string).collect();
    cores.join(",")
}

/// The cores that this process may use, by number; none where the system does not say.
#[cfg(target_os = "linux")]
pub fn allowed_cores() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let allowed = sched_getaffinity(None).unwrap_or_default();
    (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect()
}

/// The cores that this process may use, by number; none where the system does not say.
#[cfg(not(target_os = "linux"))]
pub fn allowed_cores() -> Vec<usize> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_a_person_would_type() {
        let child = Child::new("round --config a.toml", None);
        assert_eq!(child.command(), "thermoflow bench round --config a.toml");
        assert_eq!(child.lacks(), None);
        let wide = Child::new("round", Some(100_000)).lacks().unwrap();
        assert!(wide.starts_with("100000 cores, here are "), "{wide}");
    }
}
