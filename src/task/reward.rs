//! From raw scores to rewards: R = cap·(max(y, floor)/y_max)^exponent (METHOD.md, table of tasks).

use serde::{Deserialize, Serialize};

/// The shape of a reward; log R is all that training needs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RewardShape {
    /// R of an object with y = y_max.
    pub cap: f64,
    /// Smallest y that counts.
    pub floor: f64,
    /// Normaliser of y.
    pub y_max: f64,
    /// Power.
    pub exponent: f64,
}

impl RewardShape {
    /// R = y, where y is at least 0.001.
    pub const IDENTITY: Self = Self {
        cap: 1.0,
        floor: 0.001,
        y_max: 1.0,
        exponent: 1.0,
    };

    /// log R(x) in nats, from the raw score y.
    pub fn log_reward(&self, y: f32) -> f32 {
        (self.cap.ln() + self.exponent * (f64::from(y).max(self.floor) / self.y_max).ln()) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_object_gets_the_cap_and_the_worst_the_floor() {
        let shape = RewardShape {
            cap: 10.0,
            floor: 0.001,
            y_max: 1.0,
            exponent: 3.0,
        };
        assert!((shape.log_reward(1.0) - 10f32.ln()).abs() < 1e-6);
        assert_eq!(shape.log_reward(-1.0), shape.log_reward(0.001));
        assert!((shape.log_reward(0.5) - (10.0f64 * 0.125).ln() as f32).abs() < 1e-6);
    }
}
