//! How trajectories flow through a learner: the sizes of its queues, and what training does next. Decisions and constants
//! only; the learner's threads follow them, and so does the simulation that plans a run (`crate::plan`).

mod pacing;

pub use pacing::{Pacing, Turn};

use crate::config::Mode;
use std::time::Duration;

/// Accepted batches that wait for the disk. When full, the network task stops reading.
///
/// Sync mode: a round of hundreds of actors should not wait for the disk batch by batch. Async mode: whatever waits gets
/// stale, so no more than keeps the disk busy.
pub fn commit_queue(mode: Mode) -> usize {
    match mode {
        Mode::Sync | Mode::Offline => 512,
        Mode::Async => 16,
    }
}

/// Trajectories after which a commit takes no further batch: large enough that the disk's latency is shared by many,
/// small enough that the first of them is not acknowledged late.
pub const COMMIT_GROUP: usize = 4096;

/// Commits that wait for training: a round (there is one at a time), or what was last committed, which gets stale while it
/// waits. When full, ingest waits, and so in turn do the network and the actors.
pub const TO_TRAINER: usize = 1;

/// How often the learner looks for silence and renews its report.
pub const LEARNER_TICK: Duration = Duration::from_millis(200);

/// How often an actor looks at the time: well below its session's shortest pause, and nothing in CPU time.
pub const ACTOR_TICK: Duration = Duration::from_millis(50);
