//! `thermoflow launch slurm`: checks, then submits. When a step fails, what was started before is taken down again.

use super::{preflight, slurm};
use crate::cli::config::Source;
use crate::cli::{BadInput, Output, sibling};
use anyhow::Context;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use thermoflow::config::{self, LaunchConfig, Mode, RawConfig, RunConfig};
use thermoflow::durable;
use thermoflow::launch::script::Script;
use thermoflow::launch::{Key, LaunchPaths, Plan, Programs, Record, Request};
use thermoflow::lock;
use thermoflow::protocol::secure::{KEY_VARIABLE, KeySource};
use thermoflow::run_dir::{RunRecord, differences};
use thermoflow::task::Task;

/// Submits a learner and its actors to Slurm
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Where the run is kept; all nodes must have it at the same place
    #[arg(long, value_name = "D")]
    run_dir: PathBuf,
    /// Actors
    #[arg(long, default_value_t = 2, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    actors: u32,
    /// Generic resources of the learner's job, for example gpu:1 [default: launch.slurm.learner.gres]
    #[arg(long, value_name = "G")]
    learner_gres: Option<String>,
    /// File with the key for the links between learner and actors, at the same place on every node [default: the
    /// environment's THERMOFLOW_KEY, which Slurm passes on]
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// Rounds in all
    #[arg(long)]
    rounds: Option<u64>,
    /// Seed of all randomness
    #[arg(long)]
    seed: Option<u64>,
    /// Go on with the run in --run-dir
    #[arg(long)]
    resume: bool,
    /// Print what would be submitted, and submit nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not look at a compute node first
    #[arg(long)]
    no_probe: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let (run, launch) = self.load()?;
        let run_dir = std::path::absolute(&self.run_dir).context("--run-dir")?;
        let paths = LaunchPaths::new(run_dir);
        let key = self.key(paths.run_dir())?;
        let id = format!("{:08x}", rand::random::<u32>());
        let record = Record::new(&id, plan(&id, &paths, &key, &run, &launch)?, self.actors);
        let numbers: Vec<u32> = (0..self.actors).collect();
        let (learner, actors) = (Script::learner(&record.plan)?, Script::actors(&record.plan, &numbers)?);
        if self.dry_run {
            for (kind, script) in [("learner", &learner), ("actors", &actors)] {
                writeln!(out, "# sbatch --parsable {}\n{script}", paths.script(kind).display())?;
            }
            return Ok(());
        }
        preflight::cluster(&launch)?;
        self.refuse_a_run_that_is_there(&paths, &run)?;
        let fresh = !paths.dir().exists();
        let started = self.start(&paths, &run, &launch, &record, [learner, actors]);
        if let Err(error) = started {
            take_down(&paths, &record, fresh);
            return Err(error);
        }
        tell(&paths, &record, out)
    }

    fn load(&self) -> anyhow::Result<(RunConfig, LaunchConfig)> {
        let mut flags = RawConfig {
            seed: self.seed,
            ..RawConfig::default()
        };
        flags.train.rounds = self.rounds;
        flags.launch.slurm.learner.gres.clone_from(&self.learner_gres);
        let (mut run, launch) = config::load_to_launch(&self.source.file, &self.source.sets, &flags)?;
        Task::load(&run.task).with_context(|| format!("task of {}", self.source.file.display()))?;
        if run.train.mode == Mode::Offline {
            return Err(
                BadInput("offline training has no actors: `thermoflow train` does it on one machine".into()).into(),
            );
        }
        // The copy of the configuration lies elsewhere.
        for file in [&mut run.task.table, &mut run.task.data, &mut run.task.model]
            .into_iter()
            .flatten()
        {
            *file = std::path::absolute(&*file)?;
        }
        Ok((run, launch))
    }

    /// There, private, and outside the run directory.
    fn key(&self, run_dir: &Path) -> anyhow::Result<Key> {
        let file = self.key_file.as_ref().map(std::path::absolute).transpose()?;
        match KeySource::given(file, std::env::var_os(KEY_VARIABLE))? {
            Some(source) => {
                source.check_outside(run_dir)?;
                Ok(match source {
                    KeySource::File(path) => Key::File(path),
                    KeySource::Variable(_) => Key::Environment,
                })
            }
            None => Err(BadInput(
                "actors on other nodes need a key: make one with `thermoflow key new ~/thermoflow.key`, then give \
                 --key-file ~/thermoflow.key"
                    .into(),
            )
            .into()),
        }
    }

    fn refuse_a_run_that_is_there(&self, paths: &LaunchPaths, config: &RunConfig) -> anyhow::Result<()> {
        let shown = paths.run_dir().display();
        if paths.record().exists() {
            let record = Record::read(paths)?;
            let tasks = slurm::tasks(&record)?;
            if let Some((who, task)) = tasks.iter().find(|(_, task)| task.is_live()) {
                return Err(BadInput(format!(
                    "{shown} is a run under way: its {who} is job {} ({}); `thermoflow launch status {shown}` shows it, \
                     `launch scale` changes it, `launch stop` stops it",
                    task.job, task.state
                ))
                .into());
            }
        }
        if !paths.run_dir().join("run.toml").exists() {
            return Ok(());
        }
        if !self.resume {
            return Err(BadInput(format!("{shown} holds a run: --resume goes on with it")).into());
        }
        let differences = differences(&RunRecord::read(paths.run_dir())?.config, config);
        if let Some(first) = differences.first() {
            return Err(BadInput(format!("{shown} holds a run with another configuration: {first}")).into());
        }
        Ok(())
    }

    fn start(
        &self,
        paths: &LaunchPaths,
        run: &RunConfig,
        launch: &LaunchConfig,
        record: &Record,
        [learner, actors]: [Script; 2],
    ) -> anyhow::Result<()> {
        for dir in [paths.logs(), paths.outboxes(), paths.ledgers()] {
            fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        }
        let _lock = lock::take(&paths.lock())?;
        fs::write(paths.config(), run.to_toml()).with_context(|| paths.config().display().to_string())?;
        if !self.no_probe {
            preflight::node(&launch.slurm.actor, paths, &record.plan.key)?;
        }
        record.write(paths)?;
        submit(paths, "learner", &learner, &record.plan.key)?;
        submit(paths, "actors", &actors, &record.plan.key)?;
        Ok(())
    }
}

/// Submits a script from a file that stays with the run; its job's number.
pub fn submit(paths: &LaunchPaths, kind: &str, script: &Script, key: &Key) -> anyhow::Result<String> {
    let path = paths.script(kind);
    durable::replace(&path, script.to_string().as_bytes()).with_context(|| path.display().to_string())?;
    slurm::submit(&path, key).with_context(|| format!("the script {}", path.display()))
}

fn plan(id: &str, paths: &LaunchPaths, key: &Key, run: &RunConfig, launch: &LaunchConfig) -> anyhow::Result<Plan> {
    let programs = Programs {
        thermoflow: std::env::current_exe().context("the place of this program is not known")?,
        learner: sibling::find("thermoflow-learner")?,
        actor: sibling::find("thermoflow-actor")?,
    };
    let request = Request {
        id,
        paths,
        programs: &programs,
        working_dir: &std::env::current_dir()?,
        key,
        bind: "tcp://0.0.0.0:0",
        allow_programs: run.task.oracle.is_some(),
        config: launch,
    };
    Ok(Plan::new(&request)?)
}

/// After a failure: nothing is left in the queue, nor in a directory that was not there. The first error is the one to tell.
fn take_down(paths: &LaunchPaths, record: &Record, fresh: bool) {
    let _ = slurm::cancel_all(record);
    if fresh {
        let _ = fs::remove_file(paths.record());
        let _ = fs::remove_dir_all(paths.dir());
        // Only when it is empty.
        let _ = fs::remove_dir(paths.run_dir());
    }
}

fn tell(paths: &LaunchPaths, record: &Record, out: &mut Output) -> anyhow::Result<()> {
    let run = paths.run_dir().display();
    let [learner, actor] = record.names();
    writeln!(out, "Submitted {learner} and {} of {actor}. Next:", record.actors)?;
    writeln!(out, "  thermoflow launch status {run}")?;
    writeln!(out, "  thermoflow launch logs {run} learner")?;
    writeln!(out, "  thermoflow launch scale {run} --actors {}", record.actors * 2)?;
    Ok(writeln!(out, "  thermoflow launch stop {run}")?)
}
