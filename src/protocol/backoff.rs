//! Pauses between attempts to connect: each about twice as long as the one before, until one succeeds.

use crate::random::Stream;
use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);

/// The longest.
const MOST: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Backoff {
    /// Spreads those who were cut off together.
    jitter: Stream,
    failures: u32,
}

impl Backoff {
    pub fn new(jitter: Stream) -> Self {
        Self { jitter, failures: 0 }
    }

    /// How long to wait after one more failure.
    pub fn pause(&mut self) -> Duration {
        let pause = FIRST.saturating_mul(1 << self.failures.min(10)).min(MOST);
        self.failures += 1;
        pause.mul_f64(self.jitter.uniform(0.5, 1.5))
    }

    /// An attempt succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}
