//! Telling the page that there is more.

use super::run::{Run, trajectories};
use crate::batches::Batch;
use crate::replay::Replay;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

/// How often a look is taken whether there is more. One row by its key: nothing for a learner that writes meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Live {
    /// The newest batch.
    pub last_batch: i64,
    /// Trajectories.
    pub trajectories: u64,
    /// Size of the database and its write-ahead log.
    pub bytes: u64,
}

impl Live {
    pub fn of(replay: &Replay, batches: &[Batch]) -> Self {
        Self {
            last_batch: batches.last().map_or(0, |batch| batch.id),
            trajectories: trajectories(batches),
            bytes: replay.size(),
        }
    }
}

/// Looks for more while somebody listens, for ever.
pub async fn watch(run: Arc<Run>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = false;
    loop {
        ticks.tick().await;
        if run.live.receiver_count() == 0 {
            continue;
        }
        let looked = run.clone();
        let result = spawn_blocking(move || looked.batches().map(|_| ())).await;
        // Told once, not twice a second: a locked database, a run directory that was moved away.
        if let Ok(Err(error)) = &result
            && !failed
        {
            tracing::warn!("no look for new trajectories: {error}");
        }
        failed = !matches!(result, Ok(Ok(())));
    }
}
