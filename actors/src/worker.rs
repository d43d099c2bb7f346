//! The thread that owns the roller: it builds the task, loads weights, rolls out and scores. No network.

use std::thread::JoinHandle;
use thermoflow::config::{Mode, RunConfig};
use thermoflow::policy::BackendError;
use thermoflow::protocol::{Blob, weights};
use thermoflow::rollout::{RollError, RollRequest, Roller, Trajectory};
use thermoflow::task::{Task, TaskError};
use thermoflow::units::{Incarnation, PolicyVersion};
use tokio::sync::mpsc;

/// Commands that wait for the worker. The session has one roll-out under way and fetches at most one set of weights
/// meanwhile; a learner that sends more than fit here is taken for broken.
const COMMANDS: usize = 8;

/// Roll-outs that wait for the network task, which always takes them at once. The session asks for one at a time.
const ROLLED: usize = 1;

/// What the worker is to do.
pub(crate) enum Command {
    Configure {
        config: Box<RunConfig>,
        attachment: Option<Blob>,
    },
    Load {
        version: PolicyVersion,
        data: Blob,
    },
    Roll(RollRequest),
}

/// Why the worker stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The learner's configuration does not work here.
    #[error("the learner's configuration cannot be used")]
    Config(#[from] thermoflow::config::Invalid),
    /// The task is not known here.
    #[error("the task cannot be built")]
    Task(#[from] TaskError),
    /// The device.
    #[error("the device cannot be used")]
    Device(#[from] BackendError),
    /// The weights do not fit.
    #[error("weights {0} cannot be used")]
    Weights(PolicyVersion, #[source] weights::WeightsError),
    /// A roll-out failed.
    #[error("a roll-out failed")]
    Roll(#[from] RollError),
}

/// The network task's end of the worker.
pub(crate) struct Worker {
    commands: mpsc::Sender<Command>,
    rolled: mpsc::Receiver<Vec<Trajectory>>,
    thread: JoinHandle<Result<(), WorkError>>,
}

/// What was asked for on the command line in place of the run's configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    pub device: Option<String>,
    pub threads: Option<usize>,
}

impl Worker {
    /// Starts the thread.
    pub fn start(incarnation: Incarnation, overrides: Overrides) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (outbox, rolled) = mpsc::channel(ROLLED);
        let work = move || work(incarnation, &overrides, inbox, &outbox);
        let thread = std::thread::Builder::new().name("roller".into()).spawn(work)?;
        Ok(Self {
            commands,
            rolled,
            thread,
        })
    }

    /// Hands over a command; false when the worker has stopped or is flooded.
    pub fn command(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// The next roll-out; None when the worker has stopped.
    pub async fn rolled(&mut self) -> Option<Vec<Trajectory>> {
        self.rolled.recv().await
    }

    /// Why the worker stopped. Only after [`Self::rolled`] returned None.
    pub fn end(self) -> Result<(), WorkError> {
        drop(self.commands);
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn work(
    incarnation: Incarnation,
    overrides: &Overrides,
    mut inbox: mpsc::Receiver<Command>,
    outbox: &mpsc::Sender<Vec<Trajectory>>,
) -> Result<(), WorkError> {
    let mut roller: Option<Roller> = None;
    while let Some(command) = inbox.blocking_recv() {
        match (command, &mut roller) {
            (Command::Configure { config, attachment }, _) => {
                roller = Some(build(incarnation, overrides, *config, attachment)?)
            }
            (Command::Load { version, data }, Some(roller)) => {
                let fail = |error| WorkError::Weights(version, error);
                let parameters = weights::from_bytes(&roller.layout(), &data.0).map_err(fail)?;
                roller.load(version, &parameters)?;
            }
            (Command::Roll(request), Some(roller)) => {
                let rolled = roller.roll(&request)?;
                if outbox.blocking_send(rolled).is_err() {
                    break;
                }
            }
            (_, None) => {}
        }
    }
    Ok(())
}

fn build(
    incarnation: Incarnation,
    overrides: &Overrides,
    mut config: RunConfig,
    attachment: Option<Blob>,
) -> Result<Roller, WorkError> {
    if let Some(device) = &overrides.device {
        config.actor.device.clone_from(device);
    }
    config.actor.threads = overrides.threads.unwrap_or(config.actor.threads);
    config.check()?;
    let task = Task::build(&config.task, attachment.as_ref().map(|blob| &blob.0[..]))?;
    // In lockstep the streams are named by round and place, whoever draws; free-running actors must not draw the same.
    let seed = match config.train.mode {
        Mode::Sync | Mode::Offline => config.seed,
        Mode::Async => config.seed ^ incarnation.0,
    };
    thermoflow::policy::set_threads(config.actor.threads);
    Ok(Roller::new(&config, &task, seed)?)
}
