//! Real runs of a planned size on this machine: how fast they are once all actors are there. `bench fleet` uses it too.

use crate::cli::config::Source;
use crate::cli::train::{Report, Run, Watcher, supervise};
use anyhow::Context;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use thermoflow::config::RunConfig;
use thermoflow::task::oracle::OracleHealth;
use tokio::sync::watch;

/// Seconds of a run before anything is counted, and for each actor, whose process has to start.
const START: f64 = 5.0;
const START_EACH: f64 = 0.15;

/// Rounds enough for any time.
const ROUNDS: &str = "10000000";

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Trajectories per second.
    pub trajectories_per_second: f64,
    /// Objects that a program was asked for, per second; None where there is no program.
    pub rewards_per_second: Option<f64>,
    /// Median over its reports of how many versions old trajectories were.
    pub staleness_p50: Option<f64>,
    /// Growth of the run directory in a day, checkpoints aside.
    pub disk_bytes_per_day: f64,
}

/// Trains with so many actors for so long.
///
/// # Errors
/// The run, or that it was too short to do anything.
pub fn run(
    source: &Source,
    config: &RunConfig,
    actors: usize,
    reward_ms: Option<f64>,
    seconds: f64,
    dir: &Path,
) -> anyhow::Result<Measured> {
    let dir = tempfile::tempdir_in(dir).with_context(|| format!("{} cannot be used", dir.display()))?;
    let run_dir = dir.path().join("run");
    let [file, place] = [&source.file, &run_dir].map(|path| path.display().to_string());
    let mut arguments = vec![file, "--run-dir".into(), place, "--rounds".into(), ROUNDS.into()];
    for set in &source.sets {
        arguments.extend(["--set".into(), set.clone()]);
    }
    let run = Run::new(config, arguments, actors as u32, None).pretending(reward_ms);
    let start = START + START_EACH * actors as f64;
    let mut seen = Seen {
        from: start,
        until: start + seconds,
        reports: Vec::new(),
        lines: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (stop, stops) = watch::channel(0);
        let timer = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs_f64(start + seconds + 1.0)).await;
            stop.send_modify(|count| *count += 1);
            stop
        });
        let end = supervise(&run, stops, &mut seen).await;
        timer.abort();
        end.with_context(|| format!("the run with {actors} actors failed: {}", seen.lines.join(" ")))
    })?;
    seen.measured(&run_dir)
}

/// What a run said of itself in its time.
struct Seen {
    from: f64,
    until: f64,
    reports: Vec<Report>,
    /// The first of what its programs said.
    lines: Vec<String>,
}

/// Lines that are kept for the case that the run fails.
const LINES: usize = 5;

impl Watcher for Seen {
    fn progress(&mut self, report: &Report) {
        if (self.from..self.until).contains(&report.seconds) {
            self.reports.push(report.clone());
        }
    }

    fn line(&mut self, line: &str) {
        if self.lines.len() < LINES {
            self.lines.push(line.into());
        }
    }
}

impl Seen {
    fn measured(&self, run_dir: &Path) -> anyhow::Result<Measured> {
        let ends = self.reports.first().zip(self.reports.last());
        let (first, last) = ends.filter(|(first, last)| last.trajectories > first.trajectories).context(
            "nothing came in the time of the check: --check-seconds must be some times what a roll-out with its rewards takes",
        )?;
        let seconds = last.seconds - first.seconds;
        let asked = |report: &Report| sum(report, |oracle| oracle.calls) - sum(report, |oracle| oracle.cached);
        let rewards = asked(last).saturating_sub(asked(first)) as f64 / seconds;
        let mut ages: Vec<f64> = self.reports.iter().filter_map(|report| report.staleness_p50).collect();
        ages.sort_by(f64::total_cmp);
        let rate = (last.trajectories - first.trajectories) as f64 / seconds;
        Ok(Measured {
            trajectories_per_second: rate,
            rewards_per_second: (asked(last) > 0).then_some(rewards),
            staleness_p50: ages.get(ages.len() / 2).copied(),
            disk_bytes_per_day: 86_400.0 * rate * size(run_dir)? / last.trajectories as f64,
        })
    }
}

fn sum(report: &Report, count: fn(&OracleHealth) -> u64) -> u64 {
    report.actors.iter().map(|actor| count(&actor.oracle)).sum()
}

/// Bytes of a run directory without its checkpoints.
fn size(run_dir: &Path) -> anyhow::Result<f64> {
    let files = walkdir::WalkDir::new(run_dir).into_iter();
    let files = files.filter_entry(|entry| entry.file_name() != "checkpoints");
    let mut bytes = 0;
    for file in files {
        let about = file?.metadata()?;
        bytes += if about.is_file() { about.len() } else { 0 };
    }
    Ok(bytes as f64)
}
