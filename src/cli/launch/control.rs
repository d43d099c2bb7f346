//! `thermoflow launch scale` and `stop`.

use super::{slurm, start};
use crate::cli::{BadInput, Output};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use thermoflow::launch::queue::{Task, Who};
use thermoflow::launch::scale::change;
use thermoflow::launch::script::Script;
use thermoflow::launch::{Key, LaunchPaths, Record};
use thermoflow::lock;
use thermoflow::protocol::secure::{KEY_VARIABLE, KeySource};

/// How often the queue is asked.
const POLL: Duration = Duration::from_millis(500);

/// Gives a live run another number of actors
#[derive(Debug, clap::Args)]
pub struct ScaleArgs {
    /// Run directory
    run: PathBuf,
    /// Actors that there should be
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    actors: u32,
}

impl ScaleArgs {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let paths = LaunchPaths::new(std::path::absolute(&self.run)?);
        Record::read(&paths)?;
        let _lock = lock::take(&paths.lock())?;
        let mut record = Record::read(&paths)?;
        let tasks = slurm::tasks(&record)?;
        if !tasks.get(&Who::Learner).is_some_and(Task::is_live) {
            let advice = "`thermoflow launch slurm CONFIG --run-dir … --resume` goes on with it";
            return Err(BadInput(format!("{} has no learner: {advice}", self.run.display())).into());
        }
        let change = change(&live_actors(&tasks), self.actors);
        if !change.start.is_empty() {
            check_key(&record.plan.key)?;
            let script = Script::actors(&record.plan, &change.start)?;
            start::submit(&paths, "actors", &script, &record.plan.key)?;
        }
        slurm::cancel(
            change
                .stop
                .iter()
                .map(|number| tasks[&Who::Actor(*number)].job.as_str()),
        )?;
        record.actors = self.actors;
        record.write(&paths)?;
        let (start, stop) = (change.start.len(), change.stop.len());
        Ok(writeln!(
            out,
            "{} actors: {start} submitted, {stop} stopped",
            self.actors
        )?)
    }
}

/// A key that comes from the environment must be there this time, too.
fn check_key(key: &Key) -> anyhow::Result<()> {
    let source = match key {
        Key::File(path) => KeySource::given(Some(path.clone()), None)?,
        Key::Environment => KeySource::given(None, std::env::var_os(KEY_VARIABLE))?,
    };
    if source.is_some() {
        return Ok(());
    }
    Err(BadInput(format!(
        "the run was launched with a key in {KEY_VARIABLE}, which is not set here"
    ))
    .into())
}

fn live_actors(tasks: &BTreeMap<Who, Task>) -> BTreeSet<u32> {
    let live = tasks.iter().filter(|(_, task)| task.is_live());
    live.filter_map(|(who, _)| match who {
        Who::Actor(number) => Some(*number),
        Who::Learner => None,
    })
    .collect()
}

/// Stops a run: actors deliver what they have, the learner writes a checkpoint
#[derive(Debug, clap::Args)]
pub struct StopArgs {
    /// Run directory
    run: PathBuf,
    /// Seconds that each side gets before Slurm ends it
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    within: u64,
}

impl StopArgs {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let paths = LaunchPaths::new(std::path::absolute(&self.run)?);
        Record::read(&paths)?;
        let _lock = lock::take(&paths.lock())?;
        let record = Record::read(&paths)?;
        let [learner, actor] = record.names();
        // The learner acknowledges what they deliver, so it goes last.
        self.end(&record, &actor, |who| who != Who::Learner)?;
        self.end(&record, &learner, |who| who == Who::Learner)?;
        writeln!(out, "{} is stopped; the run can be resumed", self.run.display())?;
        Ok(())
    }

    /// Asks the tasks of these to stop, waits until they are gone, and cancels what is left.
    fn end(&self, record: &Record, name: &str, of: impl Fn(Who) -> bool) -> anyhow::Result<()> {
        let live = || -> anyhow::Result<Vec<Task>> {
            let tasks = slurm::tasks(record)?.into_iter();
            Ok(tasks
                .filter(|(who, task)| of(*who) && task.is_live())
                .map(|(_, task)| task)
                .collect())
        };
        let tasks = live()?;
        let (running, waiting): (Vec<_>, Vec<_>) = tasks.iter().partition(|task| task.state == "RUNNING");
        slurm::cancel(waiting.iter().map(|task| task.job.as_str()))?;
        for task in running {
            // It may have ended by itself meanwhile, which the queue tells.
            if let Err(error) = slurm::signal(&task.job, "INT") {
                tracing::warn!(%error, "{name}");
            }
        }
        let deadline = Instant::now() + Duration::from_secs(self.within);
        loop {
            let left = live()?;
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return slurm::cancel(left.iter().map(|task| task.job.as_str()));
            }
            std::thread::sleep(POLL);
        }
    }
}
