//! What Prometheus is shown of an actor: what its session knows anyway. Which actor it is, the scraper knows.

use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::path::Path;
use thermoflow::config::RunConfig;
use thermoflow::protocol::{ActorSession, Waiting, window};
use thermoflow_watch::metrics::{self, Counter, Disk, Gauge, Gauges, counter, gauge};

/// A registry that knows the program, and looks at the disk of the outbox if there is one.
pub(crate) fn registry(outbox: Option<&Path>) -> Registry {
    let mut registry = metrics::registry("thermoflow-actor", env!("CARGO_PKG_VERSION"));
    if let Some(outbox) = outbox {
        Disk::register(&mut registry, "actor_outbox_directory", outbox.to_path_buf());
    }
    registry
}

type Facts = [(&'static str, String); 2];

/// See the module.
#[derive(Debug)]
pub(crate) struct Watched {
    run: Family<Facts, Gauge>,
    rolled: Counter,
    acknowledged: Counter,
    outbox: Gauge,
    outbox_capacity: Gauge,
    policy_version: Gauge,
    connected: Gauge,
    waiting: Gauges,
    oracle_calls: Counter,
    oracle_cached: Counter,
    oracle_failures: Counter,
    oracle_timeouts: Counter,
    oracle_restarts: Counter,
}

/// The values of the label `for`.
const WAITING: [&str; 4] = ["nothing", "weights", "work", "acks"];

impl Watched {
    /// Registers everything that an actor counts.
    pub fn new(registry: &mut Registry) -> Self {
        let r = registry.sub_registry_with_prefix("actor");
        let run = Family::default();
        r.register("run_info", "The run that it works for, always 1", run.clone());
        Self {
            run,
            rolled: counter(r, "trajectories_rolled", None, "Trajectories rolled out and scored"),
            acknowledged: counter(
                r,
                "trajectories_acknowledged",
                None,
                "Trajectories that the learner has committed",
            ),
            outbox: gauge(
                r,
                "outbox_trajectories",
                None,
                "Trajectories that are kept until they are acknowledged",
            ),
            outbox_capacity: gauge(
                r,
                "outbox_capacity_trajectories",
                None,
                "Trajectories that may wait to be acknowledged; rolling out pauses when as many do",
            ),
            policy_version: gauge(
                r,
                "policy_version",
                None,
                "Version of the weights that it rolls out with",
            ),
            connected: gauge(
                r,
                "connected",
                None,
                "Whether there is a connection to the learner, 1 or 0",
            ),
            waiting: metrics::gauges(r, "waiting_for", "What it waits for, 1 for the one that holds"),
            oracle_calls: counter(r, "oracle_calls", None, "Objects that the oracle was asked for"),
            oracle_cached: counter(
                r,
                "oracle_cached",
                None,
                "Objects that the oracle had been asked for before",
            ),
            oracle_failures: counter(r, "oracle_failures", None, "Objects that got no score from the oracle"),
            oracle_timeouts: counter(
                r,
                "oracle_timeouts",
                None,
                "Requests to the oracle without an answer in time",
            ),
            oracle_restarts: counter(r, "oracle_restarts", None, "Oracle programs that were started again"),
        }
    }

    /// The learner said what to do.
    pub fn welcomed(&self, run: &str, config: &RunConfig) {
        let facts = [("run", run.into()), ("task", config.task.name.clone())];
        self.run.get_or_create(&facts).set(1.0);
        self.outbox_capacity.set(window(config) as f64);
    }

    /// Takes over what the session knows.
    pub fn set(&self, session: &ActorSession, connected: bool) {
        let status = session.status();
        metrics::set(&self.rolled, status.rolled);
        metrics::set(&self.acknowledged, session.oldest().0);
        self.outbox.set(status.outbox as f64);
        self.policy_version
            .set(session.loaded().map_or(f64::NAN, |version| version.0 as f64));
        self.connected.set(f64::from(u8::from(connected)));
        let waiting = match status.waiting {
            Waiting::Nothing => WAITING[0],
            Waiting::Weights => WAITING[1],
            Waiting::Work => WAITING[2],
            Waiting::Acks => WAITING[3],
        };
        metrics::set_case(&self.waiting, "for", &WAITING, waiting);
        metrics::set(&self.oracle_calls, status.oracle.calls);
        metrics::set(&self.oracle_cached, status.oracle.cached);
        metrics::set(&self.oracle_failures, status.oracle.failed);
        metrics::set(&self.oracle_timeouts, status.oracle.timeouts);
        metrics::set(&self.oracle_restarts, status.oracle.restarts);
    }
}
