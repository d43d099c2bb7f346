//! The simulated world: hosts, links and a disk, driven by weighted random events. One event at a time.

mod actors;
mod disk;
mod faults;
mod invariants;
mod learner;
mod network;
mod relays;

use super::schedule::Kind;
use super::{Schedule, example_task, example_trajectory};
use crate::config::Mode;
use crate::protocol::actor_session::Event as ActorEvent;
use crate::protocol::rescore::Rescore;
use crate::random::{Purpose, Stream};
use actors::Actor;
use disk::Disk;
use invariants::Ledger;
use learner::LearnerHost;
use network::Network;
use relays::RelayHost;
use std::collections::VecDeque;
use std::time::Duration;

/// Events after the last fault in which everything must come to its end, per actor and in all: several times what they
/// usually take.
const QUIET_STEPS: [usize; 2] = [1_000, 10_000];

/// Id of the run.
const RUN: &str = "run";

/// Events that are shown when a schedule fails.
const SHOWN: usize = 400;

pub(super) struct World {
    schedule: Schedule,
    rng: Stream,
    now: Duration,
    faults: bool,
    disk: Disk,
    network: Network,
    learner: LearnerHost,
    actors: Vec<Actor>,
    relays: Vec<RelayHost>,
    /// What was ever made, by whom.
    ledger: Ledger,
    /// Incarnations and links so far.
    names: u64,
    /// The last events, where they are wanted.
    trace: Option<VecDeque<String>>,
}

impl World {
    /// A whole run; panics when an invariant breaks or the run does not end.
    pub fn run(seed: u64, kind: Kind, traced: bool) {
        let mut world = Self::new(Schedule::draw(seed, kind), seed, traced);
        for _ in 0..world.schedule.steps {
            world.step();
        }
        world.end();
    }

    fn new(schedule: Schedule, seed: u64, traced: bool) -> Self {
        let rescore = Rescore::new(&schedule.config, &example_task());
        let mut world = Self {
            rng: Stream::new(seed, Purpose::Bench, schedule.mode() as u64, 0),
            now: Duration::ZERO,
            faults: true,
            disk: Disk::default(),
            network: Network::default(),
            learner: LearnerHost::default(),
            actors: Vec::new(),
            relays: Vec::new(),
            ledger: Ledger::new(rescore),
            names: 0,
            trace: traced.then(VecDeque::new),
            schedule,
        };
        world.note(|world| format!("{:?}", world.schedule));
        world.actors = (0..world.schedule.actors).map(|_| world.new_actor()).collect();
        if let Some((liar, from)) = world.schedule.liar {
            world.actors[liar].lies_from = Some(from);
        }
        world.start_learner();
        world.relays = (0..world.schedule.relays).map(|_| RelayHost::default()).collect();
        (0..world.relays.len()).for_each(|number| world.start_relay(number));
        world
    }

    fn mode(&self) -> Mode {
        self.schedule.mode()
    }

    /// Notes an event, where events are wanted.
    fn note(&mut self, event: impl FnOnce(&Self) -> String) {
        if self.trace.is_none() {
            return;
        }
        let line = format!("{:>9.3} s  {}", self.now.as_secs_f64(), event(self));
        if let Some(trace) = &mut self.trace {
            if trace.len() == SHOWN {
                trace.pop_front();
            }
            trace.push_back(line);
        }
    }

    fn step(&mut self) {
        if self.faults && self.rng.below(1000) < self.schedule.fault_rate {
            return self.fault();
        }
        // With more actors more happens at a time.
        let time = 400 / self.schedule.actors / self.schedule.hops();
        let first = match self.rng.below(900 + time) {
            0..300 => 0,
            300..600 => 1,
            600..720 => 2,
            720..800 => 3,
            800..860 => 4,
            860..900 => 5,
            _ => return self.pass_time(),
        };
        const KINDS: [fn(&mut World) -> bool; 6] = [
            World::deliver_to_learner,
            World::deliver_to_actor,
            World::finish_roll,
            World::commit,
            World::report_commit,
            World::train,
        ];
        // What there is nothing of gives its turn to the next.
        let mut kinds = KINDS[first..].iter().chain(&KINDS[..first]);
        if !kinds.any(|kind| kind(self)) {
            self.pass_time();
        }
    }

    /// Time passes; whoever waits for it looks at the clock.
    fn pass_time(&mut self) {
        // Many actors have more to say in the same time, and each event takes a step; in the end nobody is in a hurry, but
        // whoever waits for a lease must see it end.
        let most = if self.faults {
            600 * 4 / self.schedule.actors.max(4)
        } else {
            600
        };
        let most = most / self.schedule.hops();
        self.now += Duration::from_millis(self.rng.below(most) as u64);
        if self.learner.running.is_none() && self.now >= self.learner.back_at {
            self.start_learner();
        }
        self.tick_learner();
        self.tick_relays();
        for number in 0..self.actors.len() {
            if self.actors[number].back_at.is_some_and(|at| self.now >= at) {
                self.restart_actor(number);
            }
            self.actor_event(number, ActorEvent::Tick);
        }
    }

    /// No more faults: everything must come to a good end.
    fn end(&mut self) {
        self.note(|_| "no more faults".into());
        self.faults = false;
        self.last_faults();
        let [each, all] = QUIET_STEPS;
        let mut stopped = false;
        for _ in 0..(all + each * self.schedule.actors) * self.schedule.hops() {
            if self.is_over() {
                return self.check_end();
            }
            if !stopped && self.mode() == Mode::Async && self.is_delivered() {
                stopped = true;
                (0..self.actors.len()).for_each(|number| self.actor_event(number, ActorEvent::Stop));
            }
            self.step();
        }
        panic!("liveness: the fleet did not finish: {}", self.state_of_actors());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(trace) = self.trace.as_ref().filter(|_| std::thread::panicking()) {
            trace.iter().for_each(|line| eprintln!("{line}"));
        }
    }
}
