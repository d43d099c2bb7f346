//! Runs an experiment's runs, several at a time. Each is a learner and an actor, as with `thermoflow train`.

use super::folder::{PlannedRun, State};
use super::progress::{Progress, RunProgress};
use crate::cli::train::{Report, Run, stop_requests, supervise};
use futures_util::StreamExt;
use futures_util::stream;
use serde::{Serialize, Serializer};
use tokio::sync::watch;

/// A lockstep run keeps one core busy whatever the number of actors; so many runs as cores fill the machine.
const ACTORS: u32 = 1;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// All rounds are done.
    Finished,
    /// It was asked to stop, or had not begun by then.
    Stopped,
    /// Why it failed.
    Failed(String),
}

/// A run with its end.
#[derive(Debug, Serialize)]
pub struct Outcome {
    #[serde(rename = "name", serialize_with = "name_only")]
    pub run: PlannedRun,
    pub end: End,
    /// The learner's last words.
    pub report: Option<Report>,
}

fn name_only<S: Serializer>(run: &PlannedRun, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&run.job.name())
}

/// Runs all that are not finished, `parallel` at a time; returns them in the order given. A failed run stops no other.
/// Ctrl-C stops all.
pub async fn run_all(runs: Vec<PlannedRun>, parallel: usize) -> std::io::Result<Vec<Outcome>> {
    let stops = stop_requests()?;
    let progress = Progress::new(&runs);
    let all = runs.into_iter().map(|run| run_one(run, stops.clone(), &progress));
    let numbered = all.enumerate().map(async |(place, run)| (place, run.await));
    // Not `buffered`: there a run that is over keeps its slot until those before it are over too.
    let mut outcomes: Vec<_> = stream::iter(numbered).buffer_unordered(parallel).collect().await;
    outcomes.sort_by_key(|(place, _)| *place);
    progress.end();
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

async fn run_one(run: PlannedRun, stops: watch::Receiver<u32>, progress: &Progress) -> Outcome {
    if let State::Finished(report) = &run.state {
        let report = Some((**report).clone());
        let end = End::Finished;
        return Outcome { run, end, report };
    }
    if *stops.borrow() > 0 {
        let (end, report) = (End::Stopped, None);
        return Outcome { run, end, report };
    }
    let mut watcher = progress.begin(&run);
    let (end, report) = match train(&run, stops.clone(), &mut watcher).await {
        Ok(report) if report.is_complete() => (End::Finished, Some(report)),
        Ok(report) => (End::Stopped, Some(report)),
        Err(_) if *stops.borrow() > 1 => (End::Stopped, None),
        Err(error) => (End::Failed(format!("{error:#}")), None),
    };
    watcher.end(&end);
    Outcome { run, end, report }
}

async fn train(run: &PlannedRun, stops: watch::Receiver<u32>, watcher: &mut RunProgress) -> anyhow::Result<Report> {
    watcher.open_log(&run.log)?;
    let mut arguments = vec![
        run.config.display().to_string(),
        "--run-dir".into(),
        run.run_dir.display().to_string(),
    ];
    if run.state == State::Begun {
        arguments.push("--resume".into());
    }
    let start = Run::new(&run.job.variant.config, arguments, ACTORS, None);
    let report = supervise(&start, stops, watcher).await?;
    if report.is_complete() {
        run.finish(&report)?;
    }
    Ok(report)
}
