//! Keeps training to so many samples per insert (DESIGN.md, invariant 6). A pure state machine, no clock and no queue.
//!
//! The *balance* is `samples_per_insert`·inserted − sampled, in trajectories. Inserting raises it, training lowers it, and
//! it must stay within ±`error_band`. A side that would leave the band waits for the other.
//!
//! Invariant: with a band that [`Limiter::new`] accepts, one side can always go on, so the two never wait for each other.

use serde::{Deserialize, Serialize};

/// Why a limiter was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LimiterError {
    /// The ratio is no positive number.
    #[error("samples_per_insert is {0}: it must be a positive, finite number")]
    Ratio(f64),
    /// The two sides could end up waiting for each other.
    #[error(
        "error_band is {band}: receiving {insert} trajectories at a time, training on {sample} at a time and \
         samples_per_insert = {ratio}, the smallest band that cannot deadlock is {smallest}"
    )]
    Band {
        /// The offending band.
        band: f64,
        /// Largest insert.
        insert: u64,
        /// Largest sample.
        sample: u64,
        /// Samples per insert.
        ratio: f64,
        /// The smallest band that would be accepted.
        smallest: f64,
    },
}

/// What has been counted; goes into checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LimiterState {
    /// Trajectories received.
    pub inserted: u64,
    /// Trajectories trained on, online and replayed.
    pub sampled: u64,
    /// Trajectories that were due but could not be drawn (too few distinct objects).
    pub skipped: u64,
}

/// The samples-per-insert limiter.
#[derive(Debug, Clone, PartialEq)]
pub struct Limiter {
    ratio: f64,
    band: f64,
    state: LimiterState,
}

impl Limiter {
    /// The smallest band under which inserts of up to `insert` and samples of up to `sample` trajectories cannot
    /// deadlock, in samples.
    ///
    /// Let a = `ratio`·`insert`. Both sides wait when the balance is above band − a and below sample − band: no such
    /// balance exists when band ≥ (a + sample)/2. Before the first insert nothing can be sampled, so that the first
    /// insert must fit by itself: band ≥ a.
    pub fn smallest_band(ratio: f64, insert: u64, sample: u64) -> f64 {
        let insert = ratio * insert as f64;
        (insert + insert.max(sample as f64)) / 2.0
    }

    /// A limiter for inserts of at most `insert` and samples of at most `sample` trajectories at a time.
    ///
    /// # Errors
    /// A ratio that is not positive, or a band that could deadlock; the message names the smallest allowed one.
    pub fn new(ratio: f64, band: f64, insert: u64, sample: u64) -> Result<Self, LimiterError> {
        if !(ratio > 0.0 && ratio.is_finite()) {
            return Err(LimiterError::Ratio(ratio));
        }
        let smallest = Self::smallest_band(ratio, insert, sample);
        if band.is_nan() || band < smallest {
            return Err(LimiterError::Band {
                band,
                insert,
                sample,
                ratio,
                smallest,
            });
        }
        Ok(Self {
            ratio,
            band,
            state: LimiterState::default(),
        })
    }

    /// Goes on from a checkpoint.
    pub fn restore(&mut self, state: LimiterState) {
        self.state = state;
    }

    /// What has been counted.
    pub fn state(&self) -> LimiterState {
        self.state
    }

    /// `samples_per_insert`·inserted − sampled: how far training is behind (positive) or ahead (negative), in samples.
    pub fn balance(&self) -> f64 {
        self.ratio * self.state.inserted as f64 - self.served() as f64
    }

    /// True when `n` more trajectories may be received.
    pub fn can_insert(&self, n: u64) -> bool {
        self.balance() + self.ratio * n as f64 <= self.band + self.slack()
    }

    /// True when `n` more trajectories may be trained on.
    pub fn can_sample(&self, n: u64) -> bool {
        self.state.inserted > 0 && self.balance() - n as f64 >= -self.band - self.slack()
    }

    /// Counts `n` received trajectories.
    pub fn inserted(&mut self, n: u64) {
        self.state.inserted += n;
    }

    /// Counts `n` trajectories trained on.
    pub fn sampled(&mut self, n: u64) {
        self.state.sampled += n;
    }

    /// Counts `n` trajectories that were due but could not be drawn; without this, receiving would stop for good while
    /// there are too few objects to replay.
    pub fn skipped(&mut self, n: u64) {
        self.state.skipped += n;
    }

    fn served(&self) -> u64 {
        self.state.sampled + self.state.skipped
    }

    /// Room for rounding, so that a band of exactly the smallest size works: products of large counts are not exact.
    fn slack(&self) -> f64 {
        (self.band + self.ratio * self.state.inserted as f64) * 1e-12
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_band_too_small_is_refused_with_the_smallest_allowed() {
        let message = Limiter::new(2.0, 63.0, 32, 32).unwrap_err().to_string();
        assert!(
            message.contains("error_band is 63") && message.contains("deadlock is 64"),
            "{message}"
        );
        assert!(Limiter::new(2.0, 64.0, 32, 32).is_ok());
        let message = Limiter::new(1.0, 20.0, 10, 40).unwrap_err().to_string();
        assert!(message.contains("deadlock is 25"), "{message}");
        for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
            assert!(matches!(Limiter::new(bad, 64.0, 1, 1), Err(LimiterError::Ratio(_))));
        }
        assert!(matches!(
            Limiter::new(1.0, f64::NAN, 1, 1),
            Err(LimiterError::Band { .. })
        ));
    }

    #[test]
    fn a_band_below_the_smallest_can_deadlock() {
        // Built by hand, past the check: with a hair less than (1·10 + 40)/2 there is a schedule after which both wait.
        let mut limiter = Limiter {
            ratio: 1.0,
            band: 24.9,
            state: LimiterState::default(),
        };
        limiter.inserted(10);
        limiter.inserted(5);
        assert!(!limiter.can_insert(10) && !limiter.can_sample(40));
    }

    #[test]
    fn nothing_is_sampled_before_the_first_insert() {
        let mut limiter = Limiter::new(1.0, 100.0, 10, 10).unwrap();
        assert!(!limiter.can_sample(1));
        limiter.inserted(1);
        assert!(limiter.can_sample(1));
    }

    #[test]
    fn a_skipped_sample_makes_room_like_a_real_one() {
        let mut limiter = Limiter::new(1.0, 10.0, 10, 10).unwrap();
        limiter.inserted(10);
        assert!(!limiter.can_insert(1));
        limiter.skipped(10);
        assert!(limiter.can_insert(10));
        assert_eq!(
            limiter.state(),
            LimiterState {
                inserted: 10,
                sampled: 0,
                skipped: 10
            }
        );
    }

    proptest! {
        /// Any schedule: at each turn one side is preferred and acts when it may, otherwise the other must be able to.
        #[test]
        fn any_schedule_stays_in_the_band_and_goes_on(
            ratio in 0.01f64..20.0,
            insert in 1u64..200,
            sample in 1u64..200,
            spare in 0.0f64..50.0,
            turns in proptest::collection::vec((any::<bool>(), 1u64..200), 1..400),
        ) {
            let band = Limiter::smallest_band(ratio, insert, sample) + spare.floor();
            let mut limiter = Limiter::new(ratio, band, insert, sample).unwrap();
            for (prefer_insert, size) in turns {
                let (n, m) = (size.min(insert), size.min(sample));
                if limiter.can_insert(n) && (prefer_insert || !limiter.can_sample(m)) {
                    limiter.inserted(n);
                } else {
                    prop_assert!(limiter.can_sample(m), "deadlock at balance {}", limiter.balance());
                    limiter.sampled(m);
                }
                prop_assert!(limiter.balance().abs() <= band * (1.0 + 1e-9), "out of the band: {}", limiter.balance());
                // The largest of both must never be stuck at once.
                prop_assert!(limiter.can_insert(insert) || limiter.can_sample(sample));
            }
            let mut restored = Limiter::new(ratio, band, insert, sample).unwrap();
            restored.restore(limiter.state());
            prop_assert_eq!(restored, limiter);
        }
    }
}
