//! How an oracle is doing: counters since its scorer was made.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the scorer was made; all zero for scorers that cannot fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OracleHealth {
    /// Objects that the oracle was asked for.
    pub calls: u64,
    /// Objects that it was not asked for because it had been before.
    pub cached: u64,
    /// Objects that got no score, each time they were wanted.
    pub failed: u64,
    /// Requests without an answer in time.
    pub timeouts: u64,
    /// Instances of the program that were started again.
    pub restarts: u64,
    /// Requests that repeat objects of a failed one.
    pub retries: u64,
}

/// The counters behind an [`OracleHealth`], for threads to share.
#[derive(Debug, Default)]
#[allow(
    missing_docs,
    reason = "a field means what the field of the same name of `OracleHealth` means"
)]
pub struct Counters {
    pub calls: Counter,
    pub cached: Counter,
    pub failed: Counter,
    pub timeouts: Counter,
    pub restarts: Counter,
    pub retries: Counter,
}

impl Counters {
    /// What they say now.
    pub fn read(&self) -> OracleHealth {
        OracleHealth {
            calls: self.calls.get(),
            cached: self.cached.get(),
            failed: self.failed.get(),
            timeouts: self.timeouts.get(),
            restarts: self.restarts.get(),
            retries: self.retries.get(),
        }
    }

    /// Counts the objects among `scores` that have none.
    pub fn count_failed(&self, scores: &[f32]) {
        self.failed.add(scores.iter().filter(|y| y.is_nan()).count());
    }
}

/// A number that only grows; nothing else is ordered by it.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts so many more.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
