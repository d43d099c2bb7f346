//! What an actor may send to a learner that let it in.

use super::links::messages;
use crate::config::Mode;
use crate::protocol::example::{example_config, example_fleet, example_hello, example_task};
use crate::protocol::relay::Relays;
use crate::protocol::{
    Commit, Fleet, FleetAction, FleetEvent, Hello, Route, ToActor, ToLearner, decode_to_learner, encode,
};
use crate::task::Task;
use crate::units::{Incarnation, PolicyVersion, Seq};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Time between two messages.
const STEP: Duration = Duration::from_millis(700);

/// The mode (first byte: odd is sync), then messages to a learner with one actor. Whatever they are, an acknowledgement
/// is for what was committed.
pub fn to_learner(bytes: &[u8]) {
    let Some((mode, bytes)) = bytes.split_first() else {
        return;
    };
    let mut learner = Learner::new(if mode & 1 == 1 { Mode::Sync } else { Mode::Async });
    let route = Route([1].as_slice().into());
    learner.handle(FleetEvent::Received(route.clone(), ToLearner::Hello(example_hello())));
    for message in messages(bytes) {
        learner.hear(&route, message);
        learner.now += STEP;
        learner.handle(FleetEvent::Tick);
    }
    learner.fleet.report(learner.now);
}

/// A learner whose disk commits at once.
pub(super) struct Learner {
    pub fleet: Fleet,
    pub relays: Relays,
    pub now: Duration,
    committed: HashMap<Incarnation, Seq>,
}

impl Learner {
    pub fn new(mode: Mode) -> Self {
        static TASK: OnceLock<Task> = OnceLock::new();
        let settings = example_fleet(example_config(mode));
        let mut learner = Self {
            fleet: Fleet::new(settings, TASK.get_or_init(example_task)),
            relays: Relays::default(),
            now: Duration::ZERO,
            committed: HashMap::new(),
        };
        learner.handle(FleetEvent::Published(PolicyVersion(0)));
        learner.handle(FleetEvent::RoundStarted(0));
        learner
    }

    pub fn hear(&mut self, route: &Route, message: &[u8]) {
        let message = decode_to_learner(message);
        if let Ok(ToLearner::Hello(Hello {
            incarnation, oldest, ..
        })) = message
        {
            // What is older was acknowledged in an earlier life of the learner.
            self.committed.entry(incarnation).or_insert(oldest);
        }
        self.handle(match message {
            Ok(message) => FleetEvent::Received(route.clone(), message),
            Err(error) => FleetEvent::Malformed(route.clone(), error),
        });
    }

    /// One event, and what it leads to.
    pub fn handle(&mut self, event: FleetEvent) {
        let mut out = Vec::new();
        self.fleet.handle(self.now, event, &mut out);
        for action in out {
            match action {
                FleetAction::Commit(commit) => self.commit(commit),
                FleetAction::Send(route, message) => self.say(&route, &message),
                FleetAction::RoundComplete(round, _) => {
                    self.handle(FleetEvent::Published(PolicyVersion(round + 1)));
                    self.handle(FleetEvent::RoundStarted(round + 1));
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, route: &Route, message: &ToActor) {
        if let ToActor::Ack { next, .. } = message {
            let newest = self.committed.values().max().copied().unwrap_or_default();
            assert!(*next <= newest, "{next} is acknowledged, {newest} is committed");
        }
        self.relays.post(route, &Arc::new(encode(message)));
        if matches!(message, ToActor::Refused { .. }) && self.relays.close(route) {
            self.handle(FleetEvent::Disconnected(route.clone()));
        }
    }

    fn commit(&mut self, commit: Commit) {
        let Commit {
            incarnation,
            rows,
            next,
            ..
        } = commit;
        let first = self.committed.get(&incarnation).copied().unwrap_or_default();
        let mut numbers = rows.iter().map(|(seq, _)| *seq);
        assert!(
            numbers.all(|seq| first <= seq && seq < next),
            "committed twice, or beyond {next}"
        );
        self.committed.insert(incarnation, next);
        self.handle(FleetEvent::Committed { incarnation, next });
    }
}
