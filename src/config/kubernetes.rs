//! `[launch.kubernetes]` of a configuration: what manifests ask of a cluster. Names are checked where manifests are written,
//! because command lines give them, too.

use super::check::Invalid;
use super::launch::cpus;
use super::mirror::mirror;
use serde::{Deserialize, Serialize};

/// Room for a run that is not told otherwise: some ten million trajectories.
const STORAGE: &str = "10Gi";

/// Seconds between SIGTERM and SIGKILL; the same as the warning before a time limit under Slurm.
const GRACE: u32 = 120;

/// Longest of those; a day is no grace but a mistake.
const MOST_GRACE: u32 = 86_400;

/// Most GPUs of a pod; a slip of the keyboard is caught here.
const MOST_GPUS: u32 = 64;

/// Endings of a quantity of bytes.
const UNITS: [&str; 11] = ["Ki", "Mi", "Gi", "Ti", "Pi", "k", "M", "G", "T", "P", ""];

mirror! {
    /// Mirrors [`KubernetesConfig`].
    RawKubernetes {
        image: Option<String>,
        namespace: Option<String>,
        storage: Option<String>,
        storage_class: Option<String>,
        grace_seconds: Option<u32>,
        learner: RawPod,
        actor: RawPod,
    }
    /// Mirrors [`PodConfig`].
    RawPod {
        cpus: Option<u32>,
        memory: Option<String>,
        gpus: Option<u32>,
    }
}

/// What is asked of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesConfig {
    /// Image that holds the programs.
    pub image: Option<String>,
    /// Namespace; None: that of whoever applies the manifests.
    pub namespace: Option<String>,
    /// Room for the run directory, as Kubernetes writes it (`10Gi`).
    pub storage: String,
    /// Storage class of that; None: the cluster's default.
    pub storage_class: Option<String>,
    /// Seconds that a program gets to stop before it is killed.
    pub grace_seconds: u32,
    /// The learner's pod.
    pub learner: PodConfig,
    /// The pod of each actor.
    pub actor: PodConfig,
}

/// Resources of one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodConfig {
    /// CPUs.
    pub cpus: u32,
    /// Memory as Kubernetes writes it (`4Gi`), its request and its limit; None: neither.
    pub memory: Option<String>,
    /// NVIDIA GPUs.
    pub gpus: u32,
}

impl RawKubernetes {
    /// Fills in the defaults and checks quantities; `threads` of learner and actor.
    pub(super) fn resolve(&self, threads: [usize; 2]) -> Result<KubernetesConfig, Invalid> {
        let storage = self.storage.clone().unwrap_or_else(|| STORAGE.into());
        bytes("launch.kubernetes.storage", &storage)?;
        let grace_seconds = self.grace_seconds.unwrap_or(GRACE);
        if !(1..=MOST_GRACE).contains(&grace_seconds) {
            let allowed = format!("1 to {MOST_GRACE} seconds");
            return Err(Invalid::value(
                "launch.kubernetes.grace_seconds",
                grace_seconds,
                allowed,
            ));
        }
        Ok(KubernetesConfig {
            image: self.image.clone(),
            namespace: self.namespace.clone(),
            storage,
            storage_class: self.storage_class.clone(),
            grace_seconds,
            learner: self.learner.resolve("learner", threads[0])?,
            actor: self.actor.resolve("actor", threads[1])?,
        })
    }
}

impl RawPod {
    fn resolve(&self, kind: &str, threads: usize) -> Result<PodConfig, Invalid> {
        let key = |name: &str| format!("launch.kubernetes.{kind}.{name}");
        if let Some(memory) = &self.memory {
            bytes(&key("memory"), memory)?;
        }
        let gpus = self.gpus.unwrap_or(0);
        if gpus > MOST_GPUS {
            return Err(Invalid::value(key("gpus"), gpus, format!("0 to {MOST_GPUS}")));
        }
        Ok(PodConfig {
            cpus: cpus(&key("cpus"), self.cpus, threads)?,
            memory: self.memory.clone(),
            gpus,
        })
    }
}

/// A whole number with a unit.
fn bytes(key: &str, text: &str) -> Result<(), Invalid> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let good = digits.parse::<u64>().is_ok_and(|number| number > 0) && UNITS.contains(&&text[digits.len()..]);
    let allowed = "a whole number with a unit of Kubernetes (\"500Mi\", \"16Gi\")";
    good.then_some(())
        .ok_or_else(|| Invalid::value(key, format!("{text:?}"), allowed))
}
