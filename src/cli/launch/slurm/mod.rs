//! `thermoflow launch slurm`: a launch as jobs of Slurm.

mod commands;
mod preflight;

pub use commands::{requeue, variable};

use super::queue::{Queue, Tasks, wait};
use super::start::{How, Launch, What};
use crate::cli::Output;
use anyhow::{Context, bail};
use std::path::PathBuf;
use std::time::Duration;
use thermoflow::config::RawConfig;
use thermoflow::durable;
use thermoflow::launch::queue::Task;
use thermoflow::launch::script::Script;
use thermoflow::launch::{LaunchPaths, Plan, Record, Scheduler};

/// How long Slurm may take to end what was cancelled; its KillWait is 30 seconds by default.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Submits a learner and its actors to Slurm
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    what: What,
    /// Where the run is kept; all nodes must have it at the same place
    #[arg(long, value_name = "D")]
    run_dir: PathBuf,
    #[command(flatten)]
    how: How,
    /// Generic resources of the learner's job, for example gpu:1 [default: launch.slurm.learner.gres]
    #[arg(long, value_name = "G")]
    learner_gres: Option<String>,
    /// Do not look at compute nodes first
    #[arg(long)]
    no_probe: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let mut flags = RawConfig::default();
        flags.launch.slurm.learner.gres = self.learner_gres;
        let (run, config) = self.what.load(flags)?;
        let launch = Launch {
            what: &self.what,
            how: &self.how,
            scheduler: Scheduler::Slurm,
            paths: LaunchPaths::new(std::path::absolute(&self.run_dir).context("--run-dir")?),
            run,
            config,
            probe: !self.no_probe,
        };
        launch.run(out)
    }
}

/// The jobs of a launch.
pub struct Slurm<'a> {
    plan: &'a Plan,
    /// Of its jobs, the learner's first.
    names: [String; 2],
    paths: &'a LaunchPaths,
}

impl<'a> Slurm<'a> {
    /// Asks Slurm nothing yet.
    pub fn new(record: &'a Record, paths: &'a LaunchPaths) -> Self {
        Self {
            plan: &record.plan,
            names: record.names(),
            paths,
        }
    }

    /// Submits a script from a file that stays with the run.
    fn submit(&self, kind: &str, script: &Script) -> anyhow::Result<()> {
        let path = self.paths.script(kind);
        durable::replace(&path, script.to_string().as_bytes()).with_context(|| path.display().to_string())?;
        let job = commands::submit(&path, &self.plan.key).with_context(|| format!("the script {}", path.display()))?;
        tracing::debug!(job, kind, "submitted");
        Ok(())
    }
}

impl Queue for Slurm<'_> {
    fn most_actors(&self) -> u32 {
        100_000
    }

    fn preview(&self, tasks: &[u32]) -> anyhow::Result<String> {
        let scripts = [
            ("learner", Script::learner(self.plan)?),
            ("actors", Script::actors(self.plan, tasks)?),
        ];
        let shown = scripts.map(|(kind, script)| {
            let path = self.paths.script(kind);
            format!("# sbatch --parsable {}\n{script}\n", path.display())
        });
        Ok(shown.concat())
    }

    fn check(&self) -> anyhow::Result<()> {
        preflight::cluster(self.plan)
    }

    fn probe(&self) -> anyhow::Result<()> {
        preflight::nodes(self.plan, self.paths)
    }

    fn start_learner(&self) -> anyhow::Result<()> {
        self.submit("learner", &Script::learner(self.plan)?)
    }

    fn start_actors(&self, numbers: &[u32]) -> anyhow::Result<()> {
        self.submit("actors", &Script::actors(self.plan, numbers)?)
    }

    fn launched(&self, actors: u32) -> String {
        let [learner, actor] = &self.names;
        match self.plan.actors_per_task {
            1 => format!("Submitted {learner} and {actors} of {actor}"),
            many => format!(
                "Submitted {learner} and {} of {actor}, {many} actors each",
                actors / many
            ),
        }
    }

    fn tasks(&self) -> anyhow::Result<Tasks> {
        commands::tasks(&self.names)
    }

    fn ask(&self, tasks: &Tasks) -> anyhow::Result<()> {
        let (running, waiting): (Vec<_>, Vec<_>) = tasks.iter().partition(|(_, task)| task.state == "RUNNING");
        commands::cancel(waiting.iter().map(|(_, task)| task.job.as_str()))?;
        for (who, task) in running {
            // It may have ended by itself meanwhile, which the queue tells.
            if let Err(error) = commands::signal(&task.job, "INT") {
                tracing::warn!(%error, "{who}");
            }
        }
        Ok(())
    }

    fn end(&self, tasks: &Tasks) -> anyhow::Result<()> {
        commands::cancel(tasks.values().map(|task| task.job.as_str()))
    }

    fn take_down(&self) -> anyhow::Result<()> {
        commands::cancel_all(&self.names)?;
        if !wait(GONE_WITHIN, || Ok(!self.tasks()?.values().any(Task::is_live)))? {
            bail!("jobs that were cancelled are still there");
        }
        Ok(())
    }
}
