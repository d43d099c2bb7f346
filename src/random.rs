//! Keyed randomness: every draw belongs to a stream named by (seed, purpose, round, index).
//!
//! Invariant: no generator lives across rounds, so a resumed run needs no saved generator and the number of actors
//! does not change what is drawn.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for. Two purposes never share a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// β and actions of an on-policy roll-out.
    Explore = 2,
    /// Which x a replay batch draws, with its β and its backward trajectory.
    Replay = 3,
    /// Samples asked for by hand (`thermoflow sample`, `evaluate`).
    Sample = 4,
    /// Benchmarks and generated data.
    Bench = 5,
    /// Objects of an offline data set.
    Offline = 6,
    /// Which trajectories the learner scores again.
    Rescore = 7,
}

/// A stream of random numbers for one trajectory (or one weight tensor, one replay draw).
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream named by its arguments; the four numbers are the ChaCha key itself, so streams are independent.
    pub fn new(seed: u64, purpose: Purpose, round: u64, index: u64) -> Self {
        let mut key = [0u8; 32];
        for (part, value) in key.chunks_exact_mut(8).zip([seed, purpose as u64, round, index]) {
            part.copy_from_slice(&value.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// Uniform in [low, high).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Standard normal (Box and Muller's transform of two uniform numbers).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Uniform in 0..n; `n` must not be 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    /// `count` numbers of 0..n, all distinct when there are enough, otherwise drawn with replacement.
    pub fn choose(&mut self, count: usize, n: usize) -> Vec<usize> {
        if count > n {
            return (0..count).map(|_| self.below(n)).collect();
        }
        rand::seq::index::sample(&mut self.0, n, count).into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_every_part_of_their_name() {
        let draw = |seed, purpose, round, index| Stream::new(seed, purpose, round, index).unit();
        let base = draw(1, Purpose::Explore, 2, 3);
        assert_eq!(base, draw(1, Purpose::Explore, 2, 3));
        for other in [
            draw(0, Purpose::Explore, 2, 3),
            draw(1, Purpose::Replay, 2, 3),
            draw(1, Purpose::Explore, 1, 3),
            draw(1, Purpose::Explore, 2, 4),
        ] {
            assert_ne!(base, other);
        }
    }
}
