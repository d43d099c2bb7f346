//! The task: feeds the state machine what happens and does what it says.
//!
//! Invariant: actors are read only while the relay has room for what they say; TCP holds them back otherwise.

use crate::crew::{Crew, CrewSettings};
use crate::error::RelayError;
use crate::watched::{self, Watched};
use std::collections::HashMap;
use std::future::pending;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};
use thermoflow::durable;
use thermoflow::process;
use thermoflow::protocol::address::Address;
use thermoflow::protocol::relay::{Action, Branch, Closing, Event, Exit, Relay, RelayHello, decode_to_relay};
use thermoflow::protocol::secure::{KeySource, Refusal, is_knock};
use thermoflow::protocol::{Route, WireError};
use thermoflow::random::{Purpose, Stream};
use thermoflow::units::Incarnation;
use thermoflow_actors::Learner;
use thermoflow_actors::link::{Link, OpenError, Opened};
use thermoflow_learner::router::{Bound, Door, Incoming, OUTGOING, Outgoing, Router};
use thermoflow_watch::metrics::Traffic;
use thermoflow_watch::{Endpoint, Listen};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

/// How often the state machine looks at the time when nothing happens, and numbers are shown: well below its shortest pause.
const TICK: Duration = Duration::from_millis(50);

/// In place of a run's id in handshakes with actors: actors may come before the run is known. Their nonce is fresh all the same.
const RUN: &str = "relay";

/// What a relay is told on its command line.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The learner.
    pub learner: Learner,
    /// The key that it shares with the learner and its actors; without one there is loopback only.
    pub key: Option<KeySource>,
    /// Where to listen for actors.
    pub bind: Address,
    /// A file that is to hold the address once actors may come.
    pub address_file: Option<PathBuf>,
    /// How long to look for a learner.
    pub give_up: Duration,
    /// Where Prometheus may ask for metrics.
    pub metrics: Option<Listen>,
    /// Actors of its own.
    pub crew: Option<CrewSettings>,
}

/// Passes on what actors and the learner say until the run is over, `shutdown` resolves, or its own actors have ended.
///
/// # Errors
/// What cannot be started, no learner for too long, or one that it cannot talk to; an actor of its own that ended badly.
pub async fn run(settings: Settings, shutdown: impl Future<Output = ()>) -> Result<(), RelayError> {
    let has_key = settings.key.is_some();
    settings.learner.check(has_key)?;
    settings.bind.check_key(has_key)?;
    let bind = |source| RelayError::Bind {
        address: settings.bind.clone(),
        source,
    };
    let bound = Bound::new(&settings.bind).await.map_err(bind)?;
    let address = match bound.address().is_wildcard() {
        true => bound.address().advertised(&process::host_name())?,
        false => bound.address().clone(),
    };
    let mut registry = watched::registry();
    let watched = Watched::new(&mut registry);
    let _serving = match settings.metrics {
        Some(listen) => Some(Endpoint::bind(listen).await?.serve(registry)),
        None => None,
    };
    let router = bound.open(Door::new(RUN, settings.key.clone())?);
    info!(%address, learner = %settings.learner, "listening for actors");
    if let Some(path) = &settings.address_file {
        let written = durable::replace(path, format!("{address}\n").as_bytes());
        written.map_err(|error| RelayError::AddressFile(path.clone(), error))?;
    }
    let incarnation = Incarnation(rand::random());
    let hello = RelayHello {
        host: process::host_name(),
        process: std::process::id(),
    };
    let jitter = Stream::new(incarnation.0, Purpose::Bench, 0, 0);
    let mut crew = match &settings.crew {
        Some(crew) => Crew::start(crew, &address, settings.key.as_ref())?,
        None => Crew::default(),
    };
    let mut node = Node {
        relay: Relay::new(hello, settings.give_up, jitter, Duration::ZERO),
        learner: settings.learner.clone(),
        key: settings.key.clone(),
        incarnation,
        router,
        actors: HashMap::new(),
        started: Instant::now(),
        link: None,
        opening: None,
        trunk: Traffic::default(),
        watched,
    };
    let exit = node.run(stop(shutdown, &mut crew)).await;
    drop(node);
    let ended = crew.end().await;
    end(exit, settings).and(ended)
}

/// Resolves when the relay is to end, after its crew was asked to: their words pass through it.
async fn stop(shutdown: impl Future<Output = ()>, crew: &mut Crew) {
    tokio::select! {
        () = shutdown => info!("asked to stop; its actors may leave first"),
        () = crew.over() => {}
    }
    crew.stop();
}

fn end(exit: Exit, settings: Settings) -> Result<(), RelayError> {
    let Settings { learner, give_up, .. } = settings;
    match exit {
        Exit::Finished => info!("the run is over"),
        Exit::Stopped => info!("stopped"),
        Exit::Refused(reason) => return Err(RelayError::Refused { learner, reason }),
        Exit::Key(refusal) => return Err(RelayError::KeyRefused { learner, refusal }),
        Exit::GaveUp(last) => {
            return Err(RelayError::GaveUp { learner, give_up, last });
        }
    }
    Ok(())
}

type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

struct Node {
    relay: Relay,
    learner: Learner,
    key: Option<KeySource>,
    incarnation: Incarnation,
    router: Router,
    actors: HashMap<Branch, mpsc::Sender<Outgoing>>,
    started: Instant,
    link: Option<Link>,
    opening: Option<Opening>,
    /// What passed between it and the learner.
    trunk: Traffic,
    watched: Watched,
}

impl Node {
    async fn run(&mut self, shutdown: impl Future<Output = ()>) -> Exit {
        let mut shutdown = pin!(shutdown);
        let mut stopping = false;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.relay.due().map(|due| self.started + due);
            let event = tokio::select! {
                received = receive(&mut self.link) => self.received(received),
                opened = open(&mut self.opening) => self.opened(opened),
                incoming = self.router.next(), if self.relay.has_room() => self.incoming(incoming),
                () = &mut shutdown, if !stopping => {
                    stopping = true;
                    Some(Event::Stop)
                }
                () = until(due) => None,
                _ = ticks.tick() => {
                    self.show();
                    Some(Event::Tick)
                }
            };
            if let Some(event) = event
                && let Some(exit) = self.handle(event)
            {
                return exit;
            }
            if let Err(why) = self.send_due().await {
                let event = self.disconnected(why);
                if let Some(exit) = self.handle(event) {
                    return exit;
                }
            }
        }
    }

    fn received(&mut self, received: Result<Vec<u8>, String>) -> Option<Event> {
        let bytes = match received {
            Ok(bytes) => bytes,
            Err(why) => return Some(self.disconnected(why)),
        };
        self.trunk.received.add(bytes.len());
        Some(match decode_to_relay(&bytes) {
            Ok(message) => Event::Received(message),
            Err(error) => self.malformed(error),
        })
    }

    fn malformed(&mut self, error: WireError) -> Event {
        warn!(%error, "a message from the learner cannot be read");
        self.link = None;
        Event::Malformed(error)
    }

    fn disconnected(&mut self, why: String) -> Event {
        match self.link.take() {
            Some(_) => warn!(why, "the learner is gone"),
            None => debug!(why, "no connection to the learner"),
        }
        Event::Disconnected(why)
    }

    fn opened(&mut self, opened: Opened) -> Option<Event> {
        self.opening = None;
        Some(match opened {
            Ok(link) => {
                info!(actors = self.relay.actors(), "connected to the learner");
                self.link = Some(link);
                Event::Connected
            }
            Err(OpenError::Broken(why)) => self.disconnected(why),
            Err(OpenError::Wire(error)) => self.malformed(error),
        })
    }

    fn incoming(&mut self, incoming: Incoming) -> Option<Event> {
        match incoming {
            Incoming::Opened(route, incarnation, outgoing) => {
                let branch = branch(&route)?;
                self.actors.insert(branch, outgoing);
                Some(Event::Opened(branch, incarnation))
            }
            Incoming::Message(route, bytes) if is_knock(&bytes) => {
                // With a key the handshake is over here: this actor has a key and the relay has none.
                let branch = branch(&route)?;
                let actor = self.actors.remove(&branch)?;
                let _ = actor.try_send(Outgoing::Message(Refusal::NoKeyHere.encode()));
                Some(Event::Closed(branch))
            }
            Incoming::Message(route, bytes) => Some(Event::Said(branch(&route)?, bytes)),
            Incoming::Closed(route) => {
                let branch = branch(&route)?;
                self.actors.remove(&branch);
                Some(Event::Closed(branch))
            }
        }
    }

    /// Feeds the state machine an event and does what it says; what fails at that is the next event.
    fn handle(&mut self, event: Event) -> Option<Exit> {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut actions = Vec::new();
            self.relay.handle(self.started.elapsed(), event, &mut actions);
            for action in actions {
                match action {
                    Action::Connect => events.extend(self.connect().err().map(|why| self.disconnected(why))),
                    Action::Give(branch, bytes) => {
                        if let Some(actor) = self.actors.get(&branch)
                            && actor.try_send(Outgoing::Shared(bytes)).is_err()
                        {
                            // It does not read; the others are not to wait for it.
                            self.watched.stuck();
                            self.actors.remove(&branch);
                            events.push(Event::Closed(branch));
                        }
                    }
                    Action::Close(branch, closing) => self.close(branch, closing),
                    Action::Exit(exit) => return Some(exit),
                }
            }
        }
        None
    }

    fn connect(&mut self) -> Result<(), String> {
        self.link = None;
        let address = self.learner.address(self.key.is_some())?;
        self.opening = Some(Box::pin(Link::open(address, self.key.clone(), self.incarnation)));
        Ok(())
    }

    /// The connection closes once everything is written.
    fn close(&mut self, branch: Branch, closing: Closing) {
        match closing {
            Closing::Told => {}
            Closing::Impostor => warn!("an actor says to be another than its link was made for"),
            Closing::NoPlace => warn!(actors = self.relay.actors(), "there is no place for another actor"),
        }
        self.actors.remove(&branch);
    }

    async fn send_due(&mut self) -> Result<(), String> {
        while let Some(message) = self.relay.next(self.started.elapsed()) {
            let Some(link) = &mut self.link else {
                return Err("there is no connection".into());
            };
            let bytes = message.encode();
            self.trunk.sent.add(bytes.len());
            link.send(bytes).await?;
        }
        Ok(())
    }

    fn show(&self) {
        let waiting = |actor: &mpsc::Sender<Outgoing>| actor.max_capacity() - actor.capacity();
        let outgoing = self.actors.values().map(waiting).max().unwrap_or_default();
        let (incoming, most_incoming) = self.router.waiting();
        self.watched
            .set(&self.relay, self.link.is_some(), &self.router.rejected());
        self.watched.links.set(self.router.traffic());
        self.watched.trunk.set(self.trunk);
        self.watched.queues.set("incoming", incoming, most_incoming);
        self.watched.queues.set("outgoing", outgoing, OUTGOING);
    }
}

/// The router names connections by eight bytes, each once.
fn branch(route: &Route) -> Option<Branch> {
    let number = (*route.0).try_into().ok()?;
    Some(Branch(u64::from_be_bytes(number)))
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

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => pending().await,
    }
}
