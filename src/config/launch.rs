//! `[launch]` of a configuration: what is asked of Slurm for a run (of Kubernetes: `kubernetes`). It is no part of the run itself: neither
//! run.toml nor the actors have it, so a run may go on with other resources.

use super::check::Invalid;
use super::kubernetes::{KubernetesConfig, RawKubernetes};
use super::mirror::mirror;
use super::resolved::RunConfig;
use crate::protocol::relay::MAX_BRANCHES;
use serde::{Deserialize, Serialize};

/// Options of sbatch that `thermoflow launch` gives itself.
const OURS: [&str; 13] = [
    "--array",
    "--chdir",
    "--error",
    "--export",
    "--help",
    "--job-name",
    "--nodes",
    "--ntasks",
    "--open-mode",
    "--output",
    "--parsable",
    "--requeue",
    "--signal",
];

/// Most CPUs of a job; a slip of the keyboard is caught here.
const MOST_CPUS: u32 = 4096;

mirror! {
    /// Mirrors [`LaunchConfig`].
    RawLaunch {
        ledger: Option<bool>,
        port: Option<u16>,
        actors_per_task: Option<u32>,
        slurm: RawSlurm,
        kubernetes: RawKubernetes,
    }
    /// Mirrors [`SlurmConfig`]; what is said here holds for both kinds of jobs, unless they say otherwise.
    RawSlurm {
        account: Option<String>,
        partition: Option<String>,
        time: Option<String>,
        modules: Option<Vec<String>>,
        extra: Option<Vec<String>>,
        learner: RawJob,
        actor: RawJob,
    }
    /// Mirrors [`JobConfig`].
    RawJob {
        partition: Option<String>,
        time: Option<String>,
        cpus: Option<u32>,
        memory: Option<String>,
        gres: Option<String>,
        extra: Option<Vec<String>>,
    }
}

/// How a run is started on more machines than one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchConfig {
    /// Every actor writes down what it made and was told is safe, to compare with the replay.
    pub ledger: bool,
    /// The learner's port; 0: a free one (on Kubernetes: 5555).
    pub port: u16,
    /// Actors that are started together, on one node and behind one relay; 1: each by itself, and no relay.
    pub actors_per_task: u32,
    /// Under Slurm.
    pub slurm: SlurmConfig,
    /// On Kubernetes.
    pub kubernetes: KubernetesConfig,
}

/// What is asked of Slurm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlurmConfig {
    /// Account that is charged.
    pub account: Option<String>,
    /// Environment modules that are loaded before the programs start.
    pub modules: Vec<String>,
    /// The learner's job.
    pub learner: JobConfig,
    /// The job of each actor, or of each relay with its actors.
    pub actor: JobConfig,
}

/// Resources of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobConfig {
    /// Partition; None: the cluster's default.
    pub partition: Option<String>,
    /// Time limit as Slurm writes it (`90`, `12:00:00`, `2-00:00:00`); None: the partition's.
    pub time: Option<String>,
    /// CPUs.
    pub cpus: u32,
    /// Memory as Slurm writes it (`4G`); None: the cluster's default.
    pub memory: Option<String>,
    /// Generic resources (`gpu:1`).
    pub gres: Option<String>,
    /// Further options of sbatch, each as it stands behind `#SBATCH` (`--qos=long`).
    pub extra: Vec<String>,
}

impl RawLaunch {
    /// Fills in the defaults, some of which come from the run, and checks everything.
    ///
    /// # Errors
    /// The first value that is not allowed.
    pub fn resolve(&self, run: &RunConfig) -> Result<LaunchConfig, Invalid> {
        let slurm = &self.slurm;
        let common = |name: &str| format!("launch.slurm.{name}");
        word(&common("account"), slurm.account.as_deref())?;
        word(&common("partition"), slurm.partition.as_deref())?;
        word(&common("time"), slurm.time.as_deref())?;
        options(&common("extra"), slurm.extra.as_deref().unwrap_or_default())?;
        for module in slurm.modules.iter().flatten() {
            word(&common("modules"), Some(module))?;
        }
        let actors_per_task = actors_per_task(self.actors_per_task.unwrap_or(1))?;
        let threads = [run.learner.threads, run.actor.threads * actors_per_task as usize];
        Ok(LaunchConfig {
            ledger: self.ledger.unwrap_or(false),
            port: self.port.unwrap_or(0),
            actors_per_task,
            slurm: SlurmConfig {
                account: slurm.account.clone(),
                modules: slurm.modules.clone().unwrap_or_default(),
                learner: slurm.job(&slurm.learner, "learner", threads[0])?,
                actor: slurm.job(&slurm.actor, "actor", threads[1])?,
            },
            kubernetes: self.kubernetes.resolve(threads)?,
        })
    }
}

impl RawSlurm {
    fn job(&self, job: &RawJob, kind: &str, threads: usize) -> Result<JobConfig, Invalid> {
        let key = |name: &str| format!("launch.slurm.{kind}.{name}");
        word(&key("partition"), job.partition.as_deref())?;
        word(&key("time"), job.time.as_deref())?;
        word(&key("memory"), job.memory.as_deref())?;
        word(&key("gres"), job.gres.as_deref())?;
        options(&key("extra"), job.extra.as_deref().unwrap_or_default())?;
        let cpus = cpus(&key("cpus"), job.cpus, threads)?;
        let mut extra = self.extra.clone().unwrap_or_default();
        extra.extend(job.extra.clone().unwrap_or_default());
        Ok(JobConfig {
            partition: job.partition.clone().or_else(|| self.partition.clone()),
            time: job.time.clone().or_else(|| self.time.clone()),
            cpus,
            memory: job.memory.clone(),
            gres: job.gres.clone(),
            extra,
        })
    }
}

/// As many as a relay takes.
fn actors_per_task(actors: u32) -> Result<u32, Invalid> {
    match actors as usize {
        1..=MAX_BRANCHES => Ok(actors),
        _ => {
            let allowed = format!("1 to {MAX_BRANCHES}");
            Err(Invalid::value("launch.actors_per_task", actors, allowed))
        }
    }
}

/// CPUs of a job, its program's threads unless it says otherwise.
pub(super) fn cpus(key: &str, given: Option<u32>, threads: usize) -> Result<u32, Invalid> {
    let cpus = given.unwrap_or(threads as u32);
    match cpus {
        1..=MOST_CPUS => Ok(cpus),
        _ => Err(Invalid::value(key, cpus, format!("1 to {MOST_CPUS}"))),
    }
}

/// What becomes a value of an option of sbatch is one word.
fn word(key: &str, value: Option<&str>) -> Result<(), Invalid> {
    let good = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"'\"\\#`$".contains(c));
    match value {
        Some(text) if !good(text) => {
            let allowed = "letters, digits and signs without spaces and quotes";
            Err(Invalid::value(key, format!("{text:?}"), allowed))
        }
        _ => Ok(()),
    }
}

/// Further options are options, one a string, and not those that are given anyway.
fn options(key: &str, extra: &[String]) -> Result<(), Invalid> {
    for option in extra {
        word(key, Some(option))?;
        let name = option.split('=').next().unwrap_or_default();
        if !name.starts_with("--") || OURS.contains(&name) {
            let allowed = format!(
                "long options of sbatch such as \"--qos=long\", none of {} (thermoflow launch gives those)",
                OURS.join(", ")
            );
            return Err(Invalid::value(key, format!("{option:?}"), allowed));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{RawConfig, load_to_launch};
    use std::path::Path;

    const TEXT: &str = "
[task]
name = \"tfbind8\"
[actor]
threads = 2
[launch]
ledger = true
[launch.slurm]
partition = \"cpu\"
time = \"12:00:00\"
extra = [\"--qos=long\"]
[launch.slurm.learner]
partition = \"gpu\"
gres = \"gpu:1\"
extra = [\"--nice=5\"]
";

    fn launch(text: &str, set: &str) -> Result<LaunchConfig, crate::config::ConfigError> {
        let sets: Vec<String> = (!set.is_empty()).then(|| set.to_owned()).into_iter().collect();
        let path = Path::new("a.toml");
        crate::config::from_text_to_launch(path, text, &sets, &RawConfig::default()).map(|(_, launch)| launch)
    }

    #[test]
    fn jobs_say_more_than_what_holds_for_both() {
        let slurm = launch(TEXT, "").unwrap().slurm;
        assert_eq!(slurm.learner.partition.as_deref(), Some("gpu"));
        assert_eq!(slurm.learner.extra, ["--qos=long", "--nice=5"]);
        assert_eq!(slurm.actor.partition.as_deref(), Some("cpu"));
        assert_eq!((slurm.actor.cpus, slurm.actor.time.as_deref()), (2, Some("12:00:00")));
        assert_eq!(slurm.actor.gres, None);
        let together = launch(TEXT, "launch.actors_per_task=16").unwrap();
        assert_eq!((together.actors_per_task, together.slurm.actor.cpus), (16, 32));
        assert_eq!(together.slurm.learner, slurm.learner);
        assert!(load_to_launch(Path::new("none.toml"), &[], &RawConfig::default()).is_err());
    }

    #[test]
    fn what_sbatch_would_misread_is_refused_with_its_key() {
        for (set, key) in [
            ("launch.slurm.partition=\"a b\"", "launch.slurm.partition"),
            ("launch.slurm.account=\"\"", "launch.slurm.account"),
            ("launch.slurm.extra=[\"--array=1-5\"]", "launch.slurm.extra"),
            ("launch.slurm.actor.extra=[\"qos\"]", "launch.slurm.actor.extra"),
            ("launch.slurm.modules=[\"a;b'c\"]", "launch.slurm.modules"),
            ("launch.slurm.learner.cpus=0", "launch.slurm.learner.cpus"),
            ("launch.actors_per_task=0", "launch.actors_per_task"),
            ("launch.actors_per_task=1025", "launch.actors_per_task"),
            ("launch.kubernetes.actor.cpus=0", "launch.kubernetes.actor.cpus"),
            (
                "launch.kubernetes.learner.memory=\"16 GB\"",
                "launch.kubernetes.learner.memory",
            ),
            ("launch.kubernetes.storage=\"Gi\"", "launch.kubernetes.storage"),
            ("launch.kubernetes.grace_seconds=0", "launch.kubernetes.grace_seconds"),
        ] {
            let message = launch(TEXT, set).unwrap_err().to_string();
            assert!(message.contains(&format!("{key} = ")), "{set}: {message}");
        }
        let message = launch(TEXT, "launch.slurm.learner.gress=1").unwrap_err().to_string();
        assert!(message.contains("launch.slurm.learner.gres"), "{message}");
    }
}
