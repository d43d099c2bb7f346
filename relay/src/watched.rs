//! What Prometheus is shown of a relay. Which relay it is, the scraper knows.

use prometheus_client::registry::Registry;
use thermoflow::protocol::relay::Relay;
use thermoflow::protocol::secure::Rejected;
use thermoflow_watch::metrics::{self, Counter, Counters, Gauge, Links, Queues, counter, gauge};

/// A registry that knows the program.
pub(crate) fn registry() -> Registry {
    metrics::registry("thermoflow-relay", env!("CARGO_PKG_VERSION"))
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Watched {
    actors: Gauge,
    connected: Gauge,
    kept: Gauge,
    waiting: Gauge,
    stuck: Counter,
    rejected: Counters,
    /// With the learner.
    pub trunk: Links,
    /// With actors.
    pub links: Links,
    pub queues: Queues,
}

impl Watched {
    /// Registers everything that a relay counts.
    pub fn new(registry: &mut Registry) -> Self {
        let links = Links::new(registry, "link");
        let queues = Queues::new(registry);
        let rejected = metrics::counters(
            registry,
            "rejected",
            "Connections and messages that were not taken, by reason",
        );
        let r = registry.sub_registry_with_prefix("relay");
        Self {
            actors: gauge(r, "actors", None, "Actors that are connected to this relay"),
            connected: gauge(
                r,
                "connected",
                None,
                "Whether there is a connection to the learner, 1 or 0",
            ),
            kept: gauge(
                r,
                "kept_bytes",
                None,
                "Size of the weights and welcomes that are kept for actors",
            ),
            waiting: gauge(
                r,
                "waiting_bytes",
                None,
                "Size of what actors said that waits for the learner",
            ),
            stuck: counter(
                r,
                "actors_stuck",
                None,
                "Actors that were cut off because they did not read",
            ),
            rejected,
            trunk: Links::new(r, "trunk"),
            links,
            queues,
        }
    }

    /// An actor did not read.
    pub fn stuck(&self) {
        self.stuck.inc();
    }

    /// Takes over what others know.
    pub fn set(&self, relay: &Relay, connected: bool, rejected: &Rejected) {
        self.actors.set(relay.actors() as f64);
        self.connected.set(f64::from(u8::from(connected)));
        self.kept.set(relay.kept() as f64);
        self.waiting.set(relay.waiting() as f64);
        metrics::set_each(&self.rejected, "reason", rejected, &[]);
    }
}
