//! Whoever runs the programs of a launch: Slurm, or this machine. All that `launch` does to a run goes through this.

use super::local::Local;
use super::slurm::Slurm;
use crate::cli::BadInput;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use thermoflow::launch::queue::{Task, Who};
use thermoflow::launch::{LaunchPaths, Record, Scheduler};

/// How often the queue is asked.
const POLL: Duration = Duration::from_millis(200);

/// See the module.
pub trait Queue {
    /// Most actors that make sense there.
    fn most_actors(&self) -> u32;

    /// What a launch with actors' tasks of these numbers would start, for people and shells to read.
    fn preview(&self, tasks: &[u32]) -> anyhow::Result<String>;

    /// Looks whether it is there and knows what the run asks for. Nothing is started or written.
    fn check(&self) -> anyhow::Result<()>;

    /// Looks from where the programs will run, once the run directory is there.
    fn probe(&self) -> anyhow::Result<()>;

    /// Starts the learner; after an error it is not running.
    fn start_learner(&self) -> anyhow::Result<()>;

    /// Starts the actors of these tasks; after an error none of them is running.
    fn start_actors(&self, numbers: &[u32]) -> anyhow::Result<()>;

    /// What a launch says that went well.
    fn launched(&self, actors: u32) -> String;

    /// The programs that are known, also such that have ended.
    fn tasks(&self) -> anyhow::Result<BTreeMap<Who, Task>>;

    /// Asks these to stop in order; asking again is harmless.
    fn ask(&self, tasks: &Tasks) -> anyhow::Result<()>;

    /// Ends these by force.
    fn end(&self, tasks: &Tasks) -> anyhow::Result<()>;

    /// Ends everything of a launch that failed.
    fn take_down(&self) -> anyhow::Result<()>;
}

/// Programs and what is known of them, the learner first.
pub type Tasks = BTreeMap<Who, Task>;

/// Who runs the programs of this launch.
pub fn of<'a>(record: &'a Record, paths: &'a LaunchPaths) -> anyhow::Result<Box<dyn Queue + 'a>> {
    Ok(match &record.scheduler {
        Scheduler::Slurm => Box::new(Slurm::new(record, paths)),
        Scheduler::Local { host } => Box::new(Local::new(record, paths, host)?),
    })
}

/// Refuses more actors than make sense.
pub fn refuse_too_many(queue: &dyn Queue, actors: u32) -> anyhow::Result<()> {
    let most = queue.most_actors();
    if actors <= most {
        return Ok(());
    }
    Err(BadInput(format!("{actors} actors are too many: at most {most} there")).into())
}

/// Asks programs to stop, waits until they are gone, and ends what is left after `within`.
pub fn wind_down(queue: &dyn Queue, within: Duration, of: impl Fn(Who) -> bool) -> anyhow::Result<()> {
    let live = || -> anyhow::Result<Tasks> {
        let tasks = queue.tasks()?.into_iter();
        Ok(tasks.filter(|(who, task)| of(*who) && task.is_live()).collect())
    };
    queue.ask(&live()?)?;
    if wait(within, || Ok(live()?.is_empty()))? {
        return Ok(());
    }
    queue.end(&live()?)
}

/// Waits until `done`; false when it was not after that time.
pub fn wait(within: Duration, mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<bool> {
    let deadline = Instant::now() + within;
    loop {
        if done()? {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(POLL);
    }
}
