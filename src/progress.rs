//! What a learner tells the program that started it, as JSON lines on standard output. Data only.

use crate::metrics::MetricsRow;
use serde::{Deserialize, Serialize};

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ProgressEvent {
    /// It listens: actors may come.
    Listening {
        /// Where, as actors are told.
        address: String,
        /// Id of the run.
        run: String,
        /// Rounds done before.
        round: u64,
        /// Rounds in all.
        rounds: u64,
        /// Listed modes of the task.
        modes: u64,
    },
    /// How it goes; at most a few times a second.
    Progress {
        /// As in metrics.jsonl.
        row: MetricsRow,
        /// The actors.
        actors: Vec<ActorProgress>,
    },
    /// The last line.
    End {
        /// All rounds are done; otherwise it was asked to stop.
        finished: bool,
        /// As in metrics.jsonl.
        row: MetricsRow,
        /// The last checkpoint.
        checkpoint: String,
    },
}

/// One actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorProgress {
    /// Its name.
    pub name: String,
    /// Heard from lately.
    pub present: bool,
    /// Trajectories taken from this life of it.
    pub taken: u64,
    /// What it waits for: `nothing`, `weights`, `work` or `acks`.
    pub waiting: String,
}
