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
    /// Normal, clipped to the range: what falls outside becomes the nearest end.
    Normal {
        /// Lower end.
        min: f32,
        /// Upper end.
        max: f32,
        /// Mean before clipping.
        mean: f32,
        /// Standard deviation before clipping.
        std: f32,
    },
    /// Uniform in log β between `min` and `max` (published name "expuniform").
    LogUniform {
        /// Lower end.
        min: f32,
        /// Upper end.
        max: f32,
    },
    /// log U(e^min, e^max): the density grows as e^β (published name "loguniform").
    ExpWeighted {
        /// Lower end.
        min: f32,
        /// Upper end.
        max: f32,
    },
    /// Uniform within ±0.5 of a centre that moves from `min` to `max` as training goes on, clipped to the range.
    Annealing {
        /// Lower end.
        min: f32,
        /// Upper end.
        max: f32,
    },
    /// As `Annealing`, from `max` to `min`.
    AnnealingInverse {
        /// Lower end.
        min: f32,
        /// Upper end.
        max: f32,
    },
}

/// Half the width of what an annealing distribution draws from at a time.
const ANNEALING_REACH: f64 = 0.5;

impl BetaDistribution {
    /// One β. `progress` is the share of training that is done, 0 to 1 (used by annealing distributions).
    pub fn draw(&self, progress: f32, stream: &mut Stream) -> f32 {
        let [low, high] = self.range();
        let [a, b] = [f64::from(low), f64::from(high)];
        let along = |share: f64, stream: &mut Stream| {
            let centre = a + (b - a) * share;
            stream.uniform(centre - ANNEALING_REACH, centre + ANNEALING_REACH)
        };
        let beta = match *self {
            Self::Constant { value } => return value,
            Self::Uniform { .. } => stream.uniform(a, b),
            Self::Normal { mean, std, .. } => f64::from(mean) + f64::from(std) * stream.normal(),
            Self::LogUniform { .. } => stream.uniform(a.ln(), b.ln()).exp(),
            // log(u·e^b + (1 − u)·e^a) without e^b, which overflows.
            Self::ExpWeighted { .. } => {
                let u = stream.unit();
                b + (u + (1.0 - u) * (a - b).exp()).ln()
            }
            Self::Annealing { .. } => along(progress.into(), stream),
            Self::AnnealingInverse { .. } => along(1.0 - f64::from(progress), stream),
        };
        // Rounding may lead out of the range as well, which a receiver would refuse.
        (beta as f32).max(low).min(high)
    }

    /// The β of trajectories `indices`, and their streams (named by `stream`) with that draw taken. Each run of `group`
    /// indices from a multiple of it shares the β of its first, wherever that is drawn.
    pub fn draw_for(
        &self,
        progress: f32,
        group: usize,
        indices: std::ops::Range<u64>,
        stream: impl Fn(u64) -> Stream,
    ) -> (Vec<f32>, Vec<Stream>) {
        let drawn = indices.map(|index| {
            let mut own = stream(index);
            let beta = self.draw(progress, &mut own);
            match index % group as u64 {
                0 => (beta, own),
                place => (self.draw(progress, &mut stream(index - place)), own),
            }
        });
        drawn.unzip()
    }

    /// Smallest and largest β that can be drawn.
    pub fn range(&self) -> [f32; 2] {
        match *self {
            Self::Constant { value } => [value, value],
            Self::Uniform { min, max }
            | Self::Normal { min, max, .. }
            | Self::LogUniform { min, max }
            | Self::ExpWeighted { min, max }
            | Self::Annealing { min, max }
            | Self::AnnealingInverse { min, max } => [min, max],
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

    #[test]
    fn exp_weighted_fills_its_range_evenly_in_e_to_the_beta() {
        let beta = BetaDistribution::ExpWeighted { min: 1.0, max: 3.0 };
        assert_fills(beta, f64::exp, [1f64.exp(), 3f64.exp()]);
        let large = draws(BetaDistribution::ExpWeighted { min: 1.0, max: 5000.0 });
        assert!(large.iter().all(|draw| (4900.0..=5000.0).contains(draw)), "no overflow");
    }

    #[test]
    fn normal_has_its_moments_and_is_clipped() {
        let beta = |min, max| BetaDistribution::Normal {
            min,
            max,
            mean: 2.0,
            std: 0.1,
        };
        let wide = draws(beta(1.0, 3.0));
        let centre = mean(wide.iter().map(|&d| d.into()));
        let variance = mean(wide.iter().map(|&d| (f64::from(d) - centre).powi(2)));
        assert!((centre - 2.0).abs() < 5.0 * 0.1 / (DRAWS as f64).sqrt(), "{centre}");
        assert!((variance.sqrt() - 0.1).abs() < 0.005, "{variance}");
        let narrow = draws(beta(1.95, 2.0));
        let share = |value| mean(narrow.iter().map(|&d| f64::from(u8::from(d == value))));
        assert!((share(2.0) - 0.5).abs() < 0.02, "the upper half is clipped");
        assert!((share(1.95) - 0.3085).abs() < 0.02, "half a deviation below the mean");
    }

    #[test]
    fn a_group_shares_the_beta_of_its_first() {
        let beta = BetaDistribution::Uniform { min: 1.0, max: 3.0 };
        let stream = |index| Stream::new(7, Purpose::Bench, 0, index);
        let (single, mut streams) = beta.draw_for(0.0, 1, 0..12, stream);
        let (grouped, _) = beta.draw_for(0.0, 4, 0..12, stream);
        assert_eq!(
            single[5],
            beta.draw(0.0, &mut stream(5)),
            "alone, a trajectory has its own"
        );
        for (index, &shared) in grouped.iter().enumerate() {
            assert_eq!(shared, single[index / 4 * 4]);
        }
        // Another actor, which does not draw the first of the group, finds the same.
        let (part, mut others) = beta.draw_for(0.0, 4, 6..8, stream);
        assert_eq!(part, grouped[6..8]);
        assert_eq!(
            others[0].unit(),
            streams[6].unit(),
            "the rest of a stream does not depend on the group"
        );
    }

    #[test]
    fn annealing_follows_training() {
        let (up, down) = (
            BetaDistribution::Annealing { min: 1.0, max: 5.0 },
            BetaDistribution::AnnealingInverse { min: 1.0, max: 5.0 },
        );
        for (progress, low, high) in [(0.0, 1.0, 1.5), (0.5, 2.5, 3.5), (1.0, 4.5, 5.0)] {
            for (beta, progress) in [(up, progress), (down, 1.0 - progress)] {
                let drawn: Vec<f32> = (0..500)
                    .map(|index| beta.draw(progress, &mut Stream::new(7, Purpose::Bench, 0, index)))
                    .collect();
                assert!(drawn.iter().all(|d| (low..=high).contains(d)), "{beta:?} at {progress}");
                let reached = |end: f32| drawn.iter().any(|d| (d - end).abs() < 0.02);
                assert!(reached(low) && reached(high), "{beta:?} at {progress}");
            }
        }
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
            BetaDistribution::ExpWeighted { min: 2.0, max: 2.0 },
            BetaDistribution::Annealing { min: 2.0, max: 2.0 },
        ] {
            assert!(draws(beta).iter().all(|&draw| draw == 2.0));
        }
    }
}
