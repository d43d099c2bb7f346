//! Live progress on stderr: a bar per run under way and one for all, or a line per run where there is no terminal. What
//! programs say goes to the run's log.

use super::folder::{PlannedRun, State};
use super::runner::End;
use crate::cli::train::{Report, Watcher};
use anyhow::Context;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Progress of all runs.
pub struct Progress {
    bars: MultiProgress,
    /// Rounds of all runs.
    total: ProgressBar,
    terminal: bool,
}

/// Progress of one run, and its log.
pub struct RunProgress {
    name: String,
    bars: MultiProgress,
    bar: ProgressBar,
    total: ProgressBar,
    terminal: bool,
    log: Option<File>,
    /// The round the run went on from; the total counts from there.
    first: Option<u64>,
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a fixed template")
}

impl Progress {
    /// With the finished runs counted.
    pub fn new(runs: &[PlannedRun]) -> Self {
        let rounds = |run: &PlannedRun| run.job.variant.config.train.rounds;
        let bars = MultiProgress::new();
        let total = bars.add(ProgressBar::new(runs.iter().map(rounds).sum()));
        total.set_style(style(
            "all runs {wide_bar:.cyan/black} {pos}/{len} rounds · {elapsed} · ETA {eta}",
        ));
        let finished = runs.iter().filter(|run| matches!(run.state, State::Finished(_)));
        total.set_position(finished.map(rounds).sum());
        // The estimate is of what is left, not of what is there already.
        total.reset_eta();
        let terminal = std::io::stderr().is_terminal();
        Self { bars, total, terminal }
    }

    /// A run begins.
    pub fn begin(&self, run: &PlannedRun) -> RunProgress {
        let bar = ProgressBar::new(run.job.variant.config.train.rounds);
        let bar = self.bars.insert_before(&self.total, bar);
        bar.set_style(style("{prefix} {bar:24.green/black} {pos}/{len} · {wide_msg}"));
        bar.set_prefix(run.job.name());
        RunProgress {
            name: run.job.name(),
            bars: self.bars.clone(),
            bar,
            total: self.total.clone(),
            terminal: self.terminal,
            log: None,
            first: None,
        }
    }

    /// Takes the bars away.
    pub fn end(&self) {
        self.total.finish_and_clear();
    }
}

impl RunProgress {
    /// What programs say is appended to this file.
    pub fn open_log(&mut self, path: &Path) -> anyhow::Result<()> {
        let file = File::options().create(true).append(true).open(path);
        self.log = Some(file.with_context(|| format!("the log {} cannot be opened", path.display()))?);
        Ok(())
    }

    /// The run is over.
    pub fn end(&mut self, end: &End) {
        let word = match end {
            End::Finished => "finished",
            End::Stopped => "stopped",
            End::Failed(error) => {
                self.line(&format!("error: {error}"));
                "failed"
            }
        };
        self.bar.finish_and_clear();
        if !self.terminal || matches!(end, End::Failed(_)) {
            let line = format!("{}: {word} at round {}", self.name, self.bar.position());
            // There is nobody left to tell when stderr is closed.
            self.bars.suspend(|| drop(writeln!(std::io::stderr(), "{line}")));
        }
    }
}

impl Watcher for RunProgress {
    fn progress(&mut self, report: &Report) {
        let first = *self.first.get_or_insert_with(|| {
            self.total.inc(report.round);
            report.round
        });
        let before = self.bar.position().max(first);
        self.total.inc(report.round.saturating_sub(before));
        self.bar.set_position(report.round);
        self.bar.set_message(report.numbers());
    }

    fn line(&mut self, line: &str) {
        if let Some(log) = &mut self.log {
            // A log that cannot be written (disk full) is no reason to stop a run that can.
            let _ = writeln!(log, "{line}");
        }
    }
}
