//! `thermoflow launch scale` and `stop`.

use super::queue::{self, Tasks};
use crate::cli::{BadInput, Output};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use thermoflow::launch::queue::{Task, Who};
use thermoflow::launch::scale::{change, tasks};
use thermoflow::launch::{Key, LaunchPaths, Record};
use thermoflow::lock;
use thermoflow::protocol::secure::{KEY_VARIABLE, KeySource};

/// How long actors that are no longer wanted may take to deliver what they have.
const DELIVER_WITHIN: Duration = Duration::from_secs(120);

/// Gives a live run another number of actors
#[derive(Debug, clap::Args)]
pub struct ScaleArgs {
    /// Run directory
    run: PathBuf,
    /// Actors that there should be; with launch.actors_per_task a multiple of it
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    actors: u32,
}

impl ScaleArgs {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let paths = LaunchPaths::new(std::path::absolute(&self.run)?);
        Record::read(&paths)?;
        let _lock = lock::take(&paths.lock())?;
        let mut record = Record::read(&paths)?;
        let per_task = record.plan.actors_per_task;
        let wanted = tasks(self.actors, per_task)?;
        let change = {
            let queue = queue::of(&record, &paths)?;
            queue::refuse_too_many(&*queue, self.actors)?;
            let known = queue.tasks()?;
            if !known.get(&Who::Learner).is_some_and(Task::is_live) {
                let advice = "`thermoflow launch … CONFIG --run-dir … --resume` goes on with it";
                return Err(BadInput(format!("{} has no learner: {advice}", self.run.display())).into());
            }
            let change = change(&live_actors(&known), wanted);
            if !change.start.is_empty() {
                check_key(&record.plan.key)?;
                queue.start_actors(&change.start)?;
            }
            let unwanted: BTreeSet<Who> = change.stop.iter().map(|number| Who::Actor(*number)).collect();
            // Waited for: whoever scales again at once must not count them.
            queue::wind_down(&*queue, DELIVER_WITHIN, |who| unwanted.contains(&who))?;
            change
        };
        record.actors = self.actors;
        record.write(&paths)?;
        let [more, fewer] = [change.start, change.stop].map(|numbers| numbers.len() * per_task as usize);
        Ok(writeln!(out, "{} actors: {more} more, {fewer} stopped", self.actors)?)
    }
}

/// A key that comes from the environment must be there this time, too.
fn check_key(key: &Key) -> anyhow::Result<()> {
    let source = match key {
        Key::File(path) => KeySource::given(Some(path.clone()), None)?,
        Key::Environment => KeySource::given(None, std::env::var_os(KEY_VARIABLE))?,
        Key::Absent => return Ok(()),
    };
    if source.is_some() {
        return Ok(());
    }
    Err(BadInput(format!(
        "the run was launched with a key in {KEY_VARIABLE}, which is not set here"
    ))
    .into())
}

/// The numbers of their tasks.
fn live_actors(tasks: &Tasks) -> BTreeSet<u32> {
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
    /// Seconds that each side gets before it is ended by force
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    within: u64,
}

impl StopArgs {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let paths = LaunchPaths::new(std::path::absolute(&self.run)?);
        Record::read(&paths)?;
        let _lock = lock::take(&paths.lock())?;
        let record = Record::read(&paths)?;
        let queue = queue::of(&record, &paths)?;
        let within = Duration::from_secs(self.within);
        // The learner acknowledges what they deliver, so it goes last.
        queue::wind_down(&*queue, within, |who| who != Who::Learner)?;
        queue::wind_down(&*queue, within, |who| who == Who::Learner)?;
        writeln!(out, "{} is stopped; the run can be resumed", self.run.display())?;
        Ok(())
    }
}
