//! The paper's experiments: which runs each of them needs, and what is made of them. No processes and no progress; the
//! command `thermoflow experiment` runs the runs.
//!
//! An experiment is one file here and one line in [`EXPERIMENTS`].

mod ablation;
mod error;
mod finished;
mod gridworld;
mod grouping;
mod measured;
mod modes;
mod offline;
mod results;
mod scale;
mod settings;
mod stability;
mod statistics;
#[cfg(test)]
mod tests;

pub use error::ExperimentError;
pub use finished::{AtBeta, FinishedJob, Trained};
pub use results::{Record, write_csv};
pub use statistics::{Spread, mean_of_last, spread, spread_by_x};

use crate::config::RunConfig;
use crate::plot::Figure;
use crate::report::Table;

/// Every experiment there is.
pub const EXPERIMENTS: &[&Experiment] = &[
    &gridworld::EXPERIMENT,
    &stability::EXPERIMENT,
    &modes::EXPERIMENT,
    &offline::EXPERIMENT,
    &scale::EXPERIMENT,
    &ablation::objective::EXPERIMENT,
    &ablation::beta::EXPERIMENT,
    &ablation::k::EXPERIMENT,
    &ablation::thermometer::EXPERIMENT,
    &ablation::layer::EXPERIMENT,
];

/// A figure of the paper, or several that come from the same runs.
#[derive(Debug)]
pub struct Experiment {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows, in a line.
    pub summary: &'static str,
    /// What the whole of it costs, with the default seeds.
    pub cost: &'static str,
    /// How many seeds it takes by default.
    pub seeds: u64,
    /// Tasks that it is run on by default.
    pub tasks: &'static [&'static str],
    /// Tasks that it can be run on as well: they take long, or need data that users fetch.
    pub more_tasks: &'static [&'static str],
    /// The runs it needs on a task with each seed.
    pub variants: fn(&str, &Options) -> Result<Vec<Variant>, ExperimentError>,
    /// What is made of them.
    pub analyse: fn(&[FinishedJob]) -> Result<Findings, ExperimentError>,
}

/// What a user may change of an experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Rounds of every run; None for those of the paper.
    pub rounds: Option<u64>,
    /// On which tasks; none for the default ones.
    pub tasks: Vec<String>,
}

/// Settings that are run with each seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Names its files: small letters, digits and hyphens, different for each.
    pub name: String,
    /// Names it in legends and tables; the same in all panels in which it appears, and in several variants where the
    /// experiment sees them as one.
    pub label: String,
    /// In ablations, the setting that is varied; empty elsewhere.
    pub setting: String,
    /// Its settings; the seed is set for each job.
    pub config: RunConfig,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// What is run.
    pub variant: Variant,
    /// With which seed; the variant's configuration has it as well.
    pub seed: u64,
}

impl Variant {
    /// A variant on the task of `config`; `name` is its own among those of that task.
    pub(self) fn new(name: &str, label: &str, config: RunConfig) -> Self {
        Self {
            name: format!("{}-{name}", config.task.name),
            label: label.into(),
            setting: String::new(),
            config,
        }
    }
}

impl Job {
    /// Names its files.
    pub fn name(&self) -> String {
        format!("{}-s{}", self.variant.name, self.seed)
    }
}

/// What was found out.
#[derive(Debug, Default)]
pub struct Findings {
    /// Pictures.
    pub figures: Vec<NamedFigure>,
    /// Numbers for people.
    pub tables: Vec<Table>,
    /// What a reader has to know to judge them.
    pub notes: Vec<String>,
    /// Numbers beyond those that the runs reported, for the CSV.
    pub records: Vec<Record>,
}

/// A picture with the name of its files.
#[derive(Debug)]
pub struct NamedFigure {
    /// Names its files, without an ending.
    pub name: String,
    /// What is to be seen, and how it was computed.
    pub caption: String,
    /// The picture.
    pub figure: Figure,
}

impl Experiment {
    /// The experiment of this name.
    ///
    /// # Errors
    /// [`ExperimentError::Unknown`] names the nearest one and lists all.
    pub fn find(name: &str) -> Result<&'static Self, ExperimentError> {
        let found = EXPERIMENTS.iter().find(|experiment| experiment.name == name);
        found.copied().ok_or_else(|| ExperimentError::unknown(name))
    }

    /// All runs: every variant with every seed. All variants of a seed come before the next seed, so that an experiment
    /// cut short has something of everything.
    ///
    /// # Errors
    /// A task that the experiment cannot be run on, or settings that are not allowed.
    pub fn jobs(&self, options: &Options, seeds: &[u64]) -> Result<Vec<Job>, ExperimentError> {
        let tasks = self.chosen_tasks(options)?;
        let variants: Result<Vec<_>, _> = tasks.iter().map(|task| (self.variants)(task, options)).collect();
        let variants = variants?.concat();
        let jobs = seeds.iter().flat_map(|&seed| {
            variants.iter().map(move |variant| {
                let mut variant = variant.clone();
                variant.config.seed = seed;
                Job { variant, seed }
            })
        });
        Ok(jobs.collect())
    }

    /// Every task that it can be run on.
    pub fn all_tasks(&self) -> impl Iterator<Item = &'static str> {
        self.tasks.iter().chain(self.more_tasks).copied()
    }

    fn chosen_tasks(&self, options: &Options) -> Result<Vec<&'static str>, ExperimentError> {
        if options.tasks.is_empty() {
            return Ok(self.tasks.to_vec());
        }
        let find = |name: &String| {
            let found = self.all_tasks().find(|task| task == name);
            found.ok_or_else(|| ExperimentError::NoSuchTask {
                task: name.clone(),
                experiment: self.name,
                tasks: self.all_tasks().collect::<Vec<_>>().join(", "),
            })
        };
        options.tasks.iter().map(find).collect()
    }

    /// For a report: which tasks these runs leave out.
    fn left_out(&self, jobs: &[FinishedJob]) -> Option<String> {
        let missing: Vec<_> = self
            .all_tasks()
            .filter(|task| jobs.iter().all(|job| job.task() != *task))
            .collect();
        (!missing.is_empty()).then(|| {
            format!(
                "Left out here: {}. Ask for them with --task; they take longer, or need data that users fetch \
                 (thermoflow data import).",
                missing.join(", ")
            )
        })
    }
}
