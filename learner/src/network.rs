//! The network task: feeds the fleet what happens and does what it says. It never waits for a thread.
//!
//! Invariant: connections are read only while what they may bring can be handed on; so a slow disk or a full training
//! queue holds senders back through TCP, and heartbeats that wait there are not taken for silence.

mod relayed;

use crate::ingest::ToIngest;
use crate::router::{Debt, Incoming, Newest, OUTGOING, Outgoing, Router, Version};
use crate::training::ToTrainer;
use crate::watched::Watched;
use crossbeam_channel::Sender;
use relayed::Relayed;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thermoflow::flow::LEARNER_TICK;
use thermoflow::protocol::relay::is_of_relay;
use thermoflow::protocol::secure::{Refusal, is_knock};
use thermoflow::protocol::weights::Published;
use thermoflow::protocol::{
    Fleet, FleetAction, FleetEvent, FleetReport, Route, ToActor, ToLearner, WireError, decode_to_learner, encode,
};
use thermoflow::units::{Incarnation, Seq};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

/// Messages from the other threads that wait for the network task. It takes them at once; when full, the sender waits.
pub(crate) const TO_NETWORK: usize = 256;

/// How long actors are told that the run is over before the learner leaves.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the other threads want of the network.
#[derive(Debug)]
pub(crate) enum ToNetwork {
    /// Everything of this incarnation below `next` is committed.
    Committed { incarnation: Incarnation, next: Seq },
    /// New weights.
    Publish(Published),
    /// Sync mode: a round begins.
    StartRound(u64),
    /// The run is over: tell the actors, then end.
    Finish,
    /// The learner stops before the run is over; actors may wait for it to come back.
    Stop,
}

/// An open connection.
struct Connection {
    outgoing: mpsc::Sender<Outgoing>,
    weights: Debt,
    /// On a link with a key: whose it is.
    incarnation: Option<Incarnation>,
}

/// The task's ends of its channels.
pub(crate) struct Channels {
    pub inbox: mpsc::Receiver<ToNetwork>,
    pub ingest: mpsc::Sender<ToIngest>,
    /// Sync mode: complete rounds.
    pub training: Sender<ToTrainer>,
    /// Renewed every [`LEARNER_TICK`].
    pub report: watch::Sender<FleetReport>,
    /// What is shown to those who watch, renewed as often.
    pub watched: Watched,
}

/// Serves until it is told to stop, or the run is over and the actors know it, or no thread is left to serve.
pub(crate) async fn serve(router: Router, fleet: Fleet, channels: Channels) {
    let numbers = channels.watched.weights.clone();
    let mut network = Network {
        router,
        fleet,
        channels,
        started: Instant::now(),
        connections: HashMap::new(),
        relayed: Relayed::default(),
        newest: Newest::new(move |bytes| numbers.sent(bytes)),
        held_back: None,
        present: 0,
        leave_at: None,
    };
    network.run().await;
    network.channels.watched.links.set(network.router.traffic());
}

struct Network {
    router: Router,
    fleet: Fleet,
    channels: Channels,
    started: Instant,
    connections: HashMap<Route, Connection>,
    relayed: Relayed,
    newest: Arc<Newest>,
    /// Since when connections are not read.
    held_back: Option<Instant>,
    present: usize,
    /// When to end, whoever is still connected.
    leave_at: Option<Instant>,
}

impl Network {
    async fn run(&mut self) {
        let mut ticks = tokio::time::interval(LEARNER_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Vec::new();
        loop {
            // An actor's message brings at most one commit; a relay's is taken message by message.
            let may_read = self.channels.ingest.capacity() > 0;
            self.note_reading(may_read);
            if !(may_read && self.relayed.relays.has_more()) {
                self.send_to_relays();
            }
            tokio::select! {
                // What the threads say comes first: it makes room.
                biased;
                // All that there is: what follows from it for one relay goes as one message.
                count = self.channels.inbox.recv_many(&mut told, TO_NETWORK), if self.leave_at.is_none() => match count {
                    0 => return,
                    _ => told.drain(..).for_each(|message| self.obey(message)),
                },
                incoming = self.relayed.next(&mut self.router), if may_read => self.incoming(incoming),
                _ = ticks.tick() => self.tick(),
            }
            if self.channels.ingest.is_closed() {
                // The replay has failed; nothing more can be kept, and whoever waits for the learner learns it.
                return;
            }
            if self
                .leave_at
                .is_some_and(|at| Instant::now() >= at || self.connections.is_empty())
            {
                return;
            }
        }
    }

    fn note_reading(&mut self, may_read: bool) {
        if !may_read {
            self.held_back.get_or_insert_with(Instant::now);
        } else if self.held_back.take().is_some() {
            self.handle(FleetEvent::Resumed);
        }
    }

    fn obey(&mut self, message: ToNetwork) {
        match message {
            ToNetwork::Committed { incarnation, next } => self.handle(FleetEvent::Committed { incarnation, next }),
            ToNetwork::Publish(published) => {
                let Published {
                    version,
                    whole,
                    difference,
                } = published;
                self.newest.set(Version {
                    number: version.0,
                    whole: Arc::new(whole),
                    difference: difference.map(|(base, message)| (base.0, Arc::new(message))),
                });
                self.handle(FleetEvent::Published(version));
            }
            ToNetwork::StartRound(round) => self.handle(FleetEvent::RoundStarted(round)),
            ToNetwork::Stop => self.leave_at = Some(Instant::now()),
            ToNetwork::Finish => {
                self.handle(FleetEvent::Finished);
                self.relayed.relays.finish();
                self.leave_at = Some(Instant::now() + FAREWELL);
            }
        }
    }

    fn incoming(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Opened(route, incarnation, outgoing) => {
                let connection = Connection {
                    outgoing,
                    weights: Debt::new(self.newest.clone()),
                    incarnation,
                };
                self.connections.insert(route, connection);
            }
            Incoming::Message(route, bytes) if is_knock(&bytes) => self.knocked(&route),
            // No relay is behind a relay.
            Incoming::Message(route, bytes) if is_of_relay(&bytes) && self.connections.contains_key(&route) => {
                self.hear_relay(route, &bytes);
            }
            Incoming::Message(route, bytes) => match decode_to_learner(&bytes) {
                Ok(ToLearner::Hello(hello)) if !self.may_be(&route, hello.incarnation) => {
                    warn!(incarnation = %hello.incarnation, "an actor says to be another than its link was made for");
                    self.close(route);
                }
                Ok(message) => self.handle(FleetEvent::Received(route, message)),
                Err(error) => self.malformed(route, error),
            },
            Incoming::Closed(route) => self.close(route),
        }
    }

    /// An actor with a key came to a learner without one (with a key, the handshake is over here): it is told, and the
    /// connection closes once that is written.
    fn knocked(&mut self, route: &Route) {
        if let Some(connection) = self.connections.remove(route) {
            let _ = connection
                .outgoing
                .try_send(Outgoing::Message(Refusal::NoKeyHere.encode()));
        }
    }

    /// Whether the actor of this incarnation may be at the other end.
    fn may_be(&self, route: &Route, incarnation: Incarnation) -> bool {
        let bound = self
            .connections
            .get(route)
            .and_then(|connection| connection.incarnation);
        bound.is_none_or(|bound| bound == incarnation)
    }

    fn malformed(&mut self, route: Route, error: WireError) {
        warn!(%error, "a message cannot be read; its connection is closed");
        self.handle(FleetEvent::Malformed(route.clone(), error));
        self.close(route);
    }

    /// Ends a connection, if it has not ended yet, and forgets who was there.
    fn close(&mut self, route: Route) {
        self.connections.remove(&route);
        self.relayed.relays.close(&route);
        self.lose_relay(&route);
        self.handle(FleetEvent::Disconnected(route));
    }

    fn tick(&mut self) {
        self.handle(match self.held_back {
            None => FleetEvent::Tick,
            Some(_) => FleetEvent::HeldBack,
        });
        let mut report = self.fleet.report(self.started.elapsed());
        let present = report.actors.iter().filter(|actor| actor.present).count();
        if present != self.present {
            let counters = report.counters;
            info!(actors = present, before = self.present, ?counters, "the fleet changed");
            self.present = present;
        }
        report.rejected = self.router.rejected();
        self.show(&report);
        self.channels.report.send_replace(report);
    }

    fn show(&mut self, report: &FleetReport) {
        let Channels {
            inbox,
            ingest,
            training,
            watched,
            ..
        } = &mut self.channels;
        watched.fleet.set(report);
        watched.links.set(self.router.traffic());
        watched.relays.set(self.relayed.relays.count() as f64);
        let waiting = |sender: &mpsc::Sender<Outgoing>| sender.max_capacity() - sender.capacity();
        let outgoing = self
            .connections
            .values()
            .map(|connection| waiting(&connection.outgoing));
        let (incoming, most_incoming) = self.router.waiting();
        let queues = [
            ("network", inbox.len(), inbox.max_capacity()),
            (
                "ingest",
                ingest.max_capacity() - ingest.capacity(),
                ingest.max_capacity(),
            ),
            ("training", training.len(), training.capacity().unwrap_or_default()),
            ("incoming", incoming, most_incoming),
            // The fullest of the connections'.
            ("outgoing", outgoing.max().unwrap_or_default(), OUTGOING),
        ];
        for (queue, length, capacity) in queues {
            watched.queues.set(queue, length, capacity);
        }
    }

    fn handle(&mut self, event: FleetEvent) {
        let mut actions = Vec::new();
        self.fleet.handle(self.started.elapsed(), event, &mut actions);
        let mut stuck = Vec::new();
        for action in actions {
            match action {
                FleetAction::Send(route, message) => {
                    let last = matches!(message, ToActor::Refused { .. });
                    if let ToActor::Refused { reason } = &message {
                        warn!(reason, "an actor was refused");
                    }
                    let message = encode(&message);
                    if self.connections.contains_key(&route) {
                        self.send(&route, Outgoing::Message(message), &mut stuck);
                    } else {
                        self.post(&route, message);
                    }
                    if last {
                        // The connection closes once the refusal is written.
                        self.connections.remove(&route);
                        if self.relayed.relays.close(&route) {
                            // A relay that was told to close says no more of it.
                            stuck.push(route);
                        }
                    }
                }
                FleetAction::SendWeights(route) => {
                    let debt = self
                        .connections
                        .get(&route)
                        .map(|connection| connection.weights.clone());
                    match debt {
                        Some(debt) if debt.owe() => self.send(&route, Outgoing::Newest(debt), &mut stuck),
                        Some(_) => {}
                        None => self.post_weights(&route),
                    }
                }
                FleetAction::Commit(commit) => {
                    // There is room: it was asked for before reading. The ingest thread is gone only when it failed,
                    // and then the learner is about to end.
                    let _ = self.channels.ingest.try_send(ToIngest::Commit(commit));
                }
                FleetAction::RoundComplete(round, trajectories) => {
                    // Training waits for this round and no other, so there is room; or it has stopped.
                    let _ = self.channels.training.try_send(ToTrainer::Round(round, trajectories));
                }
            }
        }
        for route in stuck {
            self.close(route);
        }
    }

    /// Queues a message; a connection whose queue is full is noted as stuck.
    fn send(&mut self, route: &Route, message: Outgoing, stuck: &mut Vec<Route>) {
        if let Some(connection) = self.connections.get(route)
            && connection.outgoing.try_send(message).is_err()
        {
            stuck.push(route.clone());
        }
    }
}
