//! The thread that owns the replay: it commits what was accepted, many messages at a time, and only then reports it.
//!
//! Invariant: `Committed` is sent after the commit is on the disk (DESIGN.md, invariant 1).

use crate::network::ToNetwork;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use thermoflow::config::{Mode, RunConfig};
use thermoflow::env::Environment;
use thermoflow::protocol::Commit;
use thermoflow::replay::{Received, Store, StoreError};
use thermoflow::rollout::Trajectory;
use thermoflow::units::{PolicyVersion, Seq};
use tokio::sync::{mpsc, oneshot};

/// Accepted batches that wait for the disk. When full, the network task stops reading.
pub(crate) const TO_INGEST: usize = 64;

/// Async mode: committed batches that wait for training. When full, ingest waits, and so in turn do the network and the
/// actors; the metrics say so.
pub(crate) const TO_TRAINING: usize = 64;

/// Trajectories after which a commit takes no further batch: large enough that the disk's latency is shared by many,
/// small enough that the first of them is not acknowledged late.
const GROUP: usize = 4096;

/// What ingest is to do.
#[derive(Debug)]
pub(crate) enum ToIngest {
    /// Commit, then report.
    Commit(Commit),
    /// Answer once everything before is committed.
    Flush(oneshot::Sender<()>),
}

/// Async mode: what was committed and may be trained on.
#[derive(Debug)]
pub(crate) struct Committed {
    /// In the order of commit.
    pub trajectories: Vec<Trajectory>,
    /// The learner's version when each came, less the trajectory's.
    pub staleness: Vec<u64>,
    /// How many were committed; those that are too stale to train on included.
    pub count: u64,
}

/// What ingest needs.
pub(crate) struct Ingest {
    pub store: Store,
    pub env: Arc<dyn Environment>,
    pub max_staleness: u64,
    pub inbox: mpsc::Receiver<ToIngest>,
    pub network: mpsc::Sender<ToNetwork>,
    /// Async mode only.
    pub training: Option<mpsc::Sender<Committed>>,
}

impl Ingest {
    /// The largest staleness of trajectories that a run trains on.
    pub fn max_staleness(config: &RunConfig) -> u64 {
        match config.train.mode {
            Mode::Sync => u64::MAX,
            Mode::Async => config.learner.max_staleness,
        }
    }

    /// Commits until the senders are gone.
    ///
    /// # Errors
    /// When the replay fails. Nothing that was not committed has been reported.
    pub fn run(mut self) -> Result<(), StoreError> {
        while let Some(first) = self.inbox.blocking_recv() {
            let mut group = Vec::new();
            let mut flushes = Vec::new();
            let mut rows = 0;
            let mut next = Some(first);
            while let Some(request) = next {
                match request {
                    ToIngest::Flush(done) => flushes.push(done),
                    ToIngest::Commit(commit) => {
                        rows += commit.rows.len();
                        group.push(commit);
                    }
                }
                next = if rows < GROUP { self.inbox.try_recv().ok() } else { None };
            }
            self.commit(group)?;
            for done in flushes {
                // Whoever asked may have given up.
                let _ = done.send(());
            }
        }
        Ok(())
    }

    fn commit(&mut self, group: Vec<Commit>) -> Result<(), StoreError> {
        let now = now_us();
        let mut rows = Vec::with_capacity(group.iter().map(|commit| commit.rows.len()).sum());
        let mut done = Vec::with_capacity(group.len());
        for commit in group {
            done.push(ToNetwork::Committed { incarnation: commit.incarnation, next: commit.next });
            self.received(commit, now, &mut rows);
        }
        if !rows.is_empty() {
            self.store.commit(&rows)?;
        }
        for committed in done {
            // The network is gone when the learner is stopping; what is committed stays committed.
            let _ = self.network.blocking_send(committed);
        }
        if let Some(training) = self.training.as_ref().filter(|_| !rows.is_empty()) {
            // As above for training.
            let _ = training.blocking_send(for_training(rows));
        }
        Ok(())
    }

    fn received(&self, commit: Commit, received_us: u64, rows: &mut Vec<Received>) {
        let Commit { incarnation, actor, newest, .. } = commit;
        rows.extend(commit.rows.into_iter().map(|(seq, trajectory): (Seq, Trajectory)| {
            let PolicyVersion(newest) = newest.unwrap_or_default();
            let staleness = newest.saturating_sub(trajectory.policy_version.0);
            let object = self.env.object_of(&trajectory.actions).expect("the fleet has checked it");
            Received {
                incarnation,
                actor_name: actor.clone(),
                seq,
                staleness,
                received_us,
                trainable: staleness <= self.max_staleness,
                object: self.env.format(&object),
                trajectory,
            }
        }));
    }
}

fn for_training(rows: Vec<Received>) -> Committed {
    let count = rows.len() as u64;
    let staleness = rows.iter().map(|row| row.staleness).collect();
    let trainable = rows.into_iter().filter(|row| row.trainable);
    Committed { trajectories: trainable.map(|row| row.trajectory).collect(), staleness, count }
}

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}
