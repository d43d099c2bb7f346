//! A run on the cluster.

use super::processes::wait_until;
use super::replays;
use super::slurm::Slurm;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use thermoflow::metrics::jsonl;

/// See the module.
pub struct Run<'a> {
    pub slurm: &'a Slurm,
    pub dir: PathBuf,
    pub key: PathBuf,
}

impl<'a> Run<'a> {
    /// With a key, nothing launched. A blank in the name is no trouble.
    pub fn new(slurm: &'a Slurm) -> Self {
        let key = slurm.path("run.key");
        let run = Self {
            slurm,
            dir: slurm.path("a run"),
            key,
        };
        let made = slurm
            .command(env!("CARGO_BIN_EXE_thermoflow"))
            .args(["key", "new"])
            .arg(&run.key)
            .output();
        assert!(made.unwrap().status.success());
        run
    }

    /// `thermoflow launch …`
    pub fn launch(&self, arguments: &[&str]) -> Output {
        let mut command = self.slurm.command(env!("CARGO_BIN_EXE_thermoflow"));
        command.arg("launch").args(arguments).output().unwrap()
    }

    /// The command that launches it.
    pub fn arguments<'s>(&'s self, more: &[&'s str]) -> Vec<&'s str> {
        let mut arguments = vec!["slurm", CONFIG, "--run-dir", self.dir.to_str().unwrap()];
        arguments.extend(["--key-file", self.key.to_str().unwrap(), "--rounds", "1000000"]);
        arguments.extend(["--set", "train.mode=\"async\"", "--set", "launch.ledger=true"]);
        arguments.extend(["--set", "learner.report_every=1"]);
        arguments.extend(more);
        arguments
    }

    /// A subcommand that works.
    pub fn does(&self, command: &str, more: &[&str]) -> String {
        let mut arguments = vec![command, self.dir.to_str().unwrap()];
        arguments.extend(more);
        good(self.launch(&arguments))
    }

    pub fn status(&self) -> Value {
        serde_json::from_str(&self.does("status", &["--json"])).unwrap()
    }

    /// Where a program of this name is, if it runs.
    pub fn node(&self, name: &str) -> Option<String> {
        let status = self.status();
        let program = status["programs"]
            .as_array()
            .unwrap()
            .iter()
            .find(|program| program["name"] == name)?;
        (program["state"] == "RUNNING").then(|| program["node"].as_str().unwrap().to_owned())
    }

    pub fn job(&self, name: &str) -> String {
        let status = self.status();
        let mut programs = status["programs"].as_array().unwrap().iter();
        let program = programs.find(|program| program["name"] == name).unwrap();
        program["job"].as_str().unwrap().to_owned()
    }

    /// Trajectories in the replay by an actor of this name.
    pub fn rows_of(&self, name: &str) -> u64 {
        replays::rows_of(&self.dir, name)
    }

    /// Waits until actors of these numbers have each delivered more.
    pub fn delivers(&self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            self.each_delivers(&[&format!("actor-{number}")]);
        }
    }

    /// The same for actors of these names.
    pub fn each_delivers(&self, names: &[&str]) {
        for name in names {
            let at = self.rows_of(name);
            wait_until(&format!("{name} to deliver"), || self.rows_of(name) > at);
        }
    }

    /// The process of an actor of this name, wherever it runs: all nodes are this machine.
    pub fn process(&self, name: &str) -> u32 {
        let named = format!("--name\0{name}\0");
        let is_it = |pid: &u32| {
            let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let program = words.split('\0').next().unwrap_or_default();
            program.ends_with("thermoflow-actor")
                && words.contains(&named)
                && words.contains(self.dir.to_str().unwrap())
        };
        let entries = std::fs::read_dir("/proc").unwrap();
        let mut pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        pids.find(is_it).unwrap()
    }

    pub fn round(&self) -> u64 {
        let rows = jsonl::read(&self.dir.join("metrics.jsonl")).unwrap_or_default();
        rows.last().map_or(0, |row| row.round)
    }

    /// Acknowledged trajectories, by the ledgers; every one is in the replay.
    pub fn account(&self) -> u64 {
        replays::account(&self.dir)
    }
}

pub const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/tfbind8.toml");

/// What a command printed that must not fail.
pub fn good(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
