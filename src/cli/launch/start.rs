//! Launching a run: checks, then starts. When a step fails, what was started before is taken down again. Who runs it is
//! [`Queue`]'s to know.

use super::queue::{self, Queue};
use crate::cli::config::Source;
use crate::cli::{BadInput, Output, sibling};
use anyhow::Context;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use thermoflow::config::{self, LaunchConfig, Mode, RawConfig, RunConfig};
use thermoflow::launch::scale::tasks;
use thermoflow::launch::{Key, LaunchPaths, Plan, Programs, Record, Request, Scheduler};
use thermoflow::lock;
use thermoflow::protocol::secure::{KEY_VARIABLE, KeySource};
use thermoflow::run_dir::{RunRecord, differences};
use thermoflow::task::Task;

/// What is run, and by how many.
#[derive(Debug, clap::Args)]
pub struct What {
    #[command(flatten)]
    pub source: Source,
    /// Actors [default: those of two tasks]
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    actors: Option<u32>,
    /// Actors in a task; more than 1 share a node and one connection, by a relay [default: launch.actors_per_task, else 1]
    #[arg(long, value_name = "N")]
    actors_per_task: Option<u32>,
    /// Rounds in all
    #[arg(long)]
    rounds: Option<u64>,
    /// Seed of all randomness
    #[arg(long)]
    seed: Option<u64>,
}

/// How it is launched, wherever.
#[derive(Debug, clap::Args)]
pub struct How {
    /// File with the key for the links between learner and actors, at the same place on every node [default: the
    /// environment's THERMOFLOW_KEY, which Slurm passes on; on one machine there need be none]
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// Go on with the run in --run-dir
    #[arg(long, requires = "run_dir")]
    resume: bool,
    /// Print what would be started, and start nothing
    #[arg(long)]
    dry_run: bool,
}

/// A launch, as its command line has it.
pub struct Launch<'a> {
    pub what: &'a What,
    pub how: &'a How,
    pub scheduler: Scheduler,
    pub paths: LaunchPaths,
    /// What `what` has been read as.
    pub run: RunConfig,
    pub config: LaunchConfig,
    /// Look at compute nodes first.
    pub probe: bool,
}

impl What {
    /// The configuration, checked, and its files where other directories find them; `flags` are further ones of the command
    /// line.
    pub fn load(&self, mut flags: RawConfig) -> anyhow::Result<(RunConfig, LaunchConfig)> {
        (flags.seed, flags.train.rounds) = (self.seed, self.rounds);
        flags.launch.actors_per_task = self.actors_per_task;
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

    /// Actors in all.
    pub fn actors(&self, launch: &LaunchConfig) -> u32 {
        self.actors.unwrap_or(2 * launch.actors_per_task)
    }
}

impl Launch<'_> {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let id = format!("{:08x}", rand::random::<u32>());
        let plan = self.plan(&id, &self.key()?)?;
        let actors = self.what.actors(&self.config);
        let numbers: Vec<u32> = (0..tasks(actors, plan.actors_per_task)?).collect();
        let record = Record::new(&id, self.scheduler.clone(), plan, actors);
        let queue = queue::of(&record, &self.paths)?;
        queue::refuse_too_many(&*queue, actors)?;
        if self.how.dry_run {
            write!(out, "{}", queue.preview(&numbers)?)?;
            return Ok(());
        }
        queue.check()?;
        self.refuse_a_run_that_is_there()?;
        let before = Before::of(&self.paths);
        make_dirs(&self.paths)?;
        let _lock = lock::take(&self.paths.lock())?;
        // Somebody else may have launched it between the look and the lock.
        self.refuse_a_run_that_is_there()?;
        if let Err(error) = self.start(&record, &*queue, &numbers) {
            match queue.take_down() {
                Ok(()) => before.restore(&self.paths),
                // The first error is the one to tell; launch.json stays, so that `launch stop` finds what is left.
                Err(left) => tracing::warn!("not everything could be taken down: {left:#}"),
            }
            return Err(error);
        }
        tell(&self.paths, actors, &*queue, out)
    }

    fn start(&self, record: &Record, queue: &dyn Queue, numbers: &[u32]) -> anyhow::Result<()> {
        let config = self.paths.config();
        fs::write(&config, self.run.to_toml()).with_context(|| config.display().to_string())?;
        if self.probe {
            queue.probe()?;
        }
        record.write(&self.paths)?;
        queue.start_learner()?;
        queue.start_actors(numbers)
    }

    /// There, private, and outside the run directory.
    fn key(&self) -> anyhow::Result<Key> {
        let file = self.how.key_file.as_ref().map(std::path::absolute).transpose()?;
        match KeySource::given(file, std::env::var_os(KEY_VARIABLE))? {
            Some(source) => {
                source.check_outside(self.paths.run_dir())?;
                Ok(match source {
                    KeySource::File(path) => Key::File(path),
                    KeySource::Variable(_) => Key::Environment,
                })
            }
            None if self.scheduler != Scheduler::Slurm => Ok(Key::Absent),
            None => Err(BadInput(
                "actors on other nodes need a key: make one with `thermoflow key new ~/thermoflow.key`, then give \
                 --key-file ~/thermoflow.key"
                    .into(),
            )
            .into()),
        }
    }

    fn plan(&self, id: &str, key: &Key) -> anyhow::Result<Plan> {
        let programs = Programs {
            thermoflow: std::env::current_exe().context("the place of this program is not known")?,
            learner: sibling::find("thermoflow-learner")?,
            actor: sibling::find("thermoflow-actor")?,
            relay: sibling::find("thermoflow-relay")?,
        };
        let request = Request {
            id,
            paths: &self.paths,
            programs: &programs,
            working_dir: &std::env::current_dir()?,
            key,
            scheduler: &self.scheduler,
            allow_programs: self.run.task.oracle.is_some(),
            config: &self.config,
        };
        Ok(Plan::new(&request)?)
    }

    fn refuse_a_run_that_is_there(&self) -> anyhow::Result<()> {
        let (paths, shown) = (&self.paths, self.paths.run_dir().display());
        if paths.record().exists() {
            let record = Record::read(paths)?;
            let tasks = queue::of(&record, paths)?.tasks()?;
            if let Some((who, task)) = tasks.iter().find(|(_, task)| task.is_live()) {
                let (job, state) = (&task.job, &task.state);
                return Err(BadInput(format!(
                    "{shown} is a run under way: its {who} is {} {job} ({state}); `thermoflow launch status {shown}` shows \
                     it, `launch scale` changes it, `launch stop` stops it",
                    match record.scheduler {
                        Scheduler::Slurm => "job",
                        Scheduler::Local { .. } => "process",
                    }
                ))
                .into());
            }
        }
        if !paths.run_dir().join("run.toml").exists() {
            return Ok(());
        }
        if !self.how.resume {
            return Err(BadInput(format!("{shown} holds a run: --resume goes on with it")).into());
        }
        let differences = differences(&RunRecord::read(paths.run_dir())?.config, &self.run);
        if let Some(first) = differences.first() {
            return Err(BadInput(format!("{shown} holds a run with another configuration: {first}")).into());
        }
        Ok(())
    }
}

fn make_dirs(paths: &LaunchPaths) -> anyhow::Result<()> {
    for dir in [paths.logs(), paths.outboxes(), paths.ledgers(), paths.processes()] {
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    }
    Ok(())
}

/// What there was before a launch.
struct Before {
    run_dir: bool,
    launch: bool,
}

impl Before {
    fn of(paths: &LaunchPaths) -> Self {
        Self {
            run_dir: paths.run_dir().exists(),
            launch: paths.dir().exists(),
        }
    }

    /// Takes away what a launch that failed has made, but no results. Nothing runs in there any more, and the lock is held.
    fn restore(&self, paths: &LaunchPaths) {
        let metrics = fs::metadata(paths.run_dir().join("metrics.jsonl"));
        if metrics.is_ok_and(|file| file.len() > 0) {
            return;
        }
        if !self.run_dir {
            let _ = fs::remove_dir_all(paths.run_dir());
        } else if !self.launch {
            let _ = fs::remove_file(paths.record());
            let _ = fs::remove_dir_all(paths.dir());
        }
    }
}

fn tell(paths: &LaunchPaths, actors: u32, queue: &dyn Queue, out: &mut Output) -> anyhow::Result<()> {
    let run = paths.run_dir().display();
    writeln!(out, "{}. Next:", queue.launched(actors))?;
    writeln!(out, "  thermoflow launch status {run}")?;
    writeln!(out, "  thermoflow launch logs {run} learner")?;
    writeln!(out, "  thermoflow launch scale {run} --actors {}", actors * 2)?;
    Ok(writeln!(out, "  thermoflow launch stop {run}")?)
}
