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
            Self::LogUniform { min, max } => stream.uniform(f64::from(min).ln(), f64::from(max).ln()).exp() as f32,
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
