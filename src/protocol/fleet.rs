//! The learner's end of the protocol as a state machine: every actor it knows, what they sent, what they owe.
//!
//! Invariant: an acknowledgement is sent only for what was reported as committed.
//! Invariant: a trajectory (incarnation, seq) is handed to be committed once; in sync mode so is a place of a round.
//! Invariant: nothing is sent to an absent actor, and nothing but answers, owed work and a word now and then while the learner
//! is behind to a present one, so what a stuck connection holds back is bounded by what its actor asked for, and time.

mod events;
mod membership;
mod quarantine;
mod work;

pub use events::{Action, Commit, Counters, Event, FleetReport, FleetSettings, PeerReport, Route};

use super::messages::{ActorStatus, Blob, Hello, ToActor, ToLearner, Waiting, Welcome};
use super::peer::Peer;
use super::rescore::Rescore;
use super::rounds::{Offer, Rounds};
use super::{Check, RESEND, WireError};
use crate::config::Mode;
use crate::rollout::Trajectory;
use crate::task::Task;
use crate::units::{Incarnation, PolicyVersion, Seq};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Most actors remembered at once, present or not.
const MAX_PEERS: usize = super::MAX_ACTORS;

/// Numbers of trajectories stay far below what the replay can store (63 bits).
const MAX_SEQ: Seq = Seq(1 << 62);

/// See the module.
#[derive(Debug)]
pub struct Fleet {
    run: String,
    config: String,
    attachment: Option<Blob>,
    window: usize,
    check: Check,
    rescore: Option<Rescore>,
    /// Incarnations from which nothing is taken any more, and why; at most [`MAX_PEERS`].
    quarantined: BTreeMap<Incarnation, String>,
    known: HashMap<Incarnation, Seq>,
    peers: BTreeMap<Incarnation, Peer>,
    routes: HashMap<Route, Incarnation>,
    rounds: Option<Rounds>,
    newest: Option<PolicyVersion>,
    /// What an earlier life published: actors that outlived it may still send trajectories of it.
    published: Option<PolicyVersion>,
    /// Since when connections are read: before that, silence means nothing.
    resumed: Duration,
    finished: bool,
    counters: Counters,
}

impl Fleet {
    /// A fleet without actors.
    ///
    /// # Panics
    /// Never: a resolved configuration is representable as JSON.
    pub fn new(settings: FleetSettings, task: &Task) -> Self {
        let FleetSettings {
            run,
            config,
            attachment,
            published,
            known,
            first_round,
            early,
        } = settings;
        let rounds = (config.train.mode == Mode::Sync).then(|| Rounds::new(config.train.batch, first_round, early));
        Self {
            run,
            window: super::window(&config),
            check: Check::new(&config, task),
            rescore: Rescore::new(&config, task),
            quarantined: BTreeMap::new(),
            config: serde_json::to_string(&config).expect("a configuration is plain data"),
            attachment,
            known,
            peers: BTreeMap::new(),
            routes: HashMap::new(),
            rounds,
            newest: None,
            published,
            resumed: Duration::ZERO,
            finished: false,
            counters: Counters::default(),
        }
    }

    /// Takes one event and appends what is to be done, in order.
    pub fn handle(&mut self, now: Duration, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Received(route, message) => self.received(now, route, message, out),
            Event::Malformed(route, error) => self.malformed(route, &error, out),
            Event::Disconnected(route) => self.disconnected(now, &route, out),
            Event::Committed { incarnation, next } => self.committed(now, incarnation, next, out),
            Event::Published(version) => self.published(now, version, out),
            Event::RoundStarted(round) => self.round_started(now, round, out),
            Event::Resumed => self.resumed = now,
            Event::Finished => self.finish(out),
            Event::Tick => {
                self.tick(now, out);
                self.reassure(now, out);
            }
            Event::HeldBack => self.reassure(now, out),
        }
    }

    fn received(&mut self, now: Duration, route: Route, message: ToLearner, out: &mut Vec<Action>) {
        if self.finished {
            return out.push(Action::Send(route, ToActor::Finished));
        }
        if let ToLearner::Hello(hello) = message {
            return self.hello(now, route, hello, out);
        }
        let Some(&incarnation) = self.routes.get(&route) else {
            self.counters.strangers += 1;
            return out.push(Action::Send(route, ToActor::Stranger));
        };
        let Some(peer) = self.peers.get_mut(&incarnation) else {
            return;
        };
        let returned = peer.hear(now);
        match message {
            ToLearner::Hello(_) => {}
            ToLearner::Trajectories { first, batch } => self.trajectories(now, incarnation, first, batch, out),
            ToLearner::WantWeights { have } => self.want_weights(now, incarnation, have, out),
            ToLearner::Heartbeat(status) => self.heartbeat(now, incarnation, status, out),
            ToLearner::Goodbye => {
                out.push(Action::Send(route.clone(), ToActor::Farewell));
                self.disconnected(now, &route, out);
            }
        }
        if returned {
            self.counters.returned += 1;
            self.assign(now, out);
        }
    }

    fn hello(&mut self, now: Duration, route: Route, hello: Hello, out: &mut Vec<Action>) {
        let incarnation = hello.incarnation;
        if self.shut_out(&route, incarnation, out) {
            return;
        }
        if !self.peers.contains_key(&incarnation) && self.peers.len() >= MAX_PEERS {
            return self.refuse(route, format!("there are {MAX_PEERS} actors already"), out);
        }
        let oldest = hello.oldest;
        if oldest > MAX_SEQ {
            return self.refuse(route, format!("trajectory number {oldest} is out of range"), out);
        }
        // What the actor no longer holds was acknowledged in an earlier life of the learner.
        let known = self.known.get(&incarnation).copied().unwrap_or_default().max(oldest);
        let peer = self
            .peers
            .entry(incarnation)
            .or_insert_with(|| Peer::new(hello.clone(), known, now));
        if oldest > peer.committed {
            let reason = format!(
                "it has dropped trajectories from {} on that were not acknowledged",
                peer.committed
            );
            return self.refuse(route, reason, out);
        }
        if let Some(old) = peer.route.take() {
            self.routes.remove(&old);
        }
        self.routes.insert(route.clone(), incarnation);
        peer.hello = hello;
        self.counters.returned += u64::from(peer.connect(route.clone(), now));
        let welcome = Welcome {
            run: self.run.clone(),
            config: self.config.clone(),
            attachment: self.attachment.clone(),
            next: peer.committed,
            newest: self.newest,
        };
        out.push(Action::Send(route.clone(), ToActor::Welcome(Box::new(welcome))));
        if self.newest.is_some_and(|newest| peer.needs_weights(newest, false, now)) {
            out.push(Action::SendWeights(route));
        }
        // Work sent on the old connection may be lost; it is cheap to send again.
        self.send_owed(now, incarnation, out);
        self.assign(now, out);
    }

    fn refuse(&mut self, route: Route, reason: String, out: &mut Vec<Action>) {
        self.counters.refused += 1;
        out.push(Action::Send(route, ToActor::Refused { reason }));
    }

    fn malformed(&mut self, route: Route, error: &WireError, out: &mut Vec<Action>) {
        self.counters.malformed += 1;
        // Only to those who could understand it; what else talks to this port gets no answer.
        if matches!(error, WireError::Protocol { .. }) || self.routes.contains_key(&route) {
            self.refuse(route, error.to_string(), out);
        }
    }

    /// Takes what is new of a batch: all of it is believed, or none.
    fn trajectories(
        &mut self,
        now: Duration,
        incarnation: Incarnation,
        first: Seq,
        batch: Vec<Trajectory>,
        out: &mut Vec<Action>,
    ) {
        let Some(peer) = self.peers.get_mut(&incarnation) else {
            return;
        };
        let Some(route) = peer.route.clone() else { return };
        let accepted = peer.accepted;
        if first > accepted {
            self.counters.gaps += 1;
            return out.push(Action::Send(route, peer.ack(now, self.newest, true)));
        }
        let old = ((accepted.0 - first.0) as usize).min(batch.len());
        self.counters.duplicates += old as u64;
        let fresh = &batch[old..];
        if fresh.is_empty() {
            return out.push(Action::Send(route, peer.ack(now, self.newest, false)));
        }
        let no_room = self.rounds.as_ref().is_some_and(|rounds| !rounds.has_room(fresh.len()));
        if peer.in_flight() + fresh.len() > self.window || no_room {
            self.counters.over_window += 1;
            return;
        }
        let newest = self.newest.max(self.published);
        if let Some(error) = fresh.iter().find_map(|t| self.check.trajectory(t, newest).err()) {
            self.refuse(
                route.clone(),
                format!("a trajectory was refused: {}", super::chain(&error)),
                out,
            );
            return self.disconnected(now, &route, out);
        }
        if self.agrees(now, incarnation, accepted, fresh, out) {
            self.accept(incarnation, batch, old, out);
        }
    }

    /// Hands everything after the first `old` trajectories of a checked batch on.
    fn accept(&mut self, incarnation: Incarnation, batch: Vec<Trajectory>, old: usize, out: &mut Vec<Action>) {
        let Some(peer) = self.peers.get_mut(&incarnation) else {
            return;
        };
        let fresh = batch.len() - old;
        let newest = self.newest.max(self.published);
        peer.staleness = Peer::staleness(newest, &batch[old..]);
        let numbered = (peer.accepted.0..).map(Seq).zip(batch.into_iter().skip(old));
        let rows: Vec<_> = numbered
            .filter(|(_, trajectory)| match &mut self.rounds {
                Some(rounds) => rounds.offer(trajectory.clone()) == Offer::New,
                None => true,
            })
            .collect();
        self.counters.duplicates += (fresh - rows.len()) as u64;
        peer.accepted.0 += fresh as u64;
        peer.taken += rows.len() as u64;
        let (actor, next) = (peer.name.clone(), peer.accepted);
        out.push(Action::Commit(Commit {
            incarnation,
            actor,
            rows,
            next,
            newest,
        }));
        self.complete(out);
    }

    fn complete(&mut self, out: &mut Vec<Action>) {
        if let Some((round, trajectories)) = self.rounds.as_mut().and_then(Rounds::take_complete) {
            out.push(Action::RoundComplete(round, trajectories));
        }
    }

    fn committed(&mut self, now: Duration, incarnation: Incarnation, next: Seq, out: &mut Vec<Action>) {
        self.known.insert(incarnation, next);
        let Some(peer) = self.peers.get_mut(&incarnation) else {
            return;
        };
        peer.committed = next;
        if let Some(route) = peer.route.clone().filter(|_| peer.present) {
            out.push(Action::Send(route, peer.ack(now, self.newest, false)));
        }
    }

    fn want_weights(
        &mut self,
        now: Duration,
        incarnation: Incarnation,
        have: Option<PolicyVersion>,
        out: &mut Vec<Action>,
    ) {
        let Some(peer) = self.peers.get_mut(&incarnation) else {
            return;
        };
        if let (Some(newest), Some(route)) = (self.newest, peer.route.clone())
            && have != Some(newest)
            && peer.needs_weights(newest, true, now)
        {
            out.push(Action::SendWeights(route));
        }
    }

    fn heartbeat(&mut self, now: Duration, incarnation: Incarnation, status: ActorStatus, out: &mut Vec<Action>) {
        let Some(peer) = self.peers.get_mut(&incarnation) else {
            return;
        };
        (peer.status, peer.told) = (status, now);
        if let Some(route) = peer.route.clone() {
            out.push(Action::Send(route, ToActor::Heartbeat { newest: self.newest }));
        }
        // It may wait for the weights of work that came late, in the place of what it owes.
        let idle = matches!(status.waiting, Waiting::Work | Waiting::Weights) && status.outbox == 0;
        if idle && now >= peer.work_sent + RESEND {
            self.send_owed(now, incarnation, out);
        }
    }

    fn published(&mut self, now: Duration, version: PolicyVersion, out: &mut Vec<Action>) {
        let first = self.newest.replace(version).is_none();
        // Actors hear of later versions with every acknowledgement and heartbeat and fetch what they will use.
        if first {
            for peer in self.peers.values_mut().filter(|peer| peer.present) {
                if let Some(route) = peer.route.clone().filter(|_| peer.needs_weights(version, false, now)) {
                    out.push(Action::SendWeights(route));
                }
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<Action>) {
        self.finished = true;
        let routes = self
            .peers
            .values()
            .filter(|peer| peer.present)
            .filter_map(|peer| peer.route.clone());
        out.extend(routes.map(|route| Action::Send(route, ToActor::Finished)));
    }
}

#[cfg(test)]
mod tests;
