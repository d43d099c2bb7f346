//! The thread that owns the roller: it builds the task, loads weights, rolls out and scores. No network.

use crate::outbox::{Outbox, OutboxError};
use crate::slow::SlowScorer;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;
use thermoflow::config::{Mode, RunConfig};
use thermoflow::policy::BackendError;
use thermoflow::policy::Parameters;
use thermoflow::protocol::Blob;
use thermoflow::protocol::weights::{Packed, WeightsError};
use thermoflow::rollout::{RollError, RollRequest, Roller, Trajectory};
use thermoflow::task::oracle::OracleHealth;
use thermoflow::task::{ScoreError, Scorer, Task, TaskError};
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
        run: String,
        config: Box<RunConfig>,
        attachment: Option<Blob>,
    },
    Load {
        version: PolicyVersion,
        weights: Packed,
    },
    Roll(RollRequest),
}

/// A roll-out, and how the oracle was doing after it.
pub(crate) struct Rolled {
    pub batch: Vec<Trajectory>,
    pub oracle: OracleHealth,
}

/// Why the worker stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The learner's configuration does not work here.
    #[error("the learner's configuration cannot be used")]
    Config(#[from] thermoflow::config::Invalid),
    /// A program that nobody here has agreed to.
    #[error("the learner asks for the program {0:?} to be started as an oracle; --allow-programs agrees to that")]
    Program(String),
    /// The task is not known here.
    #[error("the task cannot be built")]
    Task(#[from] TaskError),
    /// What the task runs does not start.
    #[error("the task's oracle cannot be used")]
    Oracle(#[from] ScoreError),
    /// The device.
    #[error("the device cannot be used")]
    Device(#[from] BackendError),
    /// The weights do not fit.
    #[error("weights {0} cannot be used")]
    Weights(PolicyVersion, #[source] WeightsError),
    /// A roll-out failed.
    #[error("a roll-out failed")]
    Roll(#[from] RollError),
    /// What was rolled out cannot be kept.
    #[error("the outbox on the disk cannot be used")]
    Outbox(#[from] OutboxError),
}

impl WorkError {
    /// True when another attempt fails as well: what was asked for, here or by the learner, is at fault.
    pub fn is_hopeless(&self) -> bool {
        match self {
            Self::Config(_) | Self::Program(_) | Self::Task(_) | Self::Oracle(_) => true,
            Self::Device(error) => matches!(error, BackendError::Device(_) | BackendError::Libtorch(_)),
            Self::Weights(..) | Self::Roll(_) | Self::Outbox(_) => false,
        }
    }
}

/// The network task's end of the worker.
pub(crate) struct Worker {
    commands: mpsc::Sender<Command>,
    rolled: mpsc::Receiver<Rolled>,
    scorer: Arc<Mutex<Scoring>>,
    thread: JoinHandle<Result<(), WorkError>>,
}

/// What the thread scores with, for the network task to stop while the thread waits for it.
enum Scoring {
    /// There is no task yet.
    NotYet,
    /// By this.
    By(Arc<dyn Scorer>),
    /// Nothing is scored any more.
    Stopped,
}

fn lock(scoring: &Mutex<Scoring>) -> MutexGuard<'_, Scoring> {
    scoring.lock().expect("nothing panics while it holds the scorer")
}

/// What was asked for on the command line in place of the run's configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    pub device: Option<String>,
    pub threads: Option<usize>,
    /// Programs that the learner's configuration names may be started here.
    pub allow_programs: bool,
    /// Every object that is scored is waited for so long.
    pub pretend_reward: Option<Duration>,
}

impl Worker {
    /// Starts the thread. It keeps what it rolls out in `disk` before it hands it over.
    pub fn start(incarnation: Incarnation, overrides: Overrides, disk: Option<Outbox>) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (outbox, rolled) = mpsc::channel(ROLLED);
        let scorer = Arc::new(Mutex::new(Scoring::NotYet));
        let work = {
            let scorer = scorer.clone();
            move || work(incarnation, &overrides, inbox, (&outbox, disk), &scorer)
        };
        let thread = std::thread::Builder::new().name("roller".into()).spawn(work)?;
        Ok(Self {
            commands,
            rolled,
            scorer,
            thread,
        })
    }

    /// Hands over a command; false when the worker has stopped or is flooded.
    pub fn command(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// The next roll-out; None when the worker has stopped.
    pub async fn rolled(&mut self) -> Option<Rolled> {
        self.rolled.recv().await
    }

    /// Ends the thread and all that it has started, and says why it failed, if it did so by itself. What it waits for,
    /// such as a program that does not answer, is not waited for.
    pub fn end(self) -> Result<(), WorkError> {
        drop((self.commands, self.rolled));
        let scoring = std::mem::replace(&mut *lock(&self.scorer), Scoring::Stopped);
        if let Scoring::By(scorer) = scoring {
            scorer.stop();
        }
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
    (outbox, mut disk): (&mpsc::Sender<Rolled>, Option<Outbox>),
    scorer: &Mutex<Scoring>,
) -> Result<(), WorkError> {
    let mut roller: Option<Roller> = None;
    let mut held: Option<(PolicyVersion, Parameters)> = None;
    while let Some(command) = inbox.blocking_recv() {
        match (command, &mut roller) {
            (
                Command::Configure {
                    run,
                    config,
                    attachment,
                },
                _,
            ) => {
                if let Some(disk) = &disk {
                    disk.serve(&run)?;
                }
                let config = adjust(overrides, *config)?;
                let mut task = Task::build(&config.task, attachment.as_ref().map(|blob| &blob.0[..]))?;
                if let Some(each) = overrides.pretend_reward {
                    task.scorer = Arc::new(SlowScorer::new(task.scorer, each));
                }
                if !take(scorer, &task)? {
                    break;
                }
                roller = Some(build(incarnation, &config, &task)?);
            }
            (Command::Load { version, weights }, Some(roller)) => {
                let fail = |error| WorkError::Weights(version, error);
                let before = held.as_ref().map(|(version, parameters)| (*version, parameters));
                let parameters = weights.unpack(&roller.layout(), before).map_err(fail)?;
                roller.load(version, &parameters)?;
                held = Some((version, parameters));
            }
            (Command::Roll(request), Some(roller)) => {
                let batch = roller.roll(&request)?;
                let oracle = roller.oracle_health();
                if let Some(disk) = &mut disk {
                    disk.keep(&batch)?;
                }
                if outbox.blocking_send(Rolled { batch, oracle }).is_err() {
                    break;
                }
            }
            (_, None) => {}
        }
    }
    match disk {
        Some(disk) => Ok(disk.tidy()?),
        None => Ok(()),
    }
}

/// The learner's configuration with what was asked for here.
fn adjust(overrides: &Overrides, mut config: RunConfig) -> Result<RunConfig, WorkError> {
    if let Some(device) = &overrides.device {
        config.actor.device.clone_from(device);
    }
    config.actor.threads = overrides.threads.unwrap_or(config.actor.threads);
    config.check()?;
    match config.task.oracle.as_ref().filter(|_| !overrides.allow_programs) {
        Some(oracle) => Err(WorkError::Program(oracle.command.join(" "))),
        None => Ok(config),
    }
}

/// Starts what the task scores with, where it can be stopped from outside; false when it already was.
fn take(scoring: &Mutex<Scoring>, task: &Task) -> Result<bool, WorkError> {
    let mut scoring = lock(scoring);
    if matches!(*scoring, Scoring::Stopped) {
        return Ok(false);
    }
    task.scorer.start()?;
    *scoring = Scoring::By(task.scorer.clone());
    Ok(true)
}

fn build(incarnation: Incarnation, config: &RunConfig, task: &Task) -> Result<Roller, WorkError> {
    // In lockstep the streams are named by round and place, whoever draws; free-running actors must not draw the same.
    let seed = match config.train.mode {
        Mode::Sync | Mode::Offline => config.seed,
        Mode::Async => config.seed ^ incarnation.0,
    };
    thermoflow::libtorch::set_threads(config.actor.threads);
    Ok(Roller::new(config, task, seed)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermoflow::config::{RawConfig, WeightsFormat};
    use thermoflow::policy::Layout;
    use thermoflow::protocol::weights::to_bytes;

    #[tokio::test]
    async fn what_is_handed_over_is_on_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut raw = RawConfig::default();
        raw.task.name = Some("tfbind8".into());
        let config = raw.resolve().unwrap();
        let task = Task::load(&config.task).unwrap();
        let parameters = Parameters::initial(Layout::new(&config.policy, task.env.sizes()), 1);
        let (incarnation, version) = (Incarnation(1), PolicyVersion(0));
        let disk = Outbox::open(dir.path(), incarnation).unwrap().outbox;
        let mut worker = Worker::start(incarnation, Overrides::default(), Some(disk)).unwrap();
        let commands = [
            Command::Configure {
                run: "r".into(),
                config: Box::new(config),
                attachment: None,
            },
            Command::Load {
                version,
                weights: Packed::whole(WeightsFormat::Difference, &to_bytes(&parameters)),
            },
            Command::Roll(RollRequest {
                round: 0,
                indices: 0..3,
                progress: 0.0,
            }),
        ];
        assert!(commands.into_iter().all(|command| worker.command(command)));
        let rolled = worker.rolled().await.unwrap();
        worker.end().unwrap();
        let left = Outbox::open(dir.path(), incarnation).unwrap().left.unwrap();
        assert_eq!(left.batch, rolled.batch);
    }
}
