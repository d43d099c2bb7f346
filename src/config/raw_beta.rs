//! From the numbers of a β distribution in a file to the distribution.

use super::check::Invalid;
use super::raw::{BetaKind, RawBeta};
use crate::beta::BetaDistribution;

impl RawBeta {
    /// Without `kind`, the default distribution with the numbers that are given in place of its own.
    pub(super) fn resolve(self, key: &str, default: BetaDistribution) -> Result<BetaDistribution, Invalid> {
        let kind = self.kind.unwrap_or_else(|| BetaKind::of(&default));
        let given = [
            ("value", self.value),
            ("min", self.min),
            ("max", self.max),
            ("mean", self.mean),
            ("std", self.std),
        ];
        let takes = kind.takes();
        if let Some((name, value)) = given
            .iter()
            .find(|(name, value)| value.is_some() && !takes.contains(name))
        {
            let allowed = format!("kind {} takes {}", kind.name(), takes.join(" and "));
            return Err(Invalid::value(
                format!("{key}.{name}"),
                value.unwrap_or_default(),
                allowed,
            ));
        }
        let [low, high] = default.range();
        // A stated kind does not take numbers from a default of another kind.
        let otherwise = |value| self.kind.is_none().then_some(value);
        let number = |name: &str, given: Option<f32>, otherwise: Option<f32>| {
            given.or(otherwise).ok_or_else(|| Invalid::Missing {
                key: format!("{key}.{name}"),
                needed: format!("kind {} needs it", kind.name()),
            })
        };
        if kind == BetaKind::Constant {
            let value = number("value", self.value, otherwise(low))?;
            return Ok(BetaDistribution::Constant { value });
        }
        let min = number("min", self.min, otherwise(low))?;
        let max = number("max", self.max, otherwise(high))?;
        Ok(match kind {
            BetaKind::Constant => unreachable!("returned above"),
            BetaKind::Uniform => BetaDistribution::Uniform { min, max },
            BetaKind::Normal => BetaDistribution::Normal {
                min,
                max,
                mean: self.mean.unwrap_or((min + max) / 2.0),
                std: self.std.unwrap_or((max - min) / 4.0),
            },
            BetaKind::LogUniform => BetaDistribution::LogUniform { min, max },
            BetaKind::ExpWeighted => BetaDistribution::ExpWeighted { min, max },
            BetaKind::Annealing => BetaDistribution::Annealing { min, max },
            BetaKind::AnnealingInverse => BetaDistribution::AnnealingInverse { min, max },
        })
    }
}

impl BetaKind {
    fn of(distribution: &BetaDistribution) -> Self {
        match distribution {
            BetaDistribution::Constant { .. } => Self::Constant,
            BetaDistribution::Uniform { .. } => Self::Uniform,
            BetaDistribution::Normal { .. } => Self::Normal,
            BetaDistribution::LogUniform { .. } => Self::LogUniform,
            BetaDistribution::ExpWeighted { .. } => Self::ExpWeighted,
            BetaDistribution::Annealing { .. } => Self::Annealing,
            BetaDistribution::AnnealingInverse { .. } => Self::AnnealingInverse,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::LogUniform => "log-uniform",
            Self::ExpWeighted => "exp-weighted",
            Self::Annealing => "annealing",
            Self::AnnealingInverse => "annealing-inverse",
        }
    }

    /// The numbers that it takes.
    fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Constant => &["value"],
            Self::Normal => &["min", "max", "mean", "std"],
            _ => &["min", "max"],
        }
    }
}
