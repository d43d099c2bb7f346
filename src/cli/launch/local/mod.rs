//! `thermoflow launch local`: a launch as processes of this machine, each with a keeper (`launch keep`) that outlives this
//! command. Their files in the run directory say who they are.

mod kept;
mod processes;

pub use kept::Kept;

use super::logs::last_lines;
use super::probe::listen;
use super::queue::{Queue, Tasks, wait, wind_down};
use super::start::{How, Launch, What};
use crate::cli::train::free_run_dir;
use crate::cli::{BadInput, Output};
use anyhow::{Context, bail};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use thermoflow::config::RawConfig;
use thermoflow::launch::local::{self, Process};
use thermoflow::launch::queue::{Task, Who};
use thermoflow::launch::{Key, LaunchPaths, Plan, Record, Scheduler};
use thermoflow::process::{BAD_INPUT, host_name};
use thermoflow::protocol::secure::KEY_VARIABLE;

/// How long a program may take to start. A learner that goes on with a long run reads its replay first.
const STARTS_WITHIN: Duration = Duration::from_secs(600);

/// How long programs of a launch that failed may take to stop.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Starts a learner and its actors in the background of this machine
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    what: What,
    /// Where the run is kept [default: runs/TASK-NUMBER]
    #[arg(long, value_name = "D")]
    run_dir: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let (run, config) = self.what.load(RawConfig::default())?;
        let run_dir = match &self.run_dir {
            Some(dir) => dir.clone(),
            None => free_run_dir(&run.task.name)?,
        };
        let launch = Launch {
            what: &self.what,
            how: &self.how,
            scheduler: Scheduler::Local { host: host_name() },
            paths: LaunchPaths::new(std::path::absolute(run_dir).context("--run-dir")?),
            run,
            config,
            probe: false,
        };
        launch.run(out)
    }
}

/// The processes of a launch.
pub struct Local<'a> {
    plan: &'a Plan,
    paths: &'a LaunchPaths,
    host: &'a str,
}

impl<'a> Local<'a> {
    /// Refuses what runs on another machine: its processes cannot be told from those of this one.
    pub fn new(record: &'a Record, paths: &'a LaunchPaths, host: &'a str) -> anyhow::Result<Self> {
        let this = host_name();
        if host != this {
            let shown = paths.run_dir().display();
            return Err(BadInput(format!(
                "{shown} was launched on {host}, and this is {this}: do it there"
            ))
            .into());
        }
        let plan = &record.plan;
        Ok(Self { plan, paths, host })
    }

    /// Starts a program by its keeper.
    fn start(&self, who: Who) -> anyhow::Result<()> {
        let words = local::command(self.plan, self.paths, who)?;
        let path = self.paths.log(who);
        let log = OpenOptions::new().append(true).create(true).open(&path);
        let log = log.with_context(|| path.display().to_string())?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(&self.plan.working_dir);
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        if let Key::File(_) = self.plan.key {
            command.env_remove(KEY_VARIABLE);
        }
        let mut keeper = command
            .spawn()
            .with_context(|| format!("{} cannot be started", words[0]))?;
        let id = processes::identify(keeper.id()).with_context(|| format!("the keeper of {who} is gone"))?;
        // The keeper waits for the line, and ends when it is not to come: nothing runs that is not written down.
        Process::new(id, kept::now()).write(&self.paths.process(who))?;
        let mut stdin = keeper.stdin.take().context("a keeper without standard input")?;
        stdin
            .write_all(b"\n")
            .with_context(|| format!("the keeper of {who} is gone"))
    }

    /// Waits until these programs run; one that fails to says why.
    fn started(&self, wanted: &[Who]) -> anyhow::Result<()> {
        let running = wait(STARTS_WITHIN, || {
            let tasks = self.tasks()?;
            for who in [Who::Learner].iter().chain(wanted) {
                self.refuse_failed(*who, &tasks)?;
            }
            let runs = |who| tasks.get(who).is_some_and(|task| task.state != "CONFIGURING");
            // A learner runs when actors may come. That of a complete run has nothing to do.
            let listens = self.paths.address().exists() || !self.learns(&tasks);
            Ok(listens && wanted.iter().all(runs))
        })?;
        if !running {
            bail!("not started within {} seconds", STARTS_WITHIN.as_secs());
        }
        Ok(())
    }

    fn refuse_failed(&self, who: Who, tasks: &Tasks) -> anyhow::Result<()> {
        let Some(task) = tasks.get(&who).filter(|task| task.state == "FAILED") else {
            return Ok(());
        };
        let words = last_lines(&self.paths.log(who), 1);
        let message = format!(
            "{who} failed ({}): {}",
            task.reason,
            words.trim_start_matches("error: ")
        );
        if task.reason == format!("exit code {BAD_INPUT}") {
            return Err(BadInput(message).into());
        }
        bail!(message)
    }

    fn learns(&self, tasks: &Tasks) -> bool {
        tasks.get(&Who::Learner).is_some_and(Task::is_live)
    }

    /// The file of a program.
    fn process(&self, who: Who) -> anyhow::Result<Option<Process>> {
        Ok(Process::read(&self.paths.process(who))?)
    }
}

impl Queue for Local<'_> {
    fn most_actors(&self) -> u32 {
        512
    }

    fn preview(&self, tasks: &[u32]) -> anyhow::Result<String> {
        let mut text = format!(
            "# In {}; each waits for a line on its standard input.\n",
            self.plan.working_dir
        );
        let tasks = tasks.iter().map(|number| Who::Actor(*number));
        for who in [Who::Learner].into_iter().chain(tasks) {
            text += &local::line(self.plan, self.paths, who)?;
            text += "\n";
        }
        Ok(text)
    }

    fn check(&self) -> anyhow::Result<()> {
        listen(Ipv4Addr::LOCALHOST, self.plan.port).map(drop)
    }

    fn probe(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn start_learner(&self) -> anyhow::Result<()> {
        // Those of an earlier launch; none of them is live.
        for path in self.paths_of_processes()?.into_values() {
            fs::remove_file(path)?;
        }
        match fs::remove_file(self.paths.address()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => self.start(Who::Learner)?,
        }
        self.started(&[Who::Learner])?;
        if self.learns(&self.tasks()?) {
            return Ok(());
        }
        Err(BadInput("the learner ended at once: the run has all its rounds (--rounds gives it more)".into()).into())
    }

    fn start_actors(&self, numbers: &[u32]) -> anyhow::Result<()> {
        let wanted: Vec<Who> = numbers.iter().map(|number| Who::Actor(*number)).collect();
        let started = wanted.iter().try_for_each(|who| self.start(*who));
        let started = started.and_then(|()| self.started(&wanted));
        if started.is_err() || !self.learns(&self.tasks()?) {
            // The first error is the one to tell. Actors of a run that was complete would look for its learner for a day.
            let _ = wind_down(self, GONE_WITHIN, |who| wanted.contains(&who));
        }
        started
    }

    fn launched(&self, actors: u32) -> String {
        format!("A learner and {actors} actors run in the background")
    }

    fn tasks(&self) -> anyhow::Result<Tasks> {
        let mut tasks = BTreeMap::new();
        for (who, path) in self.paths_of_processes()? {
            if let Some(process) = Process::read(&path)? {
                tasks.insert(who, process.task(self.host, kept::now(), processes::is_live));
            }
        }
        Ok(tasks)
    }

    /// By the keeper, as under Slurm: a program that is asked twice by a signal ends at once.
    fn ask(&self, tasks: &Tasks) -> anyhow::Result<()> {
        for who in tasks.keys() {
            if let Some(process) = self.process(*who)? {
                processes::signal(&process.keeper, Signal::INT)?;
            }
        }
        Ok(())
    }

    fn end(&self, tasks: &Tasks) -> anyhow::Result<()> {
        for who in tasks.keys() {
            let Some(process) = self.process(*who)? else { continue };
            // Its keeper writes down how it ended.
            let program = process.program.as_ref().filter(|program| processes::is_live(program));
            processes::signal(program.unwrap_or(&process.keeper), Signal::KILL)?;
        }
        Ok(())
    }

    fn take_down(&self) -> anyhow::Result<()> {
        wind_down(self, GONE_WITHIN, |_| true)?;
        if !wait(GONE_WITHIN, || Ok(!self.tasks()?.values().any(Task::is_live)))? {
            bail!("processes that were killed are still there");
        }
        Ok(())
    }
}

impl Local<'_> {
    fn paths_of_processes(&self) -> anyhow::Result<BTreeMap<Who, PathBuf>> {
        let entries = match fs::read_dir(self.paths.processes()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            entries => entries.with_context(|| self.paths.processes().display().to_string())?,
        };
        let mut paths = BTreeMap::new();
        for entry in entries {
            let path = entry?.path();
            // Half-written ones have another ending.
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json"));
            if let Some(who) = name.and_then(|name| name.parse().ok()) {
                paths.insert(who, path);
            }
        }
        Ok(paths)
    }
}
