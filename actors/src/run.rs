//! The network task: feeds the session what happens and does what it says.

use crate::link::{Link, OpenError, Opened};
use crate::worker::{Command, Overrides, Rolled, WorkError, Worker};
use std::future::pending;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};
use thermoflow::protocol::address::{Address, AddressError};
use thermoflow::protocol::secure::{KeyFileError, KeySource, Refusal};
use thermoflow::protocol::{ActorAction, ActorEvent, ActorSession, Exit, Hello, WireError, decode_to_actor, encode};
use thermoflow::random::{Purpose, Stream};
use thermoflow::units::{Incarnation, Seq};
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

/// How often the session looks at the time: well below its shortest pause, and nothing in CPU time.
const TICK: Duration = Duration::from_millis(50);

/// What an actor is told on its command line.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The learner.
    pub address: Address,
    /// The key that it shares with the learner; without one only loopback may be connected to.
    pub key: Option<KeySource>,
    /// Name for people.
    pub name: String,
    /// In place of the run's `actor.device`.
    pub device: Option<String>,
    /// In place of the run's `actor.threads`.
    pub threads: Option<usize>,
    /// A program that the run names as its oracle may be started.
    pub allow_programs: bool,
    /// How long to look for a learner.
    pub give_up: Duration,
}

/// Why an actor failed.
#[derive(Debug, thiserror::Error)]
pub enum ActorError {
    /// The roller failed.
    #[error("this actor cannot go on")]
    Work(#[from] WorkError),
    /// No thread.
    #[error("the roller's thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// The learner refused it.
    #[error("the learner at {address} refused this actor: {reason}")]
    Refused {
        /// Where.
        address: Address,
        /// Its words.
        reason: String,
    },
    /// No key, or not the right one.
    #[error("the learner at {address} {refusal}")]
    KeyRefused {
        /// Where.
        address: Address,
        /// What it said.
        refusal: Refusal,
    },
    /// An address that is not allowed.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The shared key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// No learner for too long.
    #[error("no learner at {address} for {} seconds, giving up: {last}", give_up.as_secs())]
    GaveUp {
        /// Where.
        address: Address,
        /// How long it was looked for.
        give_up: Duration,
        /// What was seen of it last.
        last: String,
    },
}

impl ActorError {
    /// True when another attempt fails as well: what was given here, or asked for by the learner, is at fault.
    pub fn is_hopeless(&self) -> bool {
        match self {
            Self::Work(error) => error.is_hopeless(),
            Self::KeyRefused { .. } | Self::Address(_) | Self::Key(_) => true,
            Self::Thread(_) | Self::Refused { .. } | Self::GaveUp { .. } => false,
        }
    }
}

/// Rolls out for the learner at `settings.address` until the run is over or `shutdown` resolves.
///
/// # Errors
/// Refused, no learner for too long, or the roller failed.
pub async fn run(settings: Settings, shutdown: impl Future<Output = ()>) -> Result<(), ActorError> {
    settings.address.check_connect()?;
    settings.address.check_key(settings.key.is_some())?;
    let incarnation = Incarnation(rand::random());
    let overrides = Overrides {
        device: settings.device.clone(),
        threads: settings.threads,
        allow_programs: settings.allow_programs,
    };
    let worker = Worker::start(incarnation, overrides).map_err(ActorError::Thread)?;
    let started = Instant::now();
    let hello = hello(&settings, incarnation);
    info!(name = hello.name, %incarnation, address = %settings.address, "actor started");
    let jitter = Stream::new(incarnation.0, Purpose::Bench, 0, 0);
    let session = ActorSession::new(hello, settings.give_up, jitter, Duration::ZERO);
    let mut actor = Actor {
        address: settings.address.clone(),
        key: settings.key.clone(),
        incarnation,
        session,
        worker,
        started,
        link: None,
        opening: None,
    };
    let (exit, stopped) = actor.run(shutdown).await;
    // On a thread of its own, so that a second request to stop is heard meanwhile.
    let worker = actor.worker;
    let ended = tokio::task::spawn_blocking(move || worker.end()).await;
    let ended = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    if stopped {
        return Ok(ended?);
    }
    // How a worker ends that is told to, perhaps in the middle of its work, is of no interest.
    let address = settings.address;
    match exit {
        Exit::Finished => info!("the run is over"),
        Exit::Stopped { undelivered: 0 } => info!("stopped; everything was delivered"),
        Exit::Stopped { undelivered } => warn!(undelivered, "stopped before everything was delivered"),
        Exit::Refused(reason) => return Err(ActorError::Refused { address, reason }),
        Exit::Key(refusal) => return Err(ActorError::KeyRefused { address, refusal }),
        Exit::GaveUp(last) => {
            return Err(ActorError::GaveUp {
                address,
                give_up: settings.give_up,
                last,
            });
        }
    }
    Ok(())
}

fn hello(settings: &Settings, incarnation: Incarnation) -> Hello {
    // Only for people: an unknown host name is no reason to fail.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Hello {
        incarnation,
        oldest: Seq(0),
        name: settings.name.clone(),
        host: host.trim().into(),
        process: std::process::id(),
        device: settings.device.clone().unwrap_or_default(),
    }
}

type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

struct Actor {
    address: Address,
    key: Option<KeySource>,
    incarnation: Incarnation,
    session: ActorSession,
    worker: Worker,
    started: Instant,
    link: Option<Link>,
    opening: Option<Opening>,
}

impl Actor {
    /// Until the session exits, or (true) the worker stopped.
    async fn run(&mut self, shutdown: impl Future<Output = ()>) -> (Exit, bool) {
        let mut shutdown = pin!(shutdown);
        let mut stopping = false;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                rolled = self.worker.rolled() => match rolled {
                    Some(Rolled { batch, oracle }) => ActorEvent::Rolled(batch, oracle),
                    None => return (Exit::Stopped { undelivered: 0 }, true),
                },
                received = receive(&mut self.link) => self.received(received),
                opened = open(&mut self.opening) => self.opened(opened),
                () = &mut shutdown, if !stopping => {
                    stopping = true;
                    ActorEvent::Stop
                }
                _ = ticks.tick() => ActorEvent::Tick,
            };
            if let Some(exit) = self.handle(event).await {
                return (exit, false);
            }
        }
    }

    fn received(&mut self, received: Result<Vec<u8>, String>) -> ActorEvent {
        match received.map(|bytes| decode_to_actor(&bytes)) {
            Ok(Ok(message)) => ActorEvent::Received(message),
            Ok(Err(error)) => self.malformed(error),
            Err(why) => self.disconnected(why),
        }
    }

    fn malformed(&mut self, error: WireError) -> ActorEvent {
        warn!(%error, "a message from the learner cannot be read");
        self.link = None;
        ActorEvent::Malformed(error)
    }

    fn disconnected(&mut self, why: String) -> ActorEvent {
        debug!(why, "no connection to the learner");
        self.link = None;
        ActorEvent::Disconnected(why)
    }

    fn opened(&mut self, opened: Opened) -> ActorEvent {
        self.opening = None;
        match opened {
            Ok(link) => {
                self.link = Some(link);
                ActorEvent::Connected
            }
            Err(OpenError::Broken(why)) => self.disconnected(why),
            Err(OpenError::Wire(error)) => self.malformed(error),
        }
    }

    /// Feeds the session an event and does what it says; failing at that is the next event.
    async fn handle(&mut self, event: ActorEvent) -> Option<Exit> {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let mut actions = Vec::new();
            self.session.handle(self.started.elapsed(), event, &mut actions);
            for action in actions {
                match self.act(action).await {
                    Ok(None) => {}
                    Ok(Some(exit)) => return Some(exit),
                    Err(why) => {
                        next = Some(self.disconnected(why));
                        break;
                    }
                }
            }
        }
        None
    }

    async fn act(&mut self, action: ActorAction) -> Result<Option<Exit>, String> {
        let command = match action {
            ActorAction::Exit(exit) => return Ok(Some(exit)),
            ActorAction::Connect => {
                self.link = None;
                let (address, key) = (self.address.clone(), self.key.clone());
                self.opening = Some(Box::pin(Link::open(address, key, self.incarnation)));
                return Ok(None);
            }
            ActorAction::Send(message) => {
                let link = self.link.as_mut().ok_or("there is no connection")?;
                link.send(encode(&message)).await?;
                return Ok(None);
            }
            ActorAction::Configure { config, attachment } => {
                info!(task = config.task.name, mode = ?config.train.mode, "welcomed by the learner");
                Command::Configure { config, attachment }
            }
            ActorAction::Load { version, data } => Command::Load { version, data },
            ActorAction::Roll(request) => Command::Roll(request),
        };
        // A worker that has stopped says why by itself.
        if self.worker.command(command) {
            Ok(None)
        } else {
            Err("the learner sends more than can be taken".into())
        }
    }
}

async fn receive(link: &mut Option<Link>) -> Result<Vec<u8>, String> {
    match link {
        Some(link) => link.receive().await,
        None => pending().await,
    }
}

async fn open(opening: &mut Option<Opening>) -> Opened {
    match opening {
        Some(opening) => opening.await,
        None => pending().await,
    }
}
