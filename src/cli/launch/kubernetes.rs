//! `thermoflow launch kubernetes`: a run as manifests, on standard output. Nothing is sent to a cluster.

use super::start::What;
use crate::cli::{BadInput, Output};
use anyhow::Context;
use std::io::Write;
use std::path::PathBuf;
use thermoflow::config::{LaunchConfig, RawConfig, RunConfig};
use thermoflow::launch::kubernetes::{KeySecret, PORT, Request, manifests};
use thermoflow::launch::scale::tasks;
use thermoflow::protocol::secure::{KEY_VARIABLE, KeySource};
use tracing::warn;

/// Writes a learner and its actors as manifests of Kubernetes
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    what: What,
    /// Image that holds the programs, on its PATH [default: launch.kubernetes.image]
    #[arg(long)]
    image: Option<String>,
    /// Namespace [default: launch.kubernetes.namespace, else that of whoever applies the manifests]
    #[arg(long, value_name = "N")]
    namespace: Option<String>,
    /// Names what is made: tf-NAME-learner … [default: the name of the configuration's file]
    #[arg(long)]
    name: Option<String>,
    /// GPUs of the learner's pod [default: launch.kubernetes.learner.gpus]
    #[arg(long, value_name = "G")]
    learner_gpus: Option<u32>,
    /// File with the key for the links between learner and actors, which becomes a secret: the output holds the key
    /// [default: the environment's THERMOFLOW_KEY]
    #[arg(long, value_name = "PATH", conflicts_with = "key_secret")]
    key_file: Option<PathBuf>,
    /// Secret that is in the cluster and holds the key file as `key`
    #[arg(long, value_name = "NAME")]
    key_secret: Option<String>,
    /// Write the manifests; nothing else can be done yet
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        if !self.dry_run {
            return Err(BadInput(
                "only manifests are written: add --dry-run, look at them, then pipe them into `kubectl apply -f -`"
                    .into(),
            )
            .into());
        }
        let (run, launch) = self.load()?;
        let image = launch.kubernetes.image.as_deref();
        let image =
            image.ok_or_else(|| BadInput("an image that holds the programs is needed: --image IMAGE".into()))?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => self.name_of_configuration()?,
        };
        let request = Request {
            name: &name,
            image,
            port: if launch.port == 0 { PORT } else { launch.port },
            pods: tasks(self.what.actors(&launch), launch.actors_per_task)?,
            actors_per_pod: launch.actors_per_task,
            run: &run.to_toml(),
            key: &self.key()?,
            allow_programs: run.task.oracle.is_some(),
            config: &launch.kubernetes,
        };
        let manifests = manifests(&request)?;
        for file in [&run.task.table, &run.task.data, &run.task.model].into_iter().flatten() {
            warn!(
                "the image must hold {}, a file of the task, at that place",
                file.display()
            );
        }
        if let KeySecret::Written(_) = request.key {
            warn!("the output holds the key: keep it as you keep the key, or name a secret (--key-secret)");
        }
        Ok(out.write_all(manifests.as_bytes())?)
    }

    fn load(&self) -> anyhow::Result<(RunConfig, LaunchConfig)> {
        let mut flags = RawConfig::default();
        let kubernetes = &mut flags.launch.kubernetes;
        kubernetes.image.clone_from(&self.image);
        kubernetes.namespace.clone_from(&self.namespace);
        kubernetes.learner.gpus = self.learner_gpus;
        self.what.load(flags)
    }

    fn name_of_configuration(&self) -> anyhow::Result<String> {
        let stem = self.what.source.file.file_stem();
        let stem = stem
            .and_then(|stem| stem.to_str())
            .context("the configuration's file has no name: --name NAME")?;
        Ok(stem.to_ascii_lowercase())
    }

    fn key(&self) -> anyhow::Result<KeySecret> {
        if let Some(name) = &self.key_secret {
            return Ok(KeySecret::There(name.clone()));
        }
        match KeySource::given(self.key_file.clone(), std::env::var_os(KEY_VARIABLE))? {
            Some(source) => Ok(KeySecret::Written(source.read()?.to_text().to_string())),
            None => Err(BadInput(
                "actors on other nodes need a key: make one with `thermoflow key new ~/thermoflow.key`, then give \
                 --key-file ~/thermoflow.key, or --key-secret NAME once it is in the cluster"
                    .into(),
            )
            .into()),
        }
    }
}
