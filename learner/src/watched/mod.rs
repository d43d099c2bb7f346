//! What Prometheus is shown of a learner. Nothing is counted twice: what the fleet, the reports and the channels already
//! know is taken over, by whoever owns them.
//!
//! Invariant: labels have the values of an enum. Names of actors are not among them, for there may be thousands.

mod fleet;
mod training;

pub(crate) use fleet::FleetNumbers;
pub(crate) use training::TrainingNumbers;

use prometheus_client::registry::{Registry, Unit};
use std::path::Path;
use std::time::Duration;
use thermoflow::config::RunConfig;
use thermoflow_watch::metrics::{
    self, Counter, Disk, Gauge, Histogram, Links, Queues, counter, exponential_buckets, gauge,
};

/// Handles to all numbers; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub ingest: IngestNumbers,
    pub weights: WeightsNumbers,
    pub training: TrainingNumbers,
    pub fleet: FleetNumbers,
    pub queues: Queues,
    pub links: Links,
    pub relays: Gauge,
}

impl Watched {
    /// Registers everything that a learner counts.
    pub fn new(registry: &mut Registry) -> Self {
        Self {
            ingest: IngestNumbers::new(registry),
            weights: WeightsNumbers::new(registry),
            training: TrainingNumbers::new(registry),
            fleet: FleetNumbers::new(registry),
            queues: Queues::new(registry),
            links: Links::new(registry, "link"),
            relays: gauge(registry, "relays", None, "Relays that are connected"),
        }
    }

    /// Numbers that nobody is shown.
    pub fn by_nobody() -> Self {
        Self::new(&mut Registry::default())
    }
}

/// A registry that knows the program and the run, and looks at the run directory's disk.
pub(crate) fn registry(run: &str, config: &RunConfig, run_dir: &Path) -> Registry {
    let mut registry = metrics::registry("thermoflow-learner", env!("CARGO_PKG_VERSION"));
    let mode = format!("{:?}", config.train.mode).to_lowercase();
    let facts = [("run", run.into()), ("task", config.task.name.clone()), ("mode", mode)];
    metrics::info(&mut registry, "run", "The run and what it trains on, always 1", facts);
    let planned = metrics::gauge(&mut registry, "rounds_planned", None, "Rounds that the run is to have");
    planned.set(config.train.rounds as f64);
    Disk::register(&mut registry, "run_directory", run_dir.to_path_buf());
    registry
}

/// What the replay takes in.
#[derive(Debug, Clone)]
pub(crate) struct IngestNumbers {
    trajectories: Counter,
    untrainable: Counter,
    staleness: Histogram,
    commit: Histogram,
}

impl IngestNumbers {
    fn new(registry: &mut Registry) -> Self {
        let trajectories = counter(
            registry,
            "trajectories",
            None,
            "Trajectories committed to the replay of the run",
        );
        let untrainable = counter(
            registry,
            "trajectories_untrainable",
            None,
            "Trajectories that were committed but are too old to train on (learner.max_staleness)",
        );
        let staleness = Histogram::new([0.0].into_iter().chain(exponential_buckets(1.0, 2.0, 11)));
        registry.register_with_unit(
            "staleness",
            "Versions of the policy that trajectories were behind the newest when they were committed",
            Unit::Other("versions".into()),
            staleness.clone(),
        );
        let commit = Histogram::new(exponential_buckets(0.000_5, 2.0, 15));
        registry.register_with_unit(
            "commit_duration",
            "Time that a commit of many trajectories to the disk took",
            Unit::Seconds,
            commit.clone(),
        );
        Self {
            trajectories,
            untrainable,
            staleness,
            commit,
        }
    }

    /// The replay held so many when the learner started.
    pub fn start_at(&self, trajectories: u64) {
        metrics::set(&self.trajectories, trajectories);
    }

    /// A trajectory of this staleness is about to be committed.
    pub fn came(&self, staleness: u64, trainable: bool) {
        self.staleness.observe(staleness as f64);
        self.untrainable.inc_by(u64::from(!trainable));
    }

    /// So many were committed in that time.
    pub fn committed(&self, trajectories: usize, took: Duration) {
        self.trajectories.inc_by(trajectories as u64);
        self.commit.observe(took.as_secs_f64());
    }
}

/// What actors are given to roll out with.
#[derive(Debug, Clone)]
pub(crate) struct WeightsNumbers {
    published: Counter,
    published_bytes: Counter,
    sent: Counter,
    sent_bytes: Counter,
}

impl WeightsNumbers {
    fn new(registry: &mut Registry) -> Self {
        let bytes = || Some(Unit::Bytes);
        Self {
            published: counter(registry, "weights_published", None, "Versions of weights published"),
            published_bytes: counter(
                registry,
                "weights_published",
                bytes(),
                "Bytes of weights published, each version once",
            ),
            sent: counter(
                registry,
                "weights_sent",
                None,
                "Times that weights were sent to an actor",
            ),
            sent_bytes: counter(
                registry,
                "weights_sent",
                bytes(),
                "Bytes of weights that actors were sent, through relays too",
            ),
        }
    }

    /// A version of that many bytes.
    pub fn published(&self, bytes: usize) {
        self.published.inc();
        self.published_bytes.inc_by(bytes as u64);
    }

    /// To one actor.
    pub fn sent(&self, bytes: usize) {
        self.sent.inc();
        self.sent_bytes.inc_by(bytes as u64);
    }
}

#[cfg(test)]
mod tests;
