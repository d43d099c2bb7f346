//! Live progress on stderr: bars on a terminal, a plain line now and then elsewhere.

use super::report::Report;
use super::supervise::Watcher;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a plain line is printed where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Shows progress.
pub struct Display {
    all: MultiProgress,
    rounds: ProgressBar,
    numbers: ProgressBar,
    actors: ProgressBar,
    terminal: bool,
    printed: Option<Instant>,
}

impl Display {
    /// Nothing to see yet.
    pub fn new() -> Self {
        let all = MultiProgress::new();
        let bar = ProgressStyle::with_template("{wide_bar:.cyan/black} round {pos}/{len} · {elapsed} · ETA {eta}");
        let line = || ProgressStyle::with_template("{wide_msg}").expect("a fixed template");
        Self {
            rounds: all.add(ProgressBar::no_length().with_style(bar.expect("a fixed template"))),
            numbers: all.add(ProgressBar::no_length().with_style(line())),
            actors: all.add(ProgressBar::no_length().with_style(line())),
            all,
            terminal: std::io::stderr().is_terminal(),
            printed: None,
        }
    }

    /// Takes the bars away.
    pub fn end(&self) {
        self.rounds.finish_and_clear();
        self.numbers.finish_and_clear();
        self.actors.finish_and_clear();
    }
}

impl Watcher for Display {
    fn progress(&mut self, report: &Report) {
        if self.terminal {
            self.rounds.set_length(report.rounds);
            self.rounds.set_position(report.round);
            self.numbers.set_message(report.numbers());
            self.actors.set_message(report.actors());
        } else if report.is_complete() || self.printed.is_none_or(|at| at.elapsed() >= PLAIN_EVERY) {
            self.printed = Some(Instant::now());
            self.line(&format!(
                "round {}/{} · {} · {}",
                report.round,
                report.rounds,
                report.numbers(),
                report.membership()
            ));
        }
    }

    fn line(&mut self, line: &str) {
        // There is nobody left to tell when stderr is closed.
        self.all.suspend(|| drop(writeln!(std::io::stderr(), "{line}")));
    }
}
