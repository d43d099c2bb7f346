//! A simulated actor: its session, a network task that sends and takes one message at a time, and a roller.

use super::learner::Arrival;
use super::node::Thread;
use super::relay::{Input as AtRelay, padded};
use super::tally::Doing;
use super::{Event, LOOPBACK, World, instances};
use crate::protocol::{ActorAction, ActorEvent, ActorSession, Hello, ToActor, ToLearner};
use crate::random::{Purpose, Stream};
use crate::rollout::{RollRequest, Trajectory};
use crate::task::oracle::OracleHealth;
use crate::units::{Incarnation, PolicyVersion, Seq};
use std::collections::VecDeque;
use std::time::Duration;

/// How long actors and relays look for a learner: for ever.
pub(super) const NEVER: Duration = Duration::from_secs(1 << 40);

/// What an actor's network task has to take.
enum Input {
    Connected,
    Received(ToActor),
    Rolled(Vec<Trajectory>),
}

/// What it is at.
enum LinkJob {
    Send(Option<u64>, ToLearner),
    Take(Input),
}

/// What the roller has to do.
enum Command {
    Load(PolicyVersion),
    Roll(RollRequest),
}

pub(super) struct Actor {
    session: ActorSession,
    node: usize,
    /// The connection that is open.
    route: Option<u64>,
    /// Connections so far.
    pub connections: u64,
    inputs: VecDeque<Input>,
    outputs: VecDeque<ToLearner>,
    link: Option<LinkJob>,
    commands: VecDeque<Command>,
    rolling: Option<Command>,
    /// Waits for rewards.
    scoring: bool,
    version: PolicyVersion,
    /// Nothing was rolled out with the weights in use.
    is_fresh: bool,
}

/// Connections of one actor have neighbouring numbers.
pub(super) const CONNECTIONS: u64 = 1 << 32;

/// The actor of a connection.
pub(super) fn actor_of(route: u64) -> usize {
    (route / CONNECTIONS) as usize
}

impl World<'_> {
    pub(super) fn actor(&self, number: usize) -> Actor {
        let [name, host, device] = [format!("actor-{number}"), "plan".into(), String::new()];
        let hello = Hello {
            incarnation: Incarnation(number as u64),
            oldest: Seq(0),
            name,
            host,
            process: 0,
            device,
        };
        let jitter = Stream::new(self.scenario.seed, Purpose::Bench, 1, number as u64);
        Actor {
            session: ActorSession::new(hello, None, NEVER, jitter, Duration::ZERO),
            node: self.scenario.node_of(number),
            route: None,
            connections: 0,
            inputs: VecDeque::new(),
            outputs: VecDeque::new(),
            link: None,
            commands: VecDeque::new(),
            rolling: None,
            scoring: false,
            version: PolicyVersion(0),
            is_fresh: false,
        }
    }

    /// Looks at the time, and is looked at.
    pub(super) fn look(&mut self, number: usize) {
        let actor = &self.actors[number];
        let doing = match &actor.rolling {
            Some(_) if actor.scoring => Doing::Scoring,
            Some(_) => Doing::Rolling,
            None => Doing::from(actor.session.status().waiting),
        };
        self.counts.looks += 1.0;
        self.counts.doing[doing as usize] += 1.0;
        self.session_event(number, ActorEvent::Tick);
    }

    pub(super) fn opened(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        let route = number as u64 * CONNECTIONS + actor.connections;
        actor.route = Some(route);
        actor.connections += 1;
        if let Some(relay) = self.scenario.relay_of(number) {
            self.at_relay(relay, AtRelay::Opened(route, Incarnation(number as u64)));
        }
        self.input(number, Input::Connected);
    }

    pub(super) fn reached_actor(&mut self, route: u64, message: ToActor) {
        let number = actor_of(route);
        if self.actors[number].route == Some(route) {
            self.input(number, Input::Received(message));
        }
    }

    fn input(&mut self, number: usize, input: Input) {
        self.actors[number].inputs.push_back(input);
        self.run_link(number);
    }

    /// The network task goes on: what it has to send comes before what it has to take.
    fn run_link(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        if actor.link.is_some() {
            return;
        }
        let job = match actor.outputs.pop_front() {
            Some(message) => LinkJob::Send(actor.route, message),
            None => match actor.inputs.pop_front() {
                Some(input) => LinkJob::Take(input),
                None => return,
            },
        };
        let node = actor.node;
        let seconds = match &job {
            LinkJob::Send(_, message) => {
                let bytes = self.sealed(self.size_up(message));
                self.end_cost(bytes) + self.rows(message) * self.costs.actor.encode
            }
            LinkJob::Take(Input::Received(message)) => self.end_cost(self.sealed(self.size_down(message))),
            LinkJob::Take(_) => self.costs.link.message,
        };
        self.actors[number].link = Some(job);
        self.compute(node, Thread::Link(number as u32), seconds);
    }

    pub(super) fn link_done(&mut self, number: usize) {
        match self.actors[number].link.take() {
            Some(LinkJob::Send(route, message)) => {
                // What was sent on a connection that is given up is lost.
                if let Some(route) = route.filter(|_| route == self.actors[number].route) {
                    self.send_up(number, route, message);
                }
            }
            Some(LinkJob::Take(input)) => {
                let event = match input {
                    Input::Connected => ActorEvent::Connected,
                    Input::Received(message) => ActorEvent::Received(message),
                    Input::Rolled(batch) => ActorEvent::Rolled(batch, OracleHealth::default()),
                };
                self.session_event(number, event);
            }
            None => {}
        }
        self.run_link(number);
    }

    /// To the learner, or to the relay on the actor's machine.
    fn send_up(&mut self, number: usize, route: u64, message: ToLearner) {
        let size = self.size_up(&message);
        if let Some(relay) = self.scenario.relay_of(number) {
            let said = AtRelay::Said(route, padded(&message, size));
            return self.at(self.now + LOOPBACK, Event::AtRelay(relay, Box::new(said)));
        }
        let arrives = self.up.send(self.now, self.sealed(size));
        self.at(arrives, Event::ToLearner(route, Box::new(Arrival::Message(message))));
    }

    /// Its connection is closed, and it asks for another.
    fn connect(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        actor.outputs.clear();
        let before = actor.route.take();
        if let Some(relay) = self.scenario.relay_of(number) {
            let arrives = self.now + LOOPBACK;
            if let Some(route) = before {
                self.at(arrives, Event::AtRelay(relay, Box::new(AtRelay::Closed(route))));
            }
            return self.at(arrives, Event::Opened(number));
        }
        if let Some(route) = before {
            // After all that was sent on it.
            let arrives = self.up.send(self.now, 0.0);
            self.at(arrives, Event::Hangup(route));
        }
        let arrives = self.down.send(self.now, 0.0);
        self.at(arrives, Event::Opened(number));
    }

    fn session_event(&mut self, number: usize, event: ActorEvent) {
        let mut actions = Vec::new();
        let now = self.clock();
        self.actors[number].session.handle(now, event, &mut actions);
        for action in actions {
            self.act(number, action);
        }
        self.run_link(number);
    }

    fn act(&mut self, number: usize, action: ActorAction) {
        let actor = &mut self.actors[number];
        match action {
            ActorAction::Connect => self.connect(number),
            ActorAction::Send(message) => actor.outputs.push_back(message),
            ActorAction::Configure { .. } => {}
            ActorAction::Load { version, .. } => {
                actor.commands.push_back(Command::Load(version));
                self.run_roller(number);
            }
            ActorAction::Roll(request) => {
                actor.commands.push_back(Command::Roll(request));
                self.run_roller(number);
            }
            // The learner never ends and refuses nobody whose numbers are checked.
            ActorAction::Exit(exit) => debug_assert!(false, "an actor left: {exit:?}"),
        }
    }

    fn run_roller(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        if actor.rolling.is_some() {
            return;
        }
        let Some(command) = actor.commands.pop_front() else {
            return;
        };
        let costs = &self.costs.actor;
        let seconds = match &command {
            Command::Load(_) => costs.load,
            Command::Roll(request) => {
                let roll = if actor.is_fresh {
                    costs.roll_fresh
                } else {
                    costs.roll_again
                };
                let (_, computed) = self.scenario.reward_of(number, costs.score);
                let objects = self.grain * request.indices.len() as f64;
                roll * objects / self.costs.measured_for.actor_batch as f64 + objects * computed
            }
        };
        let node = actor.node;
        actor.rolling = Some(command);
        self.compute(node, Thread::Roller(number as u32), seconds);
    }

    pub(super) fn roller_done(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        match &actor.rolling {
            Some(Command::Roll(request)) => {
                let (waited, _) = self.scenario.reward_of(number, 0.0);
                let seconds = waited * self.grain * request.indices.len() as f64 / instances(&self.config);
                actor.is_fresh = false;
                if seconds == 0.0 {
                    return self.rewarded(number);
                }
                actor.scoring = true;
                self.at(self.now + seconds, Event::Rewarded(number));
            }
            Some(Command::Load(version)) => {
                let version = *version;
                (actor.version, actor.is_fresh) = (version, true);
                actor.rolling = None;
                self.run_roller(number);
            }
            None => {}
        }
    }

    pub(super) fn rewarded(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        actor.scoring = false;
        let Some(Command::Roll(request)) = actor.rolling.take() else {
            return;
        };
        let policy_version = actor.version;
        let objects = self.grain * request.indices.len() as f64;
        self.counts.scored += objects;
        self.counts.rolled += objects;
        let template = &self.template;
        let batch = request.indices.map(|index| Trajectory {
            policy_version,
            round: request.round,
            index,
            ..template.clone()
        });
        let batch = batch.collect();
        self.input(number, Input::Rolled(batch));
        self.run_roller(number);
    }
}
