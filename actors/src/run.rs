//! The network task: feeds the session what happens and does what it says.

use crate::error::ActorError;
use crate::ledger::Ledger;
use crate::link::{Link, OpenError, Opened};
use crate::outbox::Outbox;
use crate::watched::{self, Watched};
use crate::worker::{Command, Overrides, Rolled, Worker};
use std::fmt;
use std::future::pending;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use thermoflow::flow::ACTOR_TICK;
use thermoflow::logging;
use thermoflow::process;
use thermoflow::protocol::address::{Address, AddressError};
use thermoflow::protocol::secure::KeySource;
use thermoflow::protocol::{ActorAction, ActorEvent, ActorSession, Exit, Hello, WireError, decode_to_actor, encode};
use thermoflow::random::{Purpose, Stream};
use thermoflow::units::{Incarnation, Seq};
use thermoflow_watch::{Endpoint, Listen};
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

/// Where the learner is to be found.
#[derive(Debug, Clone)]
pub enum Learner {
    /// There.
    At(Address),
    /// Where this file says: the learner writes it (`--address-file`) whenever it starts, perhaps elsewhere than before.
    In(PathBuf),
}

impl Learner {
    /// Where it is now, if one may connect there.
    ///
    /// # Errors
    /// When that is not known, or no place to connect to.
    pub fn address(&self, has_key: bool) -> Result<Address, String> {
        let address = match self {
            Self::At(address) => address.clone(),
            Self::In(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| format!("{self} cannot be read ({error})"))?;
                text.trim().parse().map_err(|error| format!("{self}: {error}"))?
            }
        };
        check(&address, has_key).map_err(|error| error.to_string())?;
        Ok(address)
    }

    /// Refuses at once what would never do.
    ///
    /// # Errors
    /// When one may not connect there.
    pub fn check(&self, has_key: bool) -> Result<(), AddressError> {
        match self {
            Self::At(address) => check(address, has_key),
            Self::In(_) => Ok(()),
        }
    }
}

impl fmt::Display for Learner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => write!(f, "{address}"),
            Self::In(path) => write!(f, "the address in {}", path.display()),
        }
    }
}

/// What an actor is told on its command line.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The learner.
    pub learner: Learner,
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
    /// Wait so long for every object that is scored, as a slow oracle would.
    pub pretend_reward: Option<Duration>,
    /// How long to look for a learner.
    pub give_up: Duration,
    /// A directory that keeps what was rolled out until it is acknowledged.
    pub outbox: Option<PathBuf>,
    /// A file that gets a line for whatever is made or acknowledged.
    pub ledger: Option<PathBuf>,
    /// Where Prometheus may ask for metrics.
    pub metrics: Option<Listen>,
}

fn check(address: &Address, has_key: bool) -> Result<(), AddressError> {
    address.check_connect()?;
    address.check_key(has_key)
}

/// Rolls out for `settings.learner` until the run is over or `shutdown` resolves.
///
/// # Errors
/// Refused, no learner for too long, or the roller failed.
pub async fn run(settings: Settings, shutdown: impl Future<Output = ()>) -> Result<(), ActorError> {
    settings.learner.check(settings.key.is_some())?;
    logging::set_actor(&settings.name);
    let mut registry = watched::registry(settings.outbox.as_deref());
    let watched = Watched::new(&mut registry);
    let _serving = match settings.metrics {
        Some(listen) => Some(Endpoint::bind(listen).await?.serve(registry)),
        None => None,
    };
    let fresh = Incarnation(rand::random());
    let (incarnation, left, disk) = match &settings.outbox {
        Some(path) => {
            let resumed = Outbox::open(path, fresh)?;
            (resumed.incarnation, resumed.left, Some(resumed.outbox))
        }
        None => (fresh, None, None),
    };
    if let Some(left) = &left {
        info!(
            run = left.run,
            trajectories = left.batch.len(),
            "an earlier life left these; they are delivered first"
        );
    }
    let ledger = match &settings.ledger {
        Some(path) => Some(Ledger::open(path, incarnation).map_err(|error| ActorError::Ledger(path.clone(), error))?),
        None => None,
    };
    let acknowledged = disk.as_ref().map(Outbox::acknowledged).unwrap_or_default();
    let overrides = Overrides {
        device: settings.device.clone(),
        threads: settings.threads,
        allow_programs: settings.allow_programs,
        pretend_reward: settings.pretend_reward,
    };
    let worker = Worker::start(incarnation, overrides, disk).map_err(ActorError::Thread)?;
    let started = Instant::now();
    let hello = hello(&settings, incarnation);
    info!(name = hello.name, %incarnation, learner = %settings.learner, "actor started");
    let jitter = Stream::new(incarnation.0, Purpose::Bench, 0, 0);
    let session = ActorSession::new(hello, left, settings.give_up, jitter, Duration::ZERO);
    let mut actor = Actor {
        learner: settings.learner.clone(),
        key: settings.key.clone(),
        incarnation,
        session,
        worker,
        acknowledged,
        ledger,
        watched,
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
    let learner = settings.learner;
    match exit {
        Exit::Finished => info!("the run is over"),
        Exit::Stopped { undelivered: 0 } => info!("stopped; everything was delivered"),
        Exit::Stopped { undelivered } => warn!(undelivered, "stopped before everything was delivered"),
        Exit::Refused(reason) => return Err(ActorError::Refused { learner, reason }),
        Exit::Key(refusal) => return Err(ActorError::KeyRefused { learner, refusal }),
        Exit::GaveUp(last) => {
            return Err(ActorError::GaveUp {
                learner,
                give_up: settings.give_up,
                last,
            });
        }
    }
    Ok(())
}

fn hello(settings: &Settings, incarnation: Incarnation) -> Hello {
    Hello {
        incarnation,
        oldest: Seq(0),
        name: settings.name.clone(),
        host: process::host_name(),
        process: std::process::id(),
        device: settings.device.clone().unwrap_or_default(),
    }
}

type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

struct Actor {
    learner: Learner,
    key: Option<KeySource>,
    incarnation: Incarnation,
    session: ActorSession,
    worker: Worker,
    /// Tells the outbox on the disk what it may forget.
    acknowledged: Arc<AtomicU64>,
    ledger: Option<Ledger>,
    watched: Watched,
    started: Instant,
    link: Option<Link>,
    opening: Option<Opening>,
}

impl Actor {
    /// Until the session exits, or (true) the worker stopped.
    async fn run(&mut self, shutdown: impl Future<Output = ()>) -> (Exit, bool) {
        let mut shutdown = pin!(shutdown);
        let mut stopping = false;
        let mut ticks = tokio::time::interval(ACTOR_TICK);
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
            let handled = self.handle(event).await;
            self.watched.set(&self.session, self.link.is_some());
            if let Some(exit) = handled {
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
            self.acknowledged.store(self.session.oldest().0, Ordering::Relaxed);
            self.note();
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

    fn note(&mut self) {
        if let Some(ledger) = &mut self.ledger
            && let Err(error) = ledger.note(&self.session)
        {
            warn!(%error, "the ledger cannot be written any more");
            self.ledger = None;
        }
    }

    async fn act(&mut self, action: ActorAction) -> Result<Option<Exit>, String> {
        let command = match action {
            ActorAction::Exit(exit) => return Ok(Some(exit)),
            ActorAction::Connect => {
                self.link = None;
                let address = self.learner.address(self.key.is_some())?;
                self.opening = Some(Box::pin(Link::open(address, self.key.clone(), self.incarnation)));
                return Ok(None);
            }
            ActorAction::Send(message) => {
                let link = self.link.as_mut().ok_or("there is no connection")?;
                link.send(encode(&message)).await?;
                return Ok(None);
            }
            ActorAction::Configure {
                run,
                config,
                attachment,
            } => {
                info!(run, task = config.task.name, mode = ?config.train.mode, "welcomed by the learner");
                logging::set_run(&run);
                self.watched.welcomed(&run, &config);
                Command::Configure {
                    run,
                    config,
                    attachment,
                }
            }
            ActorAction::Load { version, weights } => {
                logging::set_version(version);
                Command::Load { version, weights }
            }
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
