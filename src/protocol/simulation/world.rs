//! The simulated world: processes, connections and a disk, driven by weighted random events.

use super::{example_config, example_task, example_trajectory};
use crate::config::Mode;
use crate::protocol::actor_session::{Action as ActorAction, ActorSession, Event as ActorEvent, Exit};
use crate::protocol::fleet::{Action as FleetAction, Commit, Event as FleetEvent, Fleet, FleetSettings, Route};
use crate::protocol::messages::{Blob, Hello, ToActor, ToLearner};
use crate::protocol::{LEASE, decode_to_actor, decode_to_learner, encode, window};
use crate::random::{Purpose, Stream};
use crate::rollout::{RollRequest, Trajectory};
use crate::units::{Incarnation, PolicyVersion, Seq};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

const ACTORS: usize = 4;
const FAULTY_STEPS: usize = 1500;
const QUIET_STEPS: usize = 100_000;
const GIVE_UP: Duration = Duration::from_secs(1_000_000);
/// Versions that a resumed free-running learner skips: it may have published that many since it last wrote one down.
const RESERVE: u64 = 1000;

/// What survives any crash.
#[derive(Default)]
struct Disk {
    rows: BTreeMap<(Incarnation, Seq), Trajectory>,
    places: HashSet<(u64, u32)>,
    checkpoint_round: u64,
    reserved: u64,
}

struct Learner {
    fleet: Fleet,
    pending: VecDeque<Commit>,
    version: Option<PolicyVersion>,
    /// Sync mode: the round under way; none when all are done.
    round: Option<u64>,
}

struct Connection {
    route: Route,
    to_learner: VecDeque<ToLearner>,
    to_actor: VecDeque<ToActor>,
    /// Still open at the learner's end.
    alive: bool,
}

struct Actor {
    session: ActorSession,
    incarnation: Incarnation,
    connection: Option<Connection>,
    /// What is rolled out, and with which weights.
    rolling: Option<(RollRequest, PolicyVersion)>,
    made: Vec<Trajectory>,
    exit: Option<Exit>,
}

pub(super) struct World {
    mode: Mode,
    rng: Stream,
    now: Duration,
    faults: bool,
    disk: Disk,
    learner: Option<Learner>,
    actors: Vec<Actor>,
    names: u64,
}

impl World {
    /// A whole run; panics with the seed when an invariant breaks or the run does not end.
    pub fn run(seed: u64, mode: Mode) {
        let _shown = OnPanic(seed, mode);
        let mut world = Self {
            mode,
            rng: Stream::new(seed, Purpose::Bench, mode as u64, 0),
            now: Duration::ZERO,
            faults: true,
            disk: Disk::default(),
            learner: None,
            actors: Vec::new(),
            names: 0,
        };
        world.actors = (0..ACTORS).map(|_| world.new_actor()).collect();
        world.start_learner();
        for _ in 0..FAULTY_STEPS {
            world.step();
            world.check();
        }
        world.faults = false;
        world.end();
    }

    /// No more faults: everything must come to a good end.
    fn end(&mut self) {
        if self.learner.is_none() {
            self.start_learner();
        }
        let targets: Vec<_> = self.actors.iter().map(|actor| actor.made.len() as u64 + 10).collect();
        let mut stopped = self.mode == Mode::Sync;
        for _ in 0..QUIET_STEPS {
            if self.actors.iter().all(|actor| actor.exit.is_some()) {
                return self.check_end();
            }
            let delivered = self
                .actors
                .iter()
                .zip(&targets)
                .all(|(actor, target)| actor.session.oldest().0 >= *target);
            if delivered && !stopped {
                stopped = true;
                (0..ACTORS).for_each(|actor| self.actor_event(actor, ActorEvent::Stop));
            }
            self.step();
            self.check();
        }
        panic!(
            "the fleet did not finish: {:?}",
            self.actors.iter().map(|a| a.session.status()).collect::<Vec<_>>()
        );
    }

    fn check_end(&self) {
        let config = example_config(self.mode);
        if self.mode == Mode::Sync {
            assert!(self.actors.iter().all(|actor| actor.exit == Some(Exit::Finished)));
            let places = config.train.rounds as usize * config.train.batch;
            assert_eq!(self.disk.rows.len(), places, "every place of every round, once");
            return;
        }
        for actor in &self.actors {
            assert!(matches!(actor.exit, Some(Exit::Stopped { .. })), "{:?}", actor.exit);
        }
    }

    fn step(&mut self) {
        let actor = self.rng.below(ACTORS);
        match self.rng.below(1000) {
            0..300 => self.deliver_to_learner(actor),
            300..600 => self.deliver_to_actor(actor),
            600..720 => self.finish_roll(actor),
            720..820 => self.commit(),
            820..860 => self.publish(),
            860..962 => self.pass_time(),
            fault if self.faults => self.fault(actor, fault),
            _ => {}
        }
    }

    fn fault(&mut self, actor: usize, kind: usize) {
        match kind {
            962..967 => self.lose_message(actor),
            967..972 => self.repeat_message(actor),
            972..980 => self.break_connection(actor),
            980..984 => self.actors[actor] = self.new_actor(),
            984..987 => self.crash_learner(),
            987..996 if self.learner.is_none() => self.start_learner(),
            996..998 => self.now += LEASE,
            _ => {}
        }
    }

    // Processes.

    fn new_actor(&mut self) -> Actor {
        self.names += 1;
        let incarnation = Incarnation(self.names);
        let hello = Hello {
            incarnation,
            oldest: Seq(0),
            name: format!("actor {}", self.names),
            host: "here".into(),
            process: 1,
            device: "cpu".into(),
        };
        let jitter = Stream::new(self.names, Purpose::Bench, 1, 1);
        let session = ActorSession::new(hello, GIVE_UP, jitter, self.now);
        Actor {
            session,
            incarnation,
            connection: None,
            rolling: None,
            made: Vec::new(),
            exit: None,
        }
    }

    fn start_learner(&mut self) {
        let mut known: HashMap<Incarnation, Seq> = HashMap::new();
        for &(incarnation, seq) in self.disk.rows.keys() {
            known.insert(incarnation, Seq(seq.0 + 1));
        }
        let first_round = self.disk.checkpoint_round;
        let later = self.disk.rows.values().filter(|t| t.round >= first_round);
        let early = if self.mode == Mode::Sync {
            later.cloned().collect()
        } else {
            Vec::new()
        };
        let config = example_config(self.mode);
        let settings = FleetSettings {
            run: "run".into(),
            config,
            table: None,
            published: self.disk.reserved.checked_sub(1).map(PolicyVersion),
            known,
            first_round,
            early,
        };
        let fleet = Fleet::new(settings, &example_task());
        self.learner = Some(Learner {
            fleet,
            pending: VecDeque::new(),
            version: None,
            round: None,
        });
        match self.mode {
            Mode::Sync => self.start_round(first_round),
            Mode::Async => {
                // Its first weights come some time later: actors that outlived it may be faster.
                self.disk.reserved += RESERVE;
            }
        }
    }

    fn crash_learner(&mut self) {
        self.learner = None;
        for actor in 0..ACTORS {
            if let Some(connection) = &mut self.actors[actor].connection {
                connection.alive = false;
                connection.to_learner.clear();
            }
        }
    }

    // Learner.

    fn start_round(&mut self, round: u64) {
        let Some(learner) = &mut self.learner else { return };
        if round == example_config(self.mode).train.rounds {
            learner.round = None;
            // As the program does: commit what is left, then say so.
            while !self.learner.as_ref().unwrap().pending.is_empty() {
                self.commit();
            }
            return self.fleet_event(FleetEvent::Finished);
        }
        learner.round = Some(round);
        self.publish_version(PolicyVersion(round));
        self.fleet_event(FleetEvent::RoundStarted(round));
    }

    fn round_complete(&mut self, round: u64, trajectories: &[Trajectory]) {
        let expected: Vec<_> = (0..example_config(self.mode).train.batch as u32)
            .map(|i| example_trajectory(round, i))
            .collect();
        assert_eq!(
            trajectories, expected,
            "invariant 10: a round depends on its places only"
        );
        if self.rng.below(3) == 0 {
            // A checkpoint refers only to what is committed.
            while !self.learner.as_ref().unwrap().pending.is_empty() {
                self.commit();
            }
            self.disk.checkpoint_round = round + 1;
        }
        self.start_round(round + 1);
    }

    fn publish(&mut self) {
        let Some(learner) = self.learner.as_ref().filter(|_| self.mode == Mode::Async) else {
            return;
        };
        let first = PolicyVersion(self.disk.reserved - RESERVE);
        self.publish_version(learner.version.map_or(first, PolicyVersion::next));
    }

    fn publish_version(&mut self, version: PolicyVersion) {
        if let Some(learner) = &mut self.learner {
            learner.version = Some(version);
        }
        self.fleet_event(FleetEvent::Published(version));
    }

    fn commit(&mut self) {
        let Some(commit) = self.learner.as_mut().and_then(|learner| learner.pending.pop_front()) else {
            return;
        };
        for (seq, trajectory) in commit.rows {
            if self.mode == Mode::Sync {
                let new = self.disk.places.insert((trajectory.round, trajectory.index));
                assert!(new, "a place of a round is stored once");
            }
            let old = self.disk.rows.insert((commit.incarnation, seq), trajectory);
            assert!(
                old.is_none(),
                "invariant 2: {} {seq} is stored once",
                commit.incarnation
            );
        }
        self.fleet_event(FleetEvent::Committed {
            incarnation: commit.incarnation,
            next: commit.next,
        });
    }

    fn fleet_event(&mut self, event: FleetEvent) {
        let Some(learner) = &mut self.learner else { return };
        let mut actions = Vec::new();
        learner.fleet.handle(self.now, event, &mut actions);
        let version = learner.version;
        let mut completed = None;
        let mut welcomed = None;
        for action in actions {
            match action {
                FleetAction::Send(route, message) => {
                    if matches!(message, ToActor::Welcome(_)) {
                        welcomed = Some(route.clone());
                    }
                    self.post(&route, message);
                }
                FleetAction::SendWeights(route) => {
                    welcomed.take_if(|welcomed| *welcomed == route);
                    self.post(
                        &route,
                        ToActor::Weights {
                            version: version.unwrap(),
                            progress: 0.0,
                            data: Blob(vec![0; 8]),
                        },
                    );
                }
                FleetAction::Commit(commit) => self.learner.as_mut().unwrap().pending.push_back(commit),
                FleetAction::RoundComplete(round, trajectories) => completed = Some((round, trajectories)),
            }
        }
        assert!(
            welcomed.is_none() || version.is_none(),
            "invariant 4: the newest weights follow a welcome at once"
        );
        if let Some((round, trajectories)) = completed {
            self.round_complete(round, &trajectories);
        }
    }

    fn post(&mut self, route: &Route, message: ToActor) {
        let message = decode_to_actor(&encode(&message)).expect("what is sent can be read");
        let connections = self.actors.iter_mut().filter_map(|actor| actor.connection.as_mut());
        if let Some(connection) = connections.into_iter().find(|c| c.alive && c.route == *route) {
            connection.to_actor.push_back(message);
        }
    }

    // Actors.

    fn actor_event(&mut self, number: usize, event: ActorEvent) {
        let actor = &mut self.actors[number];
        let before = actor.session.loaded();
        let mut actions = Vec::new();
        actor.session.handle(self.now, event, &mut actions);
        if self.mode == Mode::Async {
            assert!(actor.session.loaded() >= before, "invariant 4: newest weights win");
        }
        for action in actions {
            match action {
                ActorAction::Connect => self.connect(number),
                ActorAction::Send(message) => {
                    if let Some(connection) = self.actors[number].connection.as_mut().filter(|c| c.alive) {
                        connection.to_learner.push_back(message);
                    }
                }
                ActorAction::Roll(request) => {
                    let version = self.actors[number].session.loaded().expect("weights come before work");
                    if self.mode == Mode::Sync {
                        assert_eq!(version, PolicyVersion(request.round), "work is done with its weights");
                    }
                    let rolling = self.actors[number].rolling.replace((request, version));
                    assert!(rolling.is_none(), "one roll-out at a time");
                }
                ActorAction::Configure { .. } | ActorAction::Load { .. } => {}
                ActorAction::Exit(exit) => self.actors[number].exit = Some(exit),
            }
        }
    }

    fn connect(&mut self, number: usize) {
        self.actors[number].connection = None;
        if self.learner.is_none() {
            return self.actor_event(number, ActorEvent::Disconnected("connection refused".into()));
        }
        self.names += 1;
        let route = Route(self.names.to_le_bytes().as_slice().into());
        let (to_learner, to_actor) = Default::default();
        self.actors[number].connection = Some(Connection {
            route,
            to_learner,
            to_actor,
            alive: true,
        });
        self.actor_event(number, ActorEvent::Connected);
    }

    fn finish_roll(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        let Some((request, policy_version)) = actor.rolling.take() else {
            return;
        };
        let batch: Vec<_> = request
            .indices
            .map(|index| match self.mode {
                Mode::Sync => example_trajectory(request.round, index),
                Mode::Async => Trajectory {
                    policy_version,
                    ..example_trajectory(request.round, index)
                },
            })
            .collect();
        actor.made.extend(batch.iter().cloned());
        self.actor_event(number, ActorEvent::Rolled(batch));
    }

    // Network and time.

    fn deliver_to_learner(&mut self, number: usize) {
        let Some(connection) = self.actors[number].connection.as_mut().filter(|c| c.alive) else {
            return;
        };
        let Some(message) = connection.to_learner.pop_front() else {
            return;
        };
        let message = decode_to_learner(&encode(&message)).expect("what is sent can be read");
        let route = connection.route.clone();
        self.fleet_event(FleetEvent::Received(route, message));
    }

    fn deliver_to_actor(&mut self, number: usize) {
        let Some(connection) = &mut self.actors[number].connection else {
            return;
        };
        if let Some(message) = connection.to_actor.pop_front() {
            return self.actor_event(number, ActorEvent::Received(message));
        }
        // An end of file comes after everything before it; sometimes it never comes.
        if !connection.alive && self.rng.below(3) > 0 {
            self.actors[number].connection = None;
            self.actor_event(number, ActorEvent::Disconnected("end of file".into()));
        }
    }

    fn lose_message(&mut self, number: usize) {
        let Some(connection) = &mut self.actors[number].connection else {
            return;
        };
        if self.rng.below(2) == 0 {
            connection.to_learner.pop_front();
        } else {
            connection.to_actor.pop_front();
        }
    }

    fn repeat_message(&mut self, number: usize) {
        let Some(connection) = self.actors[number].connection.as_mut().filter(|c| c.alive) else {
            return;
        };
        if let Some(message) = connection.to_learner.front().cloned() {
            connection.to_learner.push_back(message);
        }
        if let Some(message) = connection.to_actor.front().cloned() {
            connection.to_actor.push_back(message);
        }
    }

    fn break_connection(&mut self, number: usize) {
        let Some(connection) = &mut self.actors[number].connection else {
            return;
        };
        connection.alive = false;
        connection.to_learner.clear();
        let route = connection.route.clone();
        if self.rng.below(2) == 0 {
            self.fleet_event(FleetEvent::Disconnected(route));
        }
    }

    fn pass_time(&mut self) {
        self.now += Duration::from_millis(self.rng.below(600) as u64);
        self.fleet_event(FleetEvent::Tick);
        (0..ACTORS).for_each(|actor| self.actor_event(actor, ActorEvent::Tick));
    }

    // Invariants.

    fn check(&self) {
        let limit = window(&example_config(self.mode));
        for actor in &self.actors {
            let status = actor.session.status();
            assert!(status.outbox as usize <= limit, "invariant 5: the outbox is bounded");
            let oldest = actor.session.oldest().0;
            for (seq, made) in actor.made.iter().enumerate().take(oldest as usize) {
                let stored = self.disk.rows.get(&(actor.incarnation, Seq(seq as u64)));
                let elsewhere = self.mode == Mode::Sync && self.disk.places.contains(&(made.round, made.index));
                assert!(
                    stored == Some(made) || elsewhere,
                    "invariant 1: what was acknowledged is stored"
                );
            }
        }
        if let Some(learner) = &self.learner {
            let rows: usize = learner.pending.iter().map(|commit| commit.rows.len()).sum();
            assert!(
                rows <= limit * learner.fleet.peers().count(),
                "invariant 5: what waits for the disk is bounded"
            );
        }
    }
}

/// Names the seed when a run panics.
struct OnPanic(u64, Mode);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "simulation failed: seed {}, mode {:?}; add it to FAILED_ONCE",
                self.0, self.1
            );
        }
    }
}
