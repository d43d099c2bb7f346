//! One training run from its start to its end: a learner, its actors, and who is told about them.

use super::children::{Event, Fleet, Learner};
use super::report::Report;
use crate::cli::BadInput;
use std::ffi::OsString;
use std::path::PathBuf;
use thermoflow::config::{Mode, RunConfig};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Events of children that wait to be handled. They come at human speed; a full channel makes a child's reader wait.
const EVENTS: usize = 256;

/// What is started.
#[derive(Debug)]
pub struct Run {
    /// The learner's command line.
    arguments: Vec<String>,
    /// Actor processes.
    actors: u32,
    /// The file with the actors' key.
    key_file: Option<PathBuf>,
    /// Milliseconds that actors wait for every object they score.
    pretend_reward_ms: Option<f64>,
}

impl Run {
    /// A run of `config`, which `arguments` name, with `actors` actors; offline training has nothing for them to do.
    /// `key_file`, which `arguments` name too, is for the actors.
    pub fn new(config: &RunConfig, arguments: Vec<String>, actors: u32, key_file: Option<PathBuf>) -> Self {
        let actors = if config.train.mode == Mode::Offline { 0 } else { actors };
        Self {
            arguments,
            actors,
            key_file,
            pretend_reward_ms: None,
        }
    }

    /// The same with actors that wait so many milliseconds for every object they score.
    pub fn pretending(mut self, reward_ms: Option<f64>) -> Self {
        self.pretend_reward_ms = reward_ms;
        self
    }
}

impl Run {
    /// What every actor gets on its command line.
    fn actor_arguments(&self, address: &str) -> Vec<OsString> {
        // The configuration is from this command line, and so is the program that it may name.
        let mut arguments: Vec<OsString> = ["--connect", address, "--allow-programs"].map(Into::into).into();
        if let Some(path) = &self.key_file {
            arguments.extend(["--key-file".into(), path.clone().into()]);
        }
        if let Some(reward) = self.pretend_reward_ms {
            arguments.extend(["--pretend-reward-ms".into(), reward.to_string().into()]);
        }
        arguments
    }
}

/// Who is told how a run is doing.
pub trait Watcher {
    /// Where training is.
    fn progress(&mut self, report: &Report);
    /// A line of a program's stderr, or on its fate.
    fn line(&mut self, line: &str);
}

/// The learner's own words; it decided how bad it is.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct LearnerFailed {
    message: String,
    /// The learner's exit code.
    pub code: u8,
}

/// Counts the requests to stop (Ctrl-C, SIGTERM) from now on.
///
/// # Errors
/// When signals cannot be caught.
pub fn stop_requests() -> std::io::Result<watch::Receiver<u32>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, requests) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () }
            sender.send_modify(|count| *count += 1);
        }
    });
    Ok(requests)
}

/// Runs the children until the learner ends; returns its last words. The first of the `stops` lets it write a
/// checkpoint, the second ends everything at once.
pub async fn supervise(
    run: &Run,
    mut stops: watch::Receiver<u32>,
    watcher: &mut impl Watcher,
) -> anyhow::Result<Report> {
    let (sender, mut events) = mpsc::channel(EVENTS);
    let mut learner = Learner::start(&run.arguments, sender.clone())?;
    let mut fleet: Option<Fleet> = None;
    let (mut last, mut error) = (None, None);
    let mut lost = Vec::new();
    let code = loop {
        let event = tokio::select! {
            event = events.recv() => event.expect("this function holds a sender"),
            Ok(()) = stops.changed() => Event::Stop,
        };
        match event {
            Event::Listening(address) => {
                fleet = Some(Fleet::start(run.actors, &run.actor_arguments(&address), &sender)?)
            }
            Event::Progress(report) => {
                watcher.progress(&report);
                last = Some(*report);
            }
            Event::LearnerSays(line) => match line.strip_prefix("error: ") {
                Some(message) => error = Some(message.to_string()),
                None => watcher.line(&line),
            },
            Event::ActorSays(line) => watcher.line(&line),
            Event::ActorLost(words, is_hopeless) => {
                watcher.line(&words);
                lost.push((words, is_hopeless));
                // Nobody is left to work for the learner, which would wait for ever.
                if lost.len() == run.actors as usize {
                    learner.stop();
                }
            }
            Event::LearnerEnded(code) => break code,
            Event::Stop if learner.stop() => {
                watcher.line("stopping: the learner writes a checkpoint (Ctrl-C again: at once)")
            }
            Event::Stop => {
                learner.kill();
                fleet.take();
                return Err(anyhow::anyhow!(
                    "stopped at once; --resume goes on from the last checkpoint"
                ));
            }
        }
    };
    if let Some(fleet) = fleet {
        fleet.end(code == 0, &mut events, watcher).await;
    }
    if run.actors > 0 && lost.len() == run.actors as usize {
        return Err(no_actor_is_left(lost));
    }
    match (code, last) {
        (0, Some(report)) => Ok(report),
        (0, None) => Err(anyhow::anyhow!("the learner ended without a word")),
        (code, _) => {
            let message = error.unwrap_or_else(|| format!("the learner ended with exit code {code}"));
            Err(LearnerFailed {
                message,
                code: code.clamp(1, 2) as u8,
            }
            .into())
        }
    }
}

/// Ends the run with the last words of the last actor.
fn no_actor_is_left(lost: Vec<(String, bool)>) -> anyhow::Error {
    let is_hopeless = lost.iter().any(|(_, is_hopeless)| *is_hopeless);
    let last = lost.into_iter().next_back().map(|(words, _)| words).unwrap_or_default();
    let message = format!("no actor is left: {last}");
    if is_hopeless {
        BadInput(message).into()
    } else {
        anyhow::Error::msg(message)
    }
}
