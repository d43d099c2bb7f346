//! The simulated learner: its fleet, and the network task that reads one message at a time. What it does about
//! relays is in `relayed`.

use super::ingest::Ingest;
use super::node::Thread;
use super::relay::{Input as AtRelay, relay_of};
use super::relayed::Relayed;
use super::training::Training;
use super::{Event, World};
use crate::config::RunConfig;
use crate::flow::commit_queue;
use crate::protocol::relay::{FromRelay, Heard};
use crate::protocol::weights::Packed;
use crate::protocol::{
    Blob, Commit, Fleet, FleetAction, FleetEvent, FleetSettings, Route, ToActor, ToLearner, decode_to_learner,
};
use crate::task::Task;
use crate::units::{Incarnation, PolicyVersion, Seq};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// What the other threads want of the network task.
#[derive(Debug)]
pub(super) enum ToNetwork {
    Committed { incarnation: Incarnation, next: Seq },
    Published(PolicyVersion),
    RoundStarted(u64),
}

/// What arrives on a connection.
pub(super) enum Arrival {
    /// A message of its actor.
    Message(ToLearner),
    /// A message of its relay, of so many bytes on the link.
    Bundle(FromRelay, f64),
    /// Its end.
    End,
}

/// What is to be written to a connection.
pub(super) enum Outgoing {
    ToActor(u64, ToActor),
    ToRelay(u64, Arc<Vec<u8>>),
}

/// What the network task is at.
enum NetworkJob {
    /// A message of an actor.
    Take(Route, ToLearner),
    /// A message of a relay; what is in it is taken one by one after that.
    Unpack(u64, FromRelay),
    Send(Outgoing),
}

/// What it is to do next.
enum Next {
    /// This, for so many seconds.
    Job(NetworkJob, f64),
    /// Look again: something was done that takes no time.
    Again,
    Nothing,
}

pub(super) struct Learner {
    fleet: Fleet,
    /// What arrived on each connection.
    connections: HashMap<u64, VecDeque<Arrival>>,
    /// Connections of which a message waits to be read: one of each at a time, in turn.
    ready: VecDeque<u64>,
    is_ready: HashSet<u64>,
    pub inbox: VecDeque<ToNetwork>,
    pub sends: VecDeque<Outgoing>,
    pub relayed: Relayed,
    network: Option<(NetworkJob, f64)>,
    held_back: bool,
    pub newest: PolicyVersion,
    pub commits: VecDeque<Commit>,
    most_commits: usize,
    pub ingest: Ingest,
    pub ingest_since: f64,
    pub training: Training,
}

impl Learner {
    pub fn new(config: &RunConfig, task: &Task) -> Self {
        let settings = FleetSettings {
            run: "plan".into(),
            config: config.clone(),
            attachment: None,
            published: None,
            known: HashMap::new(),
            first_round: 0,
            early: Vec::new(),
        };
        Self {
            fleet: Fleet::new(settings, task),
            connections: HashMap::new(),
            ready: VecDeque::new(),
            is_ready: HashSet::new(),
            inbox: VecDeque::new(),
            sends: VecDeque::new(),
            relayed: Relayed::default(),
            network: None,
            held_back: false,
            newest: PolicyVersion(0),
            commits: VecDeque::new(),
            most_commits: commit_queue(config.train.mode),
            ingest: Ingest::Idle,
            ingest_since: 0.0,
            training: Training::new(config),
        }
    }

    /// Trajectories that came again.
    pub fn duplicates(&self) -> u64 {
        self.fleet.counters().duplicates
    }

    fn may_read(&self) -> bool {
        self.commits.len() < self.most_commits
    }

    fn arrived(&mut self, route: u64, what: Arrival) {
        self.connections.entry(route).or_default().push_back(what);
        if self.is_ready.insert(route) {
            self.ready.push_back(route);
        }
    }

    /// The next message, of whichever connection's turn it is.
    fn read(&mut self) -> Option<(u64, Arrival)> {
        let route = self.ready.pop_front()?;
        let queue = self.connections.get_mut(&route)?;
        let arrival = queue.pop_front()?;
        if queue.is_empty() {
            self.is_ready.remove(&route);
        } else {
            self.ready.push_back(route);
        }
        if matches!(arrival, Arrival::End) {
            self.connections.remove(&route);
        }
        Some((route, arrival))
    }
}

impl World<'_> {
    pub(super) fn reached_learner(&mut self, route: u64, what: Arrival) {
        self.learner.arrived(route, what);
        self.run_network();
    }

    /// The network task goes on: what the threads say, what it has to write, then what actors say.
    pub(super) fn run_network(&mut self) {
        while self.learner.network.is_none() {
            let may_read = self.learner.may_read();
            self.note_reading(may_read);
            // What that costs is part of a message's cost.
            while let Some(message) = self.learner.inbox.pop_front() {
                self.obey(message);
            }
            if !(may_read && self.learner.relayed.relays.has_more()) {
                self.collect_for_relays();
            }
            match self.next_job(may_read) {
                Next::Job(job, seconds) => {
                    self.learner.network = Some((job, self.now));
                    self.compute(0, Thread::Network, seconds);
                }
                Next::Again => {}
                Next::Nothing => return,
            }
        }
    }

    fn next_job(&mut self, may_read: bool) -> Next {
        if let Some(mut outgoing) = self.learner.sends.pop_front() {
            if let Outgoing::ToActor(_, ToActor::Weights { version, .. }) = &mut outgoing {
                // What waits is replaced by what is newer.
                *version = self.learner.newest;
            }
            let seconds = self.end_cost(self.outgoing_bytes(&outgoing));
            return Next::Job(NetworkJob::Send(outgoing), seconds);
        }
        if !may_read {
            return Next::Nothing;
        }
        match self.learner.relayed.relays.take() {
            Some(Heard::Message(route, bytes)) => {
                let message = decode_to_learner(&bytes).expect("an actor encoded it");
                let seconds = self.taking(&message);
                return Next::Job(NetworkJob::Take(route, message), seconds);
            }
            Some(Heard::Gone(route)) => {
                self.fleet_event(FleetEvent::Disconnected(route));
                return Next::Again;
            }
            None => {}
        }
        match self.learner.read() {
            Some((route, Arrival::Message(message))) => {
                let bytes = self.sealed(self.size_up(&message));
                let seconds = self.end_cost(bytes) + self.taking(&message);
                self.counts.messages[0] += 1.0;
                Next::Job(NetworkJob::Take(name(route), message), seconds)
            }
            Some((trunk, Arrival::Bundle(message, bytes))) => {
                self.counts.messages[0] += 1.0;
                Next::Job(NetworkJob::Unpack(trunk, message), self.end_cost(bytes))
            }
            Some((route, Arrival::End)) => {
                let actors = self.learner.relayed.lose(route);
                for route in actors.into_iter().chain([name(route)]) {
                    self.fleet_event(FleetEvent::Disconnected(route));
                }
                Next::Again
            }
            None => Next::Nothing,
        }
    }

    /// What reading, checking and answering a message takes, without its way.
    fn taking(&self, message: &ToLearner) -> f64 {
        let costs = &self.costs.learner;
        costs.receive + self.rows(message) * costs.receive_each
    }

    fn outgoing_bytes(&self, outgoing: &Outgoing) -> f64 {
        self.sealed(match outgoing {
            Outgoing::ToActor(_, message) => self.size_down(message),
            Outgoing::ToRelay(_, bytes) => bytes.len() as f64,
        })
    }

    fn note_reading(&mut self, may_read: bool) {
        if std::mem::replace(&mut self.learner.held_back, !may_read) && may_read {
            self.fleet_event(FleetEvent::Resumed);
        }
    }

    pub(super) fn network_done(&mut self) {
        if let Some((job, since)) = self.learner.network.take() {
            self.counts.network += self.now - since;
            match job {
                NetworkJob::Take(route, message) => self.fleet_event(FleetEvent::Received(route, message)),
                NetworkJob::Unpack(trunk, message) => {
                    let heard = self.learner.relayed.relays.hear(&name(trunk), message);
                    debug_assert_eq!(heard, Ok(()), "relays say hello once, and first");
                }
                NetworkJob::Send(outgoing) => self.write_out(outgoing),
            }
        }
        self.run_network();
    }

    fn write_out(&mut self, outgoing: Outgoing) {
        let arrives = self.down.send(self.now, self.outgoing_bytes(&outgoing));
        self.counts.messages[1] += 1.0;
        let event = match outgoing {
            Outgoing::ToActor(route, message) => Event::ToActor(route, Box::new(message)),
            Outgoing::ToRelay(trunk, bytes) => {
                let input = AtRelay::Received(trunk, bytes);
                Event::AtRelay(relay_of(trunk), Box::new(input))
            }
        };
        self.at(arrives, event);
    }

    fn obey(&mut self, message: ToNetwork) {
        match message {
            ToNetwork::Committed { incarnation, next } => self.fleet_event(FleetEvent::Committed { incarnation, next }),
            ToNetwork::Published(version) => {
                self.learner.newest = version;
                self.keep_for_relays(version);
                self.fleet_event(FleetEvent::Published(version));
            }
            ToNetwork::RoundStarted(round) => self.fleet_event(FleetEvent::RoundStarted(round)),
        }
    }

    pub(super) fn learner_tick(&mut self) {
        self.fleet_event(match self.learner.held_back {
            false => FleetEvent::Tick,
            true => FleetEvent::HeldBack,
        });
        self.run_network();
    }

    fn fleet_event(&mut self, event: FleetEvent) {
        let mut actions = Vec::new();
        let now = self.clock();
        self.learner.fleet.handle(now, event, &mut actions);
        for action in actions {
            match action {
                FleetAction::Send(route, message) => {
                    debug_assert!(!matches!(message, ToActor::Refused { .. }), "{message:?}");
                    match number(&route) {
                        Some(route) => self.learner.sends.push_back(Outgoing::ToActor(route, message)),
                        None => self.post(&route, &message),
                    }
                }
                FleetAction::SendWeights(route) => match number(&route) {
                    Some(route) => {
                        let weights = weights(self.learner.newest);
                        self.learner.sends.push_back(Outgoing::ToActor(route, weights));
                    }
                    None => self.post_weights(&route),
                },
                FleetAction::Commit(commit) => {
                    self.learner.commits.push_back(commit);
                    self.run_ingest();
                }
                FleetAction::RoundComplete(_, trajectories) => self.round_complete(trajectories.len()),
            }
        }
    }
}

/// Weights of a version, but for their bytes.
pub(super) fn weights(version: PolicyVersion) -> ToActor {
    ToActor::Weights {
        version,
        progress: 0.0,
        weights: Packed::F32(Blob::default()),
    }
}

pub(super) fn name(route: u64) -> Route {
    Route(route.to_le_bytes().as_slice().into())
}

/// The number of a connection; None for an actor behind a relay.
pub(super) fn number(route: &Route) -> Option<u64> {
    <[u8; 8]>::try_from(&*route.0).ok().map(u64::from_le_bytes)
}
