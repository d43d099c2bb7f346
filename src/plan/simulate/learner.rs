//! The simulated learner: its fleet, the network task that reads one message at a time, and the replay.

use super::node::Thread;
use super::training::Training;
use super::{Event, World, is_lockstep};
use crate::config::RunConfig;
use crate::flow::{COMMIT_GROUP, commit_queue};
use crate::protocol::weights::Packed;
use crate::protocol::{Blob, Commit, Fleet, FleetAction, FleetEvent, FleetSettings, Route, ToActor, ToLearner};
use crate::task::Task;
use crate::units::{Incarnation, PolicyVersion, Seq};
use std::collections::{HashMap, HashSet, VecDeque};

/// What the other threads want of the network task.
#[derive(Debug)]
pub(super) enum ToNetwork {
    Committed { incarnation: Incarnation, next: Seq },
    Published(PolicyVersion),
    RoundStarted(u64),
}

/// What the network task is at.
enum NetworkJob {
    Read(u64, ToLearner),
    Send(u64, ToActor),
}

/// What the replay is at.
enum Ingest {
    Idle,
    /// Computes, then waits for the disk.
    Commits(Vec<Commit>),
    /// Committed, and training has no room for them.
    Blocked(Vec<PolicyVersion>),
}

pub(super) struct Learner {
    fleet: Fleet,
    /// Messages that arrived on each connection; None: its end.
    connections: HashMap<u64, VecDeque<Option<ToLearner>>>,
    /// Connections of which a message waits to be read: one of each at a time, in turn.
    ready: VecDeque<u64>,
    is_ready: HashSet<u64>,
    pub inbox: VecDeque<ToNetwork>,
    sends: VecDeque<(u64, ToActor)>,
    network: Option<(NetworkJob, f64)>,
    held_back: bool,
    newest: PolicyVersion,
    commits: VecDeque<Commit>,
    most_commits: usize,
    ingest: Ingest,
    ingest_since: f64,
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

    fn arrived(&mut self, route: u64, what: Option<ToLearner>) {
        self.connections.entry(route).or_default().push_back(what);
        if self.is_ready.insert(route) {
            self.ready.push_back(route);
        }
    }

    /// The next message, of whichever connection's turn it is.
    fn read(&mut self) -> Option<(u64, Option<ToLearner>)> {
        let route = self.ready.pop_front()?;
        let queue = self.connections.get_mut(&route)?;
        let message = queue.pop_front()?;
        if queue.is_empty() {
            self.is_ready.remove(&route);
        } else {
            self.ready.push_back(route);
        }
        if message.is_none() {
            self.connections.remove(&route);
        }
        Some((route, message))
    }
}

impl World<'_> {
    pub(super) fn reached_learner(&mut self, route: u64, message: ToLearner) {
        self.learner.arrived(route, Some(message));
        self.run_network();
    }

    pub(super) fn hung_up(&mut self, route: u64) {
        self.learner.arrived(route, None);
        self.run_network();
    }

    /// The network task goes on: what it has to write, then what the threads say, then what actors say.
    pub(super) fn run_network(&mut self) {
        while self.learner.network.is_none() {
            let may_read = self.learner.may_read();
            self.note_reading(may_read);
            let job = if let Some((route, mut message)) = self.learner.sends.pop_front() {
                if let ToActor::Weights { version, .. } = &mut message {
                    // What waits is replaced by what is newer.
                    *version = self.learner.newest;
                }
                NetworkJob::Send(route, message)
            } else if let Some(message) = self.learner.inbox.pop_front() {
                // What that costs is part of a message's cost.
                self.obey(message);
                continue;
            } else if !may_read {
                return;
            } else {
                match self.learner.read() {
                    Some((route, Some(message))) => NetworkJob::Read(route, message),
                    Some((route, None)) => {
                        self.fleet_event(FleetEvent::Disconnected(name(route)));
                        continue;
                    }
                    None => return,
                }
            };
            self.learner.network = Some((job, self.now));
            let seconds = self.network_seconds();
            self.compute(0, Thread::Network, seconds);
        }
    }

    fn network_seconds(&self) -> f64 {
        let costs = &self.costs.learner;
        match &self.learner.network {
            Some((NetworkJob::Send(_, message), _)) => self.end_cost(self.bytes_down(message)),
            Some((NetworkJob::Read(_, message), _)) => {
                let rows = match message {
                    ToLearner::Trajectories { batch, .. } => batch.len(),
                    _ => 0,
                };
                self.end_cost(self.bytes_up(message)) + costs.receive + rows as f64 * costs.receive_each
            }
            None => 0.0,
        }
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
                NetworkJob::Read(route, message) => self.fleet_event(FleetEvent::Received(name(route), message)),
                NetworkJob::Send(route, message) => {
                    let arrives = self.down.send(self.now, self.bytes_down(&message));
                    self.at(arrives, Event::ToActor(route, Box::new(message)));
                }
            }
        }
        self.run_network();
    }

    fn obey(&mut self, message: ToNetwork) {
        match message {
            ToNetwork::Committed { incarnation, next } => self.fleet_event(FleetEvent::Committed { incarnation, next }),
            ToNetwork::Published(version) => {
                self.learner.newest = version;
                self.fleet_event(FleetEvent::Published(version));
            }
            ToNetwork::RoundStarted(round) => self.fleet_event(FleetEvent::RoundStarted(round)),
        }
    }

    pub(super) fn learner_tick(&mut self) {
        if !self.learner.held_back {
            self.fleet_event(FleetEvent::Tick);
            self.run_network();
        }
    }

    fn fleet_event(&mut self, event: FleetEvent) {
        let mut actions = Vec::new();
        let now = self.clock();
        self.learner.fleet.handle(now, event, &mut actions);
        for action in actions {
            match action {
                FleetAction::Send(route, message) => {
                    debug_assert!(!matches!(message, ToActor::Refused { .. }), "{message:?}");
                    self.learner.sends.push_back((number(&route), message));
                }
                FleetAction::SendWeights(route) => {
                    let weights = ToActor::Weights {
                        version: self.learner.newest,
                        progress: 0.0,
                        weights: Packed::F32(Blob::default()),
                    };
                    self.learner.sends.push_back((number(&route), weights));
                }
                FleetAction::Commit(commit) => {
                    self.learner.commits.push_back(commit);
                    self.run_ingest();
                }
                FleetAction::RoundComplete(_, trajectories) => self.round_complete(trajectories.len()),
            }
        }
    }

    fn run_ingest(&mut self) {
        if !matches!(self.learner.ingest, Ingest::Idle) || self.learner.commits.is_empty() {
            return;
        }
        let (mut group, mut rows) = (Vec::new(), 0);
        while rows < COMMIT_GROUP
            && let Some(commit) = self.learner.commits.pop_front()
        {
            rows += commit.rows.len();
            group.push(commit);
        }
        let costs = &self.costs.learner;
        let seconds = costs.commit + rows as f64 * costs.commit_each;
        self.learner.ingest = Ingest::Commits(group);
        self.learner.ingest_since = self.now;
        self.compute(0, Thread::Ingest, seconds);
        // There is room for more.
        self.run_network();
    }

    pub(super) fn ingest_done(&mut self) {
        self.at(self.now + self.costs.learner.commit_wait, Event::OnDisk);
    }

    pub(super) fn on_disk(&mut self) {
        self.counts.ingest += self.now - self.learner.ingest_since;
        let Ingest::Commits(group) = std::mem::replace(&mut self.learner.ingest, Ingest::Idle) else {
            return;
        };
        let mut rows = Vec::new();
        for commit in group {
            let (incarnation, next) = (commit.incarnation, commit.next);
            self.learner.inbox.push_back(ToNetwork::Committed { incarnation, next });
            rows.extend(commit.rows.into_iter().map(|(_, trajectory)| trajectory.policy_version));
        }
        if !rows.is_empty() && !is_lockstep(&self.config) {
            self.learner.ingest = Ingest::Blocked(rows);
            self.offer_to_training();
        }
        self.run_network();
        self.run_ingest();
    }

    /// Training may have room for what the replay holds for it.
    pub(super) fn offer_to_training(&mut self) {
        let Ingest::Blocked(rows) = &mut self.learner.ingest else {
            return;
        };
        if self.learner.training.has_room() {
            self.learner.training.give(std::mem::take(rows));
            self.learner.ingest = Ingest::Idle;
            self.run_training();
            self.run_ingest();
        }
    }
}

fn name(route: u64) -> Route {
    Route(route.to_le_bytes().as_slice().into())
}

fn number(route: &Route) -> u64 {
    let bytes = <[u8; 8]>::try_from(&*route.0);
    u64::from_le_bytes(bytes.expect("routes are named by `name`"))
}
