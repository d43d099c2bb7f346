//! Distributions of β: one for exploration, one for training (METHOD.md). Randomness is an argument.

use crate::random::Stream;
use serde::{Deserialize, Serialize};

/// Where β is drawn from. All parameters are positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BetaDistribution {
    /// Always the same β.
    Constant {
        /// The β.
        value: f32,
    },
    /// Uniform between `min` and `max`.
    Uniform {
        /// Lower end.
        min: f32,
        /// Upper end.
        max: f32,
    },
    /// Uniform in log β between `min` and `max` (published name "expuniform").
    LogUniform {
        /// Lower end.
        min: f32,
        /// Upper end.
        max: f32,
    },
}

impl BetaDistribution {
    /// One β. `progress` is the share of training that is done, 0 to 1 (used by annealing distributions).
    pub fn draw(&self, _progress: f32, stream: &mut Stream) -> f32 {
        match *self {
            Self::Constant { value } => value,
            Self::Uniform { min, max } => stream.uniform(min.into(), max.into()) as f32,
            Self::LogUniform { min, max } => {
                let beta = stream.uniform(f64::from(min).ln(), f64::from(max).ln()).exp() as f32;
                // The logarithm's rounding may lead out of the range, which a receiver would refuse.
                beta.max(min).min(max)
            }
        }
    }

    /// Smallest and largest β that can be drawn.
    pub fn range(&self) -> [f32; 2] {
        match *self {
            Self::Constant { value } => [value, value],
            Self::Uniform { min, max } | Self::LogUniform { min, max } => [min, max],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    const DRAWS: u64 = 20_000;

    fn draws(beta: BetaDistribution) -> Vec<f32> {
        (0..DRAWS)
            .map(|index| beta.draw(0.0, &mut Stream::new(7, Purpose::Bench, 0, index)))
            .collect()
    }

    fn mean(values: impl Iterator<Item = f64>) -> f64 {
        values.sum::<f64>() / DRAWS as f64
    }

    /// Five standard errors of the mean of draws that are uniform over an interval of this width.
    fn tolerance(width: f64) -> f64 {
        5.0 * width / (12.0 * DRAWS as f64).sqrt()
    }

    #[test]
    fn a_constant_is_always_the_same() {
        let beta = BetaDistribution::Constant { value: 2.5 };
        assert_eq!(beta.range(), [2.5, 2.5]);
        assert!(draws(beta).iter().all(|&draw| draw == 2.5));
    }

    #[test]
    fn uniform_fills_its_range_evenly() {
        let beta = BetaDistribution::Uniform { min: 1.0, max: 3.0 };
        assert_fills(beta, |draw| draw, [1.0, 3.0]);
    }

    #[test]
    fn log_uniform_fills_its_range_evenly_in_log_beta() {
        let beta = BetaDistribution::LogUniform { min: 0.1, max: 10.0 };
        assert_fills(beta, f64::ln, [0.1f64.ln(), 10f64.ln()]);
    }

    /// `scale` of the draws is uniform over `range`: in it, with its mean and its spread.
    fn assert_fills(beta: BetaDistribution, scale: fn(f64) -> f64, [low, high]: [f64; 2]) {
        let scaled: Vec<f64> = draws(beta).iter().map(|&draw| scale(draw.into())).collect();
        let rounding = 1e-6 * (high - low);
        assert!(
            scaled
                .iter()
                .all(|&value| value >= low - rounding && value <= high + rounding)
        );
        let centre = (low + high) / 2.0;
        let found = mean(scaled.iter().copied());
        assert!(
            (found - centre).abs() < tolerance(high - low),
            "mean {found}, not {centre}"
        );
        // The distance from the centre is uniform too; a distribution that crowds the centre or the ends fails here.
        let spread = mean(scaled.iter().map(|value| (value - centre).abs()));
        assert!(
            (spread - (high - low) / 4.0).abs() < tolerance((high - low) / 2.0),
            "spread {spread}"
        );
    }

    #[test]
    fn an_empty_range_is_a_constant() {
        for beta in [
            BetaDistribution::Uniform { min: 2.0, max: 2.0 },
            BetaDistribution::LogUniform { min: 2.0, max: 2.0 },
        ] {
            assert!(draws(beta).iter().all(|&draw| draw == 2.0));
        }
    }
}
