//! The thread that owns the replay: it commits what was accepted, many messages at a time, and only then reports it.
//!
//! Invariant: `Committed` is sent after the commit is on the disk (DESIGN.md, invariant 1).

use crate::network::ToNetwork;
use crate::training::ToTrainer;
use crate::watched::IngestNumbers;
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use thermoflow::config::{Mode, RunConfig};
use thermoflow::env::Environment;
use thermoflow::flow::COMMIT_GROUP;
use thermoflow::protocol::Commit;
use thermoflow::replay::{Received, Store, StoreError};
use thermoflow::units::PolicyVersion;
use tokio::sync::mpsc;

/// What ingest is to do.
#[derive(Debug)]
pub(crate) enum ToIngest {
    /// Commit, then report.
    Commit(Commit),
    /// Answer once everything before is committed.
    Flush(Done),
}

/// Answers whoever waits for ingest.
pub(crate) type Done = crossbeam_channel::Sender<()>;

/// What ingest needs.
pub(crate) struct Ingest {
    pub store: Store,
    pub env: Arc<dyn Environment>,
    pub max_staleness: u64,
    pub inbox: mpsc::Receiver<ToIngest>,
    pub network: mpsc::Sender<ToNetwork>,
    /// Async mode only.
    pub training: Option<Sender<ToTrainer>>,
    pub watched: IngestNumbers,
}

impl Ingest {
    /// The largest staleness of trajectories that a run trains on.
    pub fn max_staleness(config: &RunConfig) -> u64 {
        match config.train.mode {
            Mode::Sync | Mode::Offline => u64::MAX,
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
            let mut asked = Vec::new();
            let mut rows = 0;
            let mut next = Some(first);
            while let Some(request) = next {
                match request {
                    ToIngest::Flush(done) => asked.push(done),
                    ToIngest::Commit(commit) => {
                        rows += commit.rows.len();
                        group.push(commit);
                    }
                }
                next = if rows < COMMIT_GROUP {
                    self.inbox.try_recv().ok()
                } else {
                    None
                };
            }
            self.commit(group)?;
            for done in asked {
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
            done.push(ToNetwork::Committed {
                incarnation: commit.incarnation,
                next: commit.next,
            });
            self.received(commit, now, &mut rows);
        }
        if !rows.is_empty() {
            let began = Instant::now();
            self.store.commit(&rows)?;
            self.watched.committed(rows.len(), began.elapsed());
        }
        for committed in done {
            // The network is gone when the learner is stopping; what is committed stays committed.
            let _ = self.network.blocking_send(committed);
        }
        if let Some(training) = self.training.as_ref().filter(|_| !rows.is_empty()) {
            // As above for training.
            let _ = training.send(ToTrainer::Batch(rows.into_iter().map(|row| row.trajectory).collect()));
        }
        Ok(())
    }

    fn received(&self, commit: Commit, received_us: u64, rows: &mut Vec<Received>) {
        let Commit {
            incarnation,
            actor,
            newest,
            ..
        } = commit;
        rows.extend(commit.rows.into_iter().map(|(seq, trajectory)| {
            let PolicyVersion(newest) = newest.unwrap_or_default();
            let staleness = newest.saturating_sub(trajectory.policy_version.0);
            let trainable = staleness <= self.max_staleness;
            self.watched.came(staleness, trainable);
            let object = self
                .env
                .object_of(&trajectory.actions)
                .expect("the fleet has checked it");
            Received {
                incarnation,
                actor_name: actor.clone(),
                seq,
                staleness,
                received_us,
                trainable,
                object: self.env.format(&object),
                trajectory,
            }
        }));
    }
}

fn now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watched::Watched;
    use thermoflow::config::RawConfig;
    use thermoflow::rollout::Trajectory;
    use thermoflow::task::Task;
    use thermoflow::units::{Incarnation, Seq};

    fn commit(y: f32) -> Commit {
        let trajectory = Trajectory {
            beta: 1.0,
            actions: vec![0; 8],
            y,
            log_reward: -1.0,
            log_pf: -9.0,
            policy_version: PolicyVersion(0),
            round: 0,
            index: 0,
        };
        Commit {
            incarnation: Incarnation(1),
            actor: "a".into(),
            rows: vec![(Seq(0), trajectory)],
            next: Seq(1),
            newest: None,
        }
    }

    /// What ingest reports of a trajectory with this score, and how it ends.
    fn ingest(y: f32) -> (Vec<ToNetwork>, Result<(), StoreError>) {
        let dir = tempfile::tempdir().unwrap();
        let mut raw = RawConfig::default();
        raw.task.name = Some("tfbind8".into());
        let config = raw.resolve().unwrap();
        let (requests, inbox) = mpsc::channel(1);
        let (network, mut reports) = mpsc::channel(8);
        let ingest = Ingest {
            store: Store::open(&dir.path().join("replay.sqlite")).unwrap(),
            env: Task::load(&config.task).unwrap().env,
            max_staleness: 0,
            inbox,
            network,
            training: None,
            watched: Watched::by_nobody().ingest,
        };
        requests.try_send(ToIngest::Commit(commit(y))).unwrap();
        drop(requests);
        let end = ingest.run();
        (std::iter::from_fn(|| reports.try_recv().ok()).collect(), end)
    }

    #[test]
    fn what_could_not_be_committed_is_not_reported() {
        let (reports, end) = ingest(0.5);
        assert!(matches!(reports[..], [ToNetwork::Committed { next: Seq(1), .. }]));
        end.unwrap();
        // The store refuses it, as it does everything when the disk is full.
        let (reports, end) = ingest(f32::NAN);
        assert!(reports.is_empty(), "{reports:?}");
        assert!(matches!(end, Err(StoreError::Value { .. })));
    }
}
