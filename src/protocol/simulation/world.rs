//! The simulated world: processes, connections and a disk, driven by weighted random events.

mod actors;
mod learner;

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
const QUIET_STEPS: usize = 30_000;
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
