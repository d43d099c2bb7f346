//! A run that is served: its replay, and what was counted of it so far.

use super::grown::{Betas, Counts};
use super::kept::{Answer, Kept};
use super::live::Live;
use crate::InspectError;
use crate::batches::{self, Batch, Passing};
use crate::compare::BEST;
use crate::groups::{By, Groups};
use crate::histogram::{Histogram, Quantity, Tally};
use crate::losses::{Curves, Losses};
use crate::modes::FoundModes;
use crate::replay::Replay;
use crate::scatter::{Sample, Scatter};
use crate::show::{Id, Judge, Trace};
use crate::summary::{Summary, Trained};
use crate::timeline::{Course, Stage};
use crate::top::{self, Page, Wanted};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use thermoflow::checkpoint;
use thermoflow::config::Mode;
use thermoflow::run_dir::RunPaths;
use thermoflow::task::Task;
use tokio::sync::watch;

/// A run that is served.
pub struct Run {
    replay: Mutex<Replay>,
    /// All batches that are committed, as far as anybody looked.
    batches: Mutex<Arc<Vec<Batch>>>,
    task: OnceLock<Option<Task>>,
    losses: Mutex<Losses>,
    trained: Mutex<Option<(PathBuf, Option<Trained>)>>,
    pub(super) live: watch::Sender<Live>,
    summaries: Kept<Betas>,
    samples: Kept<Sample>,
    tallies: Kept<Counts>,
    courses: Kept<Course>,
    rankings: Kept<top::Passing>,
}

/// What does not change of a run.
#[derive(Debug, Serialize)]
pub struct About {
    name: String,
    path: PathBuf,
    run_id: Option<String>,
    task: Option<String>,
    mode: Option<Mode>,
    has_modes: bool,
    has_policy: bool,
    columns: Vec<crate::schema::Column>,
}

/// How a run went, in parts.
#[derive(Debug, Clone, Serialize)]
pub struct Stages {
    /// Whether the task lists modes.
    pub has_modes: bool,
    /// In order of commit.
    pub parts: Vec<Stage>,
}

/// A run beside others.
#[derive(Debug, Serialize)]
pub struct Compared {
    name: String,
    summary: Summary,
    timeline: Stages,
    best_y: Option<f64>,
    top100_y: Option<f64>,
}

/// What is behind a mutex is replaced as a whole or extended at the end, so a panic elsewhere leaves nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    /// Opens a run directory or a replay.
    ///
    /// # Errors
    /// As [`Replay::open`].
    pub fn open(place: &Path) -> Result<Self, InspectError> {
        let replay = Replay::open(place)?;
        let batches = batches::read(&replay, 0)?;
        Ok(Self {
            live: watch::Sender::new(Live::of(&replay, &batches)),
            replay: Mutex::new(replay),
            batches: Mutex::new(Arc::new(batches)),
            task: OnceLock::new(),
            losses: Mutex::default(),
            trained: Mutex::default(),
            summaries: Kept::new(8),
            samples: Kept::new(8),
            tallies: Kept::new(16),
            courses: Kept::new(6),
            // As large as what they are of: every distinct x that passes.
            rankings: Kept::new(2),
        })
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// When the replay cannot be opened any more.
    pub fn replay(&self) -> Result<Replay, InspectError> {
        lock(&self.replay).another()
    }

    /// All batches; looks for new ones.
    ///
    /// # Errors
    /// When reading fails.
    pub fn batches(&self) -> Result<Arc<Vec<Batch>>, InspectError> {
        let replay = lock(&self.replay);
        let mut batches = lock(&self.batches);
        let new = batches::read(&replay, batches.last().map_or(0, |batch| batch.id))?;
        if !new.is_empty() {
            Arc::make_mut(&mut batches).extend(new);
            self.live.send_replace(Live::of(&replay, &batches));
        }
        Ok(batches.clone())
    }

    fn task(&self) -> Result<Option<&Task>, InspectError> {
        if self.task.get().is_none() {
            let task = lock(&self.replay).task_or_warning()?;
            // Another request may have been quicker; then it has set the same.
            let _ = self.task.set(task);
        }
        Ok(self.task.get().and_then(Option::as_ref))
    }

    /// What does not change.
    ///
    /// # Errors
    /// When reading fails.
    pub fn about(&self) -> Result<About, InspectError> {
        let has_modes = self.task()?.is_some_and(|task| !task.modes.is_empty());
        let replay = lock(&self.replay);
        let record = replay.record();
        let view = crate::schema::explain()
            .into_iter()
            .find(|table| table.name == "replay");
        Ok(About {
            name: replay.name(),
            path: replay.root().unwrap_or(replay.path()).to_path_buf(),
            run_id: record.map(|record| record.run_id.clone()),
            task: replay.task_config()?.map(|task| task.name),
            mode: record.map(|record| record.config.train.mode),
            has_modes,
            has_policy: newest_checkpoint(&replay).is_some(),
            columns: view.map(|view| view.columns).unwrap_or_default(),
        })
    }

    /// [`Summary`], with what the newest checkpoint says.
    ///
    /// # Errors
    /// When the condition is wrong or reading fails.
    pub fn summary(&self, condition: Option<&str>) -> Result<Answer<Summary>, InspectError> {
        let mut answer = self.summaries.ask(
            self,
            ("", condition),
            |replay, _| Betas::new(replay, condition.is_some()),
            |betas, replay, batches| {
                let passing = match &betas.passing {
                    None => Passing::all(replay, batches)?,
                    Some(counted) => Passing::of(batches, counted),
                };
                Summary::new(replay, &passing, &betas.tally, self.task()?)
            },
        )?;
        answer.answer.trained = self.trained();
        Ok(answer)
    }

    /// What the newest checkpoint says, which is read once.
    fn trained(&self) -> Option<Trained> {
        let replay = lock(&self.replay);
        let newest = newest_checkpoint(&replay)?;
        let mut known = lock(&self.trained);
        if known.as_ref().is_none_or(|(path, _)| *path != newest) {
            *known = Some((newest, Trained::read(&replay)));
        }
        known.as_ref().and_then(|(_, trained)| *trained)
    }

    /// [`Scatter`].
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn scatter(&self, condition: Option<&str>) -> Result<Answer<Scatter>, InspectError> {
        self.samples.ask(
            self,
            ("", condition),
            |_, _| Ok(Sample::default()),
            |sample, replay, _| sample.scatter(replay),
        )
    }

    /// [`Histogram`] in about `bins` bins.
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn histogram(
        &self,
        condition: Option<&str>,
        (of, by): (Quantity, Option<By>),
        bins: usize,
    ) -> Result<Answer<Histogram>, InspectError> {
        self.tallies.ask(
            self,
            (&format!("{of:?} {by:?}"), condition),
            |replay, _| {
                let tally = Tally::new(Groups::new(replay, by)?, &[of]);
                Ok(Counts { tally, by })
            },
            |counts, _, _| Ok(Histogram::new(&counts.tally, by, bins)),
        )
    }

    /// How it went.
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn timeline(&self, condition: Option<&str>) -> Result<Answer<Stages>, InspectError> {
        self.courses.ask(
            self,
            ("", condition),
            |_, batches| Ok(Course::new(batches.len())),
            |course, replay, batches| {
                let modes = FoundModes::look_up(replay, self.task()?)?;
                Ok(Stages {
                    has_modes: modes.is_some(),
                    parts: course.stages(replay, batches, modes.as_ref())?,
                })
            },
        )
    }

    /// [`Page`] of the objects.
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn top(&self, condition: Option<&str>, wanted: &Wanted<'_>) -> Result<Answer<Page>, InspectError> {
        if condition.is_none() {
            let total = trajectories(&self.batches()?);
            return Ok(Answer {
                read: total,
                total,
                answer: Page::read(&self.replay()?, None, wanted)?,
            });
        }
        self.rankings.ask(
            self,
            ("", condition),
            |_, _| Ok(top::Passing::default()),
            |passing, replay, _| Page::read(replay, Some(passing), wanted),
        )
    }

    /// What stands beside other runs.
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn compared(&self, condition: Option<&str>) -> Result<Answer<Compared>, InspectError> {
        let wanted = Wanted {
            descending: true,
            count: BEST,
            ..Wanted::default()
        };
        let summary = self.summary(condition)?;
        let timeline = self.timeline(condition)?;
        let best = self.top(condition, &wanted)?;
        let (best_y, top100_y) = top::best_and_mean(&best.answer.rows);
        Ok(Answer {
            read: summary.read.min(timeline.read).min(best.read),
            total: summary.total,
            answer: Compared {
                name: summary.answer.name.clone(),
                summary: summary.answer,
                timeline: timeline.answer,
                best_y,
                top100_y,
            },
        })
    }

    /// [`Curves`] of metrics.jsonl.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn losses(&self) -> Result<Curves, InspectError> {
        let root = lock(&self.replay).root().map(Path::to_path_buf);
        let mut losses = lock(&self.losses);
        if let Some(root) = root {
            losses.catch_up(&RunPaths::new(root).metrics())?;
        }
        Ok(losses.curves())
    }

    /// A trajectory, and what the newest checkpoint says of it.
    ///
    /// # Errors
    /// When it is not there, or the checkpoint is damaged.
    pub fn trajectory(&self, id: &Id) -> anyhow::Result<Trace> {
        let replay = self.replay()?;
        let task = self.task()?;
        let mut judge = match (task, replay.root()) {
            (Some(task), Some(root)) if newest_checkpoint(&replay).is_some() => Some(Judge::load(root, task)?),
            _ => None,
        };
        Trace::read(&replay, id, task, judge.as_mut())
    }
}

/// How many trajectories batches hold.
pub(super) fn trajectories(batches: &[Batch]) -> u64 {
    batches.iter().map(|batch| batch.count).sum()
}

fn newest_checkpoint(replay: &Replay) -> Option<PathBuf> {
    checkpoint::list(replay.root()?).ok()?.into_iter().next()
}
