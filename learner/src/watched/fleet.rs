//! What is known of the actors as numbers for Prometheus.

use prometheus_client::registry::Registry;
use std::collections::HashMap;
use thermoflow::protocol::{FleetReport, PeerReport};
use thermoflow::task::oracle::OracleHealth;
use thermoflow::units::Incarnation;
use thermoflow_watch::metrics::{self, Counter, Counters, Gauge, Gauges, counter, counters, gauge, gauges};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct FleetNumbers {
    actors: Gauges,
    outboxes: Gauge,
    lost: Counter,
    returned: Counter,
    faults: Counters,
    rejected: Counters,
    oracles: OracleNumbers,
}

/// What the oracles of all actors were asked, in this life of the learner.
#[derive(Debug, Clone)]
struct OracleNumbers {
    calls: Counter,
    failures: Counter,
    timeouts: Counter,
    restarts: Counter,
    /// What each actor had said before; what it says counts from its own start.
    before: HashMap<Incarnation, OracleHealth>,
}

impl FleetNumbers {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            actors: gauges(r, "actors", "Actors remembered, by how they are"),
            outboxes: gauge(
                r,
                "actor_outboxes_trajectories",
                None,
                "Trajectories that the actors present keep until they are acknowledged",
            ),
            lost: counter(
                r,
                "actors_lost",
                None,
                "Times that an actor fell silent, broke off or said goodbye",
            ),
            returned: counter(r, "actors_returned", None, "Times that a lost actor came back"),
            faults: counters(
                r,
                "fleet_faults",
                "What went wrong with actors and their messages, by kind",
            ),
            rejected: counters(r, "rejected", "Connections and messages that were not taken, by reason"),
            oracles: OracleNumbers::new(r),
        }
    }

    /// Takes over a report.
    pub fn set(&mut self, report: &FleetReport) {
        let count = |case: fn(&PeerReport) -> bool| report.actors.iter().filter(|peer| case(peer)).count();
        let states = [
            ("present", count(|peer| peer.present && !peer.quarantined)),
            ("absent", count(|peer| !peer.present && !peer.quarantined)),
            ("quarantined", count(|peer| peer.quarantined)),
        ];
        for (state, actors) in states {
            self.actors.get_or_create(&[("state", state.into())]).set(actors as f64);
        }
        let present = report.actors.iter().filter(|peer| peer.present);
        self.outboxes.set(present.map(|peer| peer.status.outbox as f64).sum());
        metrics::set(&self.lost, report.counters.dropped);
        metrics::set(&self.returned, report.counters.returned);
        // These two have names of their own.
        metrics::set_each(&self.faults, "kind", &report.counters, &["dropped", "returned"]);
        metrics::set_each(&self.rejected, "reason", &report.rejected, &[]);
        self.oracles.add(&report.actors);
    }
}

impl OracleNumbers {
    fn new(r: &mut Registry) -> Self {
        Self {
            calls: counter(r, "oracle_calls", None, "Objects that oracles of actors were asked for"),
            failures: counter(r, "oracle_failures", None, "Objects that got no score from an oracle"),
            timeouts: counter(
                r,
                "oracle_timeouts",
                None,
                "Requests to oracles without an answer in time",
            ),
            restarts: counter(r, "oracle_restarts", None, "Oracle programs that were started again"),
            before: HashMap::new(),
        }
    }

    /// Adds what is new since the last report, so that an actor that is forgotten takes nothing along.
    fn add(&mut self, peers: &[PeerReport]) {
        for peer in peers {
            let now = peer.status.oracle;
            let before = self.before.get(&peer.incarnation).copied().unwrap_or_default();
            self.calls.inc_by(now.calls.saturating_sub(before.calls));
            self.failures.inc_by(now.failed.saturating_sub(before.failed));
            self.timeouts.inc_by(now.timeouts.saturating_sub(before.timeouts));
            self.restarts.inc_by(now.restarts.saturating_sub(before.restarts));
        }
        self.before = peers
            .iter()
            .map(|peer| (peer.incarnation, peer.status.oracle))
            .collect();
    }
}
