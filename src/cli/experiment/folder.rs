//! An experiment's folder: whose it is, and which of its runs are done.
//!
//! ```text
//! experiment.toml            which experiment, with which options
//! configs/VARIANT-sSEED.toml the whole configuration of a run
//! runs/VARIANT-sSEED/        its run directory; finished.json when all its rounds are done
//! logs/VARIANT-sSEED.log     what its programs said
//! results.csv, table.md, report.html, *.svg, *.png
//! ```

use crate::cli::BadInput;
use crate::cli::train::Report;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use thermoflow::durable;
use thermoflow::experiment::{Job, Options};
use thermoflow::run_dir::{RunDirError, RunRecord, differences};

const RECORD: &str = "experiment.toml";
const FINISHED: &str = "finished.json";

/// What experiment.toml holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    experiment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rounds: Option<u64>,
}

/// The folder of one experiment.
#[derive(Debug)]
pub struct Folder(PathBuf);

/// A run and where its parts are.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    pub job: Job,
    pub config: PathBuf,
    pub run_dir: PathBuf,
    pub log: PathBuf,
    pub state: State,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Not begun.
    New,
    /// Begun and to be gone on with.
    Begun,
    /// All its rounds are done; the learner's last words.
    Finished(Box<Report>),
}

impl Folder {
    /// Opens or makes the folder. One that holds anything else, or the experiment with other options, is refused.
    pub fn open(path: &Path, experiment: &str, options: &Options) -> anyhow::Result<Self> {
        let record = Record {
            experiment: experiment.into(),
            rounds: options.rounds,
        };
        let file = path.join(RECORD);
        match fs::read_to_string(&file) {
            Ok(text) => record.refuse_other(path, &text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => record.begin(path, &file)?,
            Err(error) => return Err(BadInput(format!("{} cannot be read: {error}", file.display())).into()),
        }
        Ok(Self(path.into()))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Looks how far each run is, and writes the configurations.
    pub fn plan(&self, jobs: Vec<Job>) -> anyhow::Result<Vec<PlannedRun>> {
        for part in ["configs", "runs", "logs"] {
            let part = self.0.join(part);
            fs::create_dir_all(&part).with_context(|| format!("{} cannot be made", part.display()))?;
        }
        jobs.into_iter().map(|job| self.plan_one(job)).collect()
    }

    fn plan_one(&self, job: Job) -> anyhow::Result<PlannedRun> {
        let name = job.name();
        let run_dir = self.0.join("runs").join(&name);
        let state = state(&job, &run_dir)?;
        let config = self.0.join("configs").join(format!("{name}.toml"));
        durable::replace(&config, job.variant.config.to_toml().as_bytes())
            .with_context(|| format!("{} cannot be written", config.display()))?;
        let log = self.0.join("logs").join(format!("{name}.log"));
        Ok(PlannedRun {
            job,
            config,
            run_dir,
            log,
            state,
        })
    }
}

impl PlannedRun {
    /// Writes down that all rounds are done.
    pub fn finish(&self, report: &Report) -> anyhow::Result<()> {
        let path = self.run_dir.join(FINISHED);
        durable::replace(&path, &serde_json::to_vec_pretty(report)?)
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

impl Record {
    /// Makes the folder, unless there is something of others in it.
    fn begin(&self, path: &Path, file: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(path).map_err(|error| BadInput(format!("{} cannot be made: {error}", path.display())))?;
        if let Some(entry) = fs::read_dir(path)?.next() {
            let message = format!(
                "{} is not empty and no experiment's folder (it holds {:?}, but no {RECORD}): choose another --out",
                path.display(),
                entry?.file_name()
            );
            return Err(BadInput(message).into());
        }
        durable::replace(file, toml::to_string(self)?.as_bytes())
            .with_context(|| format!("{} cannot be written", file.display()))
    }

    /// Refuses a folder whose record is not this one.
    fn refuse_other(&self, path: &Path, text: &str) -> anyhow::Result<()> {
        let path = path.display();
        let there: Self = toml::from_str(text)
            .map_err(|error| BadInput(format!("{path}/{RECORD} is damaged: {}", error.message())))?;
        let refuse = |what: &str, there: String, here: String| {
            let message = format!("{path} has {what} {there}, not {here}: choose another --out");
            Err(BadInput(message).into())
        };
        if there.experiment != self.experiment {
            return refuse(
                "experiment",
                format!("{:?}", there.experiment),
                format!("{:?}", self.experiment),
            );
        }
        if there.rounds != self.rounds {
            let words = |rounds: Option<u64>| rounds.map_or("those of the paper".into(), |rounds| rounds.to_string());
            return refuse("--rounds", words(there.rounds), words(self.rounds));
        }
        Ok(())
    }
}

/// How far a run is; one with other settings is refused.
fn state(job: &Job, run_dir: &Path) -> anyhow::Result<State> {
    let record = match RunRecord::read(run_dir) {
        Ok(record) => record,
        // The learner refuses a directory in which there is something else.
        Err(RunDirError::NotARun(_)) => return Ok(State::New),
        Err(error) => return Err(BadInput(format!("{:#}", anyhow::Error::from(error))).into()),
    };
    if let Some(difference) = differences(&record.config, &job.variant.config).first() {
        let path = run_dir.display();
        let message = format!("the run in {path} has other settings: {difference}; choose another --out");
        return Err(BadInput(message).into());
    }
    let path = run_dir.join(FINISHED);
    match fs::read(&path) {
        Ok(text) => {
            let report = serde_json::from_slice(&text);
            let report = report.map_err(|error| BadInput(format!("{} is damaged: {error}", path.display())))?;
            Ok(State::Finished(report))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(State::Begun),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}
