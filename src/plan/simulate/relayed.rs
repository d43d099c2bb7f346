//! What the simulated learner does about relays, as the program does: their bundles are taken message by message, and what
//! their actors are told is collected.

use super::World;
use super::learner::{Outgoing, name, number, weights};
use super::relay::{is_trunk, padded};
use crate::protocol::relay::{BUSY, Relays};
use crate::protocol::{Route, ToActor};
use crate::units::PolicyVersion;
use std::collections::HashMap;
use std::sync::Arc;

/// See the module.
#[derive(Default)]
pub(super) struct Relayed {
    pub relays: Relays,
    /// The newest weights as bytes, once for all relays.
    newest: Arc<Vec<u8>>,
    /// Messages to each relay that have not reached it.
    waiting: HashMap<u64, usize>,
}

impl Relayed {
    /// A connection ended: who was behind it, if it was a relay's.
    pub fn lose(&mut self, route: u64) -> Vec<Route> {
        self.waiting.remove(&route);
        self.relays.lose(&name(route))
    }
}

impl super::learner::Learner {
    /// A message reached its relay.
    pub fn written(&mut self, trunk: u64) {
        if let Some(waiting) = self.relayed.waiting.get_mut(&trunk) {
            *waiting -= 1;
        }
    }
}

impl World<'_> {
    /// Makes the message with which relays are sent new weights.
    pub(super) fn keep_for_relays(&mut self, version: PolicyVersion) {
        if self.scenario.relays {
            let message = weights(version);
            self.learner.relayed.newest = Arc::new(padded(&message, self.size_down(&message)));
        }
    }

    /// Takes a message for an actor behind a relay.
    pub(super) fn post(&mut self, route: &Route, message: &ToActor) {
        let bytes = Arc::new(padded(message, self.size_down(message)));
        self.learner.relayed.relays.post(route, &bytes);
    }

    /// Takes the newest weights for an actor behind a relay, unless so much waits for that relay that they would be old.
    pub(super) fn post_weights(&mut self, route: &Route) {
        let relayed = &mut self.learner.relayed;
        let trunk = relayed.relays.trunk(route).and_then(number);
        let waiting = trunk.and_then(|trunk| relayed.waiting.get(&trunk).copied());
        if waiting.unwrap_or_default() < BUSY {
            relayed.relays.post(route, &relayed.newest);
        }
    }

    /// Sends what is collected for relays.
    pub(super) fn collect_for_relays(&mut self) {
        for (route, bytes) in self.learner.relayed.relays.outgoing() {
            let trunk = number(&route).filter(|&route| is_trunk(route));
            if let Some(trunk) = trunk {
                *self.learner.relayed.waiting.entry(trunk).or_default() += 1;
                self.learner.sends.push_back(Outgoing::ToRelay(trunk, bytes));
            }
        }
    }
}
