//! A simulated relay: its state machine, and a task that takes one thing at a time and writes what came of it.
//!
//! What passes are the real bytes of messages, padded to the sizes that were measured; so bundles are cut, counted back and
//! held up, and weights are kept, as in a run.

use super::actor::{CONNECTIONS, NEVER};
use super::learner::Arrival;
use super::node::Thread;
use super::{Event, LOOPBACK, World};
use crate::protocol::relay::{Action, Branch, Event as RelayEvent, FromRelay, Relay, RelayHello, decode_to_relay};
use crate::protocol::{MAX_TO_LEARNER, decode_to_actor, encode};
use crate::random::{Purpose, Stream};
use crate::units::Incarnation;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Connections of relays with the learner are numbered from here on, those of actors before.
const TRUNKS: u64 = 1 << 63;

/// True for a relay's connection with the learner.
pub(super) fn is_trunk(route: u64) -> bool {
    route >= TRUNKS
}

/// The relay of a connection with the learner.
pub(super) fn relay_of(trunk: u64) -> usize {
    ((trunk - TRUNKS) / CONNECTIONS) as usize
}

/// What a relay's task has to take. Connections are numbers.
pub(super) enum Input {
    /// The connection to the learner that it asked for is there.
    Connected,
    /// The learner sent this on a connection.
    Received(u64, Arc<Vec<u8>>),
    /// An actor connected.
    Opened(u64, Incarnation),
    /// An actor sent this.
    Said(u64, Vec<u8>),
    /// An actor closed its connection.
    Closed(u64),
}

/// What it has to write.
enum Output {
    /// On which connection, and how many bytes it is.
    ToLearner(u64, FromRelay, f64),
    ToActor(u64, Arc<Vec<u8>>),
}

/// What it is at.
enum Job {
    Take(Input),
    /// Everything that there is to write.
    Write(Vec<Output>),
}

pub(super) struct RelayHost {
    relay: Relay,
    node: usize,
    /// The connection with the learner that is open.
    trunk: Option<u64>,
    /// Connections with the learner so far.
    connections: u64,
    from_learner: VecDeque<Input>,
    /// Taken while the relay has room.
    from_actors: VecDeque<Input>,
    outputs: Vec<Output>,
    job: Option<Job>,
    /// When something is due for the learner, as far as that is foreseen.
    wakes_at: Option<Duration>,
}

/// A message as bytes, with zeros behind it up to a size that is not larger than a learner takes. Whoever decodes it stops
/// before them.
pub(super) fn padded<T: Serialize>(message: &T, size: f64) -> Vec<u8> {
    let mut bytes = encode(message);
    let size = (size as usize).min(MAX_TO_LEARNER);
    bytes.resize(size.max(bytes.len()), 0);
    bytes
}

impl World<'_> {
    pub(super) fn relay(&self, number: usize) -> RelayHost {
        let hello = RelayHello {
            host: "plan".into(),
            process: number as u32,
        };
        let jitter = Stream::new(self.scenario.seed, Purpose::Bench, 2, number as u64);
        RelayHost {
            relay: Relay::new(hello, NEVER, jitter, Duration::ZERO),
            // Where the first of its actors is.
            node: self.scenario.node_of(number),
            trunk: None,
            connections: 0,
            from_learner: VecDeque::new(),
            from_actors: VecDeque::new(),
            outputs: Vec::new(),
            job: None,
            wakes_at: None,
        }
    }

    /// Something reached a relay's machine.
    pub(super) fn at_relay(&mut self, number: usize, input: Input) {
        let host = &mut self.relays[number];
        match input {
            Input::Received(trunk, _) => {
                self.learner.written(trunk);
                if host.trunk == Some(trunk) {
                    host.from_learner.push_back(input);
                }
            }
            Input::Connected => host.from_learner.push_back(input),
            Input::Opened(..) | Input::Said(..) | Input::Closed(_) => host.from_actors.push_back(input),
        }
        self.run_relay(number);
    }

    /// A connection to the learner that a relay asked for is there.
    pub(super) fn trunk_opened(&mut self, number: usize) {
        let host = &mut self.relays[number];
        host.trunk = Some(TRUNKS + number as u64 * CONNECTIONS + host.connections);
        host.connections += 1;
        self.at_relay(number, Input::Connected);
    }

    /// A relay looks at the time.
    pub(super) fn relay_tick(&mut self, number: usize) {
        self.relay_event(number, RelayEvent::Tick);
    }

    /// What was due then is sent, if nothing else was due before.
    pub(super) fn relay_due(&mut self, number: usize, due: Duration) {
        if self.relays[number].wakes_at == Some(due) {
            self.relays[number].wakes_at = None;
            self.send_due(number);
        }
    }

    /// The task goes on: what it has to write, then what the learner says, which makes room, then what actors say.
    fn run_relay(&mut self, number: usize) {
        let host = &mut self.relays[number];
        if host.job.is_some() {
            return;
        }
        let job = if !host.outputs.is_empty() {
            Job::Write(std::mem::take(&mut host.outputs))
        } else if let Some(input) = host.from_learner.pop_front() {
            Job::Take(input)
        } else if host.relay.has_room()
            && let Some(input) = host.from_actors.pop_front()
        {
            Job::Take(input)
        } else {
            return;
        };
        let node = host.node;
        let seconds = match &job {
            Job::Take(Input::Received(_, bytes)) => self.end_cost(self.sealed(bytes.len() as f64)),
            Job::Take(Input::Said(_, bytes)) => self.end_cost(self.sealed(bytes.len() as f64)),
            Job::Take(_) => self.costs.link.message,
            Job::Write(outputs) => outputs
                .iter()
                .map(|output| self.end_cost(self.output_bytes(output)))
                .sum(),
        };
        self.relays[number].job = Some(job);
        self.compute(node, Thread::Relay(number as u32), seconds);
    }

    fn output_bytes(&self, output: &Output) -> f64 {
        self.sealed(match output {
            Output::ToLearner(_, _, bytes) => *bytes,
            Output::ToActor(_, bytes) => bytes.len() as f64,
        })
    }

    pub(super) fn relay_done(&mut self, number: usize) {
        match self.relays[number].job.take() {
            Some(Job::Take(input)) => {
                let event = match input {
                    Input::Connected => RelayEvent::Connected,
                    Input::Received(_, bytes) => {
                        let message = decode_to_relay(&bytes).expect("the learner's end encoded it");
                        RelayEvent::Received(message)
                    }
                    Input::Opened(route, incarnation) => {
                        let incarnation = self.scenario.sealed.then_some(incarnation);
                        RelayEvent::Opened(Branch(route), incarnation)
                    }
                    Input::Said(route, bytes) => RelayEvent::Said(Branch(route), bytes),
                    Input::Closed(route) => RelayEvent::Closed(Branch(route)),
                };
                self.relay_event(number, event);
            }
            Some(Job::Write(outputs)) => outputs.into_iter().for_each(|output| self.write(number, output)),
            None => {}
        }
        self.run_relay(number);
    }

    fn write(&mut self, number: usize, output: Output) {
        let bytes = self.output_bytes(&output);
        match output {
            // What was to be sent on a connection that is given up is lost.
            Output::ToLearner(trunk, message, _) if self.relays[number].trunk == Some(trunk) => {
                let arrives = self.up.send(self.now, bytes);
                let arrival = Arrival::Bundle(message, bytes);
                self.at(arrives, Event::ToLearner(trunk, Box::new(arrival)));
            }
            Output::ToLearner(..) => {}
            Output::ToActor(route, bytes) => {
                let message = decode_to_actor(&bytes).expect("the learner's end encoded it");
                self.at(self.now + LOOPBACK, Event::ToActor(route, Box::new(message)));
            }
        }
    }

    fn relay_event(&mut self, number: usize, event: RelayEvent) {
        let mut actions = Vec::new();
        let now = self.clock();
        self.relays[number].relay.handle(now, event, &mut actions);
        for action in actions {
            match action {
                Action::Connect => self.connect_relay(number),
                Action::Give(Branch(route), bytes) => {
                    self.relays[number].outputs.push(Output::ToActor(route, bytes));
                }
                // There are not too many actors, all say who they are, and the learner never ends.
                Action::Close(..) | Action::Exit(_) => debug_assert!(false, "{action:?}"),
            }
        }
        self.send_due(number);
    }

    fn connect_relay(&mut self, number: usize) {
        if let Some(trunk) = self.relays[number].trunk.take() {
            let arrives = self.up.send(self.now, 0.0);
            self.at(arrives, Event::Hangup(trunk));
        }
        let arrives = self.down.send(self.now, 0.0);
        self.at(arrives, Event::TrunkOpened(number));
    }

    fn send_due(&mut self, number: usize) {
        let now = self.clock();
        let host = &mut self.relays[number];
        while let Some(message) = host.relay.next(now) {
            let bytes = message.encode().len() as f64;
            let output = host.trunk.map(|trunk| Output::ToLearner(trunk, message, bytes));
            host.outputs.extend(output);
        }
        let due = host.relay.due().filter(|due| host.wakes_at.is_none_or(|at| *due < at));
        if let Some(due) = due {
            host.wakes_at = Some(due);
            // So much later that rounding does not make it too early.
            let at = due.as_secs_f64().max(self.now) + 1e-9;
            self.at(at, Event::RelayDue(number, due));
        }
        self.run_relay(number);
    }
}
