//! Actors behind relays: what relays bring is read like what actors bring themselves, and what such actors are sent is
//! collected for their relays.

use super::{Connection, Network};
use crate::router::{Debt, Incoming, Outgoing, Router};
use std::collections::HashMap;
use std::sync::Arc;
use thermoflow::protocol::relay::{BUSY, FromRelay, Heard, Relays, decode_from_relay};
use thermoflow::protocol::{FleetEvent, Route};
use tracing::{info, warn};

/// See the module.
#[derive(Default)]
pub(super) struct Relayed {
    pub relays: Relays,
    /// The version that each actor behind a relay was last sent.
    held: HashMap<Route, Option<u64>>,
}

impl Relayed {
    /// The next thing that happens: what a relay brought is taken message by message before anything new.
    pub async fn next(&mut self, router: &mut Router) -> Incoming {
        match self.relays.take() {
            Some(Heard::Message(route, bytes)) => Incoming::Message(route, bytes),
            Some(Heard::Gone(route)) => Incoming::Closed(route),
            None => router.next().await,
        }
    }
}

impl Network {
    /// A message of a relay itself.
    pub(super) fn hear_relay(&mut self, route: Route, bytes: &[u8]) {
        let message = match decode_from_relay(bytes) {
            Ok(message) => message,
            Err(error) => return self.malformed(route, error),
        };
        if let FromRelay::Hello { host, process } = &message {
            info!(host, process, "a relay is connected");
        }
        if let Err(foul) = self.relayed.relays.hear(&route, message) {
            warn!(%foul, "the connection of a relay is closed");
            self.close(route);
        }
    }

    /// Forgets a connection, and the actors behind it if it was a relay's.
    pub(super) fn lose_relay(&mut self, route: &Route) {
        self.relayed.held.remove(route);
        for actor in self.relayed.relays.lose(route) {
            self.relayed.held.remove(&actor);
            self.handle(FleetEvent::Disconnected(actor));
        }
    }

    /// Takes a message for an actor that has no connection of its own; it is dropped where it is not behind a relay either.
    pub(super) fn post(&mut self, route: &Route, message: Vec<u8>) {
        self.relayed.relays.post(route, &Arc::new(message));
    }

    /// Takes the newest weights for an actor that is behind a relay, once for all that are.
    pub(super) fn post_weights(&mut self, route: &Route) {
        let Some(trunk) = self.relayed.relays.trunk(route) else {
            return;
        };
        let waiting = |Connection { outgoing, .. }: &Connection| outgoing.max_capacity() - outgoing.capacity();
        if self.connections.get(trunk).is_none_or(|trunk| waiting(trunk) >= BUSY) {
            return;
        }
        let held = self.relayed.held.entry(route.clone()).or_default();
        if let Some(weights) = Debt::new(self.newest.clone()).pay(held) {
            self.relayed.relays.post(route, &weights);
        }
    }

    /// Sends what is collected for relays.
    pub(super) fn send_to_relays(&mut self) {
        loop {
            let outgoing = self.relayed.relays.outgoing();
            if outgoing.is_empty() {
                return;
            }
            let mut stuck = Vec::new();
            for (route, message) in outgoing {
                self.send(&route, Outgoing::Shared(message), &mut stuck);
            }
            stuck.into_iter().for_each(|route| self.close(route));
        }
    }
}
