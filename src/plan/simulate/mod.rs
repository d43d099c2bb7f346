//! A run in virtual time: the real state machines of learner and actors, with computations that only take their time.
//! Every event is at a definite moment, and all randomness follows from the scenario's seed.
//!
//! Threads of the programs are those that there are: the learner's network task, replay and training, an actor's network
//! task and roller, a relay's task. Those of one machine share its cores (`node`), messages between machines share the
//! learner's link (`pipe`). What actors send are made-up trajectories that pass every check, each for several (`grain`).

mod actor;
mod grain;
mod ingest;
mod learner;
mod node;
mod pipe;
mod relay;
mod relayed;
mod size;
mod tally;
#[cfg(test)]
mod tests;
mod training;

use super::costs::roll_out;
use super::{Costs, Prediction, Reward, Scenario};
use crate::config::{Mode, RunConfig};
use crate::flow::{ACTOR_TICK, LEARNER_TICK};
use crate::protocol::ToActor;
use crate::random::{Purpose, Stream};
use crate::rollout::{Trajectory, random_walk};
use crate::task::Task;
use crate::units::PolicyVersion;
use actor::Actor;
use learner::{Arrival, Learner};
use node::{Node, Thread, Time};
use pipe::Pipe;
use relay::{Input, RelayHost};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;
use tally::{Counts, Staleness, Tally};

/// How often simulated actors and relays look at the time. Real ones do so more often ([`ACTOR_TICK`], whose cost is
/// counted), but their state machines have nothing to do for seconds.
const LOOK_EVERY: f64 = 1.0;

/// Seconds of a message within a machine.
const LOOPBACK: f64 = 2e-5;

/// Events after which a simulation ends, however little it has seen.
const MOST_EVENTS: u64 = 60_000_000;

/// Roll-outs of an actor in a window, where there are few actors; rates of fewer are all chance.
const FEW_ROLLS: f64 = 48.0;

/// The same where there are many.
const MANY_ROLLS: f64 = 1.0;

/// Shortest window, seconds.
const SHORTEST_WINDOW: f64 = 2.0;

/// No computation takes exactly as long as another; this much more or less, evenly.
const JITTER: f64 = 0.1;

/// Called now and then with how far it is, 0 to 1.
pub type Progress<'a> = &'a mut dyn FnMut(f64);

/// Plays a run until its rates are known. The scenario must have passed its check.
///
/// # Panics
/// Never with a checked configuration.
pub fn simulate(
    config: &RunConfig,
    task: &Task,
    costs: &Costs,
    scenario: &Scenario,
    progress: Progress<'_>,
) -> Prediction {
    let mut world = World::new(config, task, costs, scenario);
    world.begin();
    while !world.tally.is_steady() && world.events < MOST_EVENTS {
        world.play_window();
        progress(world.tally.progress().max(world.events as f64 / MOST_EVENTS as f64));
    }
    world.prediction()
}

/// What happens at a moment.
enum Event {
    /// A thread of a machine is done, if the machine's epoch is still this one.
    Computed { node: usize, epoch: u64 },
    /// A message reached the learner's end of a connection.
    ToLearner(u64, Box<Arrival>),
    /// A message reached an actor's end of a connection.
    ToActor(u64, Box<ToActor>),
    /// A connection that an actor asked for is there.
    Opened(usize),
    /// An actor or a relay closed its end of a connection with the learner.
    Hangup(u64),
    /// Something reached a relay.
    AtRelay(usize, Box<Input>),
    /// A connection that a relay asked for is there.
    TrunkOpened(usize),
    /// Something of a relay was due then.
    RelayDue(usize, Duration),
    /// A relay looks at the time.
    RelayTick(usize),
    /// The rewards that an actor waited for are there.
    Rewarded(usize),
    /// A commit is on the disk.
    OnDisk,
    /// An actor looks at the time.
    ActorTick(usize),
    /// The learner looks at the time.
    LearnerTick,
    /// A window ends.
    WindowEnd,
}

struct Entry {
    at: Time,
    /// Events of one moment come in the order in which they were foreseen.
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Entry {}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

struct World<'a> {
    /// In which a trajectory stands for `grain`.
    config: RunConfig,
    grain: f64,
    /// What a roll-out takes with its rewards, where nothing is waited for.
    roll: f64,
    costs: &'a Costs,
    scenario: &'a Scenario,
    now: f64,
    future: BinaryHeap<Reverse<Entry>>,
    events: u64,
    foreseen: u64,
    nodes: Vec<Node>,
    actors: Vec<Actor>,
    relays: Vec<RelayHost>,
    learner: Learner,
    up: Pipe,
    down: Pipe,
    /// What every trajectory looks like.
    template: Trajectory,
    rng: Stream,
    counts: Counts,
    staleness: Staleness,
    tally: Tally,
}

impl<'a> World<'a> {
    fn new(config: &RunConfig, task: &Task, costs: &'a Costs, scenario: &'a Scenario) -> Self {
        let roll = roll_seconds(config, costs, scenario);
        let (mut config, grain) = grain::coarse(config);
        // The run does not end, and scoring again is among the measured costs of a message.
        config.train.rounds = u32::MAX.into();
        config.learner.rescore = 0.0;
        let mut rng = Stream::new(scenario.seed, Purpose::Bench, 0, 0);
        let template = template(task, &mut rng);
        let (rate, latency) = match scenario.nodes {
            1 => (f64::INFINITY, LOOPBACK),
            _ => (scenario.gbit * 1e9 / 8.0, scenario.latency),
        };
        let mut world = Self {
            now: 0.0,
            future: BinaryHeap::new(),
            events: 0,
            foreseen: 0,
            nodes: Vec::new(),
            actors: Vec::new(),
            relays: Vec::new(),
            learner: Learner::new(&config, task),
            up: Pipe::new(rate, latency),
            down: Pipe::new(rate, latency),
            template,
            rng,
            counts: Counts::default(),
            staleness: Staleness::new(),
            tally: Tally::new(window(roll, scenario)),
            config,
            grain,
            roll,
            costs,
            scenario,
        };
        world.nodes = (0..scenario.nodes).map(|node| world.node(node)).collect();
        world.actors = (0..scenario.actors).map(|number| world.actor(number)).collect();
        world.relays = (0..scenario.relay_count()).map(|number| world.relay(number)).collect();
        world
    }

    fn node(&self, node: usize) -> Node {
        let actors = (0..self.scenario.actors).filter(|&actor| self.scenario.node_of(actor) == node);
        let relays = (0..self.scenario.relay_count()).filter(|&relay| self.scenario.node_of(relay) == node);
        let looks = (actors.count() + relays.count()) as f64 / ACTOR_TICK.as_secs_f64();
        let mut background = looks * self.costs.actor.tick;
        if node == 0 {
            let looks = self.scenario.actors as f64 * self.costs.learner.tick_each;
            background += looks / LEARNER_TICK.as_secs_f64();
        }
        Node::new(self.scenario.cores, self.costs.speed_when_full, background)
    }

    fn begin(&mut self) {
        self.begin_training();
        self.at(LEARNER_TICK.as_secs_f64(), Event::LearnerTick);
        for number in 0..self.actors.len() {
            // Real ones do not stay in step either.
            let offset = self.rng.uniform(0.0, LOOK_EVERY.max(self.roll));
            self.at(offset, Event::ActorTick(number));
        }
        for number in 0..self.relays.len() {
            let offset = self.rng.uniform(0.0, LOOK_EVERY);
            self.at(offset, Event::RelayTick(number));
        }
        self.at(self.tally.next_end(), Event::WindowEnd);
    }

    fn play_window(&mut self) {
        while let Some(Reverse(Entry { at, event, .. })) = self.future.pop() {
            self.now = at.0;
            self.events += 1;
            let is_end = matches!(event, Event::WindowEnd);
            self.happen(event);
            if is_end {
                return;
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Computed { node, epoch } => self.computed(node, epoch),
            Event::ToLearner(route, what) => self.reached_learner(route, *what),
            Event::ToActor(route, message) => self.reached_actor(route, *message),
            Event::Opened(actor) => self.opened(actor),
            Event::Hangup(route) => self.reached_learner(route, Arrival::End),
            Event::AtRelay(relay, input) => self.at_relay(relay, *input),
            Event::TrunkOpened(relay) => self.trunk_opened(relay),
            Event::RelayDue(relay, due) => self.relay_due(relay, due),
            Event::RelayTick(relay) => {
                self.relay_tick(relay);
                self.at(self.now + LOOK_EVERY, Event::RelayTick(relay));
            }
            Event::Rewarded(actor) => self.rewarded(actor),
            Event::OnDisk => self.on_disk(),
            Event::ActorTick(actor) => {
                self.look(actor);
                self.at(self.now + LOOK_EVERY, Event::ActorTick(actor));
            }
            Event::LearnerTick => {
                self.learner_tick();
                self.at(self.now + LEARNER_TICK.as_secs_f64(), Event::LearnerTick);
            }
            Event::WindowEnd => self.end_window(),
        }
    }

    fn end_window(&mut self) {
        self.counts.up = self.up.bytes;
        self.counts.down = self.down.bytes;
        self.counts.link_used = [self.up.used, self.down.used];
        self.counts.learner_cores = self.nodes[0].used(self.now);
        self.counts.actor_cores = self.nodes[1..].iter_mut().map(|node| node.used(self.now)).sum();
        self.counts.resent = self.grain * self.learner.duplicates() as f64;
        self.note_waiting();
        self.tally
            .end_window(self.counts.clone(), std::mem::take(&mut self.staleness));
        self.at(self.tally.next_end(), Event::WindowEnd);
    }

    fn prediction(&self) -> Prediction {
        let cores = self.scenario.cores as f64;
        let actor_cores = (self.scenario.nodes - 1) as f64 * cores;
        let mut prediction = self.tally.outcome().prediction(actor_cores, cores);
        prediction.is_steady = self.tally.is_steady();
        let bytes = &self.costs.bytes;
        let rows = prediction.trajectories_per_second * bytes.row;
        let report = bytes.report + bytes.report_each * self.scenario.actors as f64;
        prediction.disk_bytes_per_day = 86_400.0 * (rows + prediction.reports_per_second * report);
        prediction
    }

    fn at(&mut self, at: f64, event: Event) {
        self.foreseen += 1;
        let (at, number) = (Time(at), self.foreseen);
        self.future.push(Reverse(Entry { at, number, event }));
    }

    /// A thread computes for about so long. It must not be computing already.
    fn compute(&mut self, node: usize, thread: Thread, seconds: f64) {
        let work = seconds * self.rng.uniform(1.0 - JITTER, 1.0 + JITTER);
        self.nodes[node].start(self.now, thread, work);
        self.expect_end(node);
    }

    fn expect_end(&mut self, node: usize) {
        let epoch = self.nodes[node].epoch;
        if let Some(at) = self.nodes[node].next_end() {
            self.at(at.max(self.now), Event::Computed { node, epoch });
        }
    }

    fn computed(&mut self, node: usize, epoch: u64) {
        if self.nodes[node].epoch != epoch {
            return;
        }
        let thread = self.nodes[node].end(self.now);
        self.expect_end(node);
        match thread {
            Some(Thread::Network) => self.network_done(),
            Some(Thread::Ingest) => self.ingest_done(),
            Some(Thread::Training) => self.training_done(),
            Some(Thread::Publisher) => self.published(),
            Some(Thread::Link(actor)) => self.link_done(actor as usize),
            Some(Thread::Roller(actor)) => self.roller_done(actor as usize),
            Some(Thread::Relay(relay)) => self.relay_done(relay as usize),
            None => {}
        }
    }

    fn clock(&self) -> Duration {
        Duration::from_secs_f64(self.now)
    }
}

/// Long enough for rates to mean something.
fn window(roll: f64, scenario: &Scenario) -> f64 {
    let rolls = (FEW_ROLLS / scenario.actors as f64).max(MANY_ROLLS);
    (rolls * roll).max(SHORTEST_WINDOW)
}

/// What a roll-out takes with its rewards, where nothing is waited for.
fn roll_seconds(config: &RunConfig, costs: &Costs, scenario: &Scenario) -> f64 {
    let objects = roll_out(config) as f64;
    let reward = match scenario.reward {
        Reward::Computed => costs.actor.score,
        Reward::Waited(seconds) => seconds / instances(config),
    };
    costs.actor.roll_fresh + objects * reward
}

/// Objects that one actor waits for at the same time.
fn instances(config: &RunConfig) -> f64 {
    let oracle = config.task.oracle.as_ref();
    oracle.map_or(1.0, |oracle| oracle.instances as f64)
}

/// A trajectory that passes every check but those of its origin, which whoever makes it fills in.
fn template(task: &Task, rng: &mut Stream) -> Trajectory {
    let (actions, _) = random_walk(&*task.env, rng);
    let y = task.reward.y_max as f32;
    Trajectory {
        beta: 1.0,
        actions,
        y,
        log_reward: task.reward.log_reward(y),
        log_pf: -1.0,
        policy_version: PolicyVersion(0),
        round: 0,
        index: 0,
    }
}

/// True in lockstep.
fn is_lockstep(config: &RunConfig) -> bool {
    config.train.mode == Mode::Sync
}
