//! Axes: what a reader asks for, and where values come to lie.

use super::PlotError;
use plotters::coord::ranged1d::{
    BoldPoints, KeyPointHint, KeyPointWeight, NoDefaultFormatting, Ranged, ValueFormatter,
};
use plotters::coord::types::RangedCoordf64;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Room beyond the data, as a share of their extent.
const MARGIN: f64 = 0.04;

/// An axis.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Quantity and unit, for example "loss (nats²)".
    pub label: String,
    /// Logarithmic; values that are not positive are gaps.
    #[serde(default)]
    pub log: bool,
    /// Lower and upper end; None takes them from the data. What lies beyond is drawn on the edge.
    #[serde(default)]
    pub range: Option<[f64; 2]>,
}

impl Axis {
    /// A linear axis with the range of the data.
    pub fn linear(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            ..Self::default()
        }
    }

    /// A logarithmic axis with the range of the data.
    pub fn log(label: impl Into<String>) -> Self {
        Self {
            log: true,
            ..Self::linear(label)
        }
    }

    /// The value can be shown.
    pub(super) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (!self.log || value > 0.0)
    }

    /// The scale for `values`; `margin` leaves room beyond them.
    pub(super) fn scale(&self, values: impl Iterator<Item = f64>, margin: bool) -> Result<Scale, PlotError> {
        let [low, high] = match self.range {
            Some(range) => range,
            None => self.extent(values, margin)?,
        };
        if !(self.shows(low) && self.shows(high) && low < high) {
            let (label, log) = (self.label.clone(), self.log);
            return Err(PlotError::Range { label, low, high, log });
        }
        Ok(if self.log {
            Scale::Log([low, high])
        } else {
            Scale::Linear([low, high])
        })
    }

    fn extent(&self, values: impl Iterator<Item = f64>, margin: bool) -> Result<[f64; 2], PlotError> {
        let inner = |value: f64| if self.log { value.ln() } else { value };
        let shown = values.filter(|value| self.shows(*value)).map(inner);
        let [low, high] = shown.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
            [low.min(value), high.max(value)]
        });
        if low > high {
            return Err(PlotError::Empty(format!("no value can be shown on {:?}", self.label)));
        }
        // A single value gets some room of its own.
        let extent = if high > low { high - low } else { low.abs().max(1.0) };
        let room = if margin || high == low { MARGIN * extent } else { 0.0 };
        // Counts and shares start at 0, not a little below.
        let low = if low >= 0.0 && !self.log && low - room < 0.0 {
            0.0
        } else {
            low - room
        };
        let ends = [low, high + room];
        Ok(if self.log { ends.map(f64::exp) } else { ends })
    }
}

/// From values to places along an axis.
#[derive(Debug, Clone)]
pub(super) enum Scale {
    /// Between two ends.
    Linear([f64; 2]),
    /// The same for logarithms.
    Log([f64; 2]),
    /// Categories at 0, 1, 2 …
    Named(Vec<String>),
}

impl Scale {
    /// Both ends.
    pub(super) fn ends(&self) -> [f64; 2] {
        match self {
            Self::Linear(ends) | Self::Log(ends) => *ends,
            Self::Named(names) => [-0.5, names.len() as f64 - 0.5],
        }
    }

    /// Share of the axis below `value`, 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        let [low, high] = self.ends();
        let value = value.clamp(low, high);
        match self {
            Self::Log(_) => (value / low).ln() / (high / low).ln(),
            _ => (value - low) / (high - low),
        }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        start + (self.share(*value) * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if matches!(hint.weight(), KeyPointWeight::Any) {
            return Vec::new();
        }
        let most = hint.max_num_points();
        match self {
            Self::Linear([low, high]) => RangedCoordf64::from(*low..*high).key_points(BoldPoints(most)),
            Self::Log([low, high]) => log_ticks(*low, *high, most),
            Self::Named(names) => (0..names.len()).map(|place| place as f64).collect(),
        }
    }

    fn range(&self) -> Range<f64> {
        let [low, high] = self.ends();
        low..high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        match self {
            Self::Named(names) => names.get(value.round() as usize).cloned().unwrap_or_default(),
            _ => number(*value),
        }
    }
}

/// Powers of ten; where there are few, also 2 and 5 times those; where those are few, as on a linear axis.
fn log_ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let decades = || low.log10().floor() as i32..=high.log10().ceil() as i32;
    let ticks = |factors: &'static [f64]| -> Vec<f64> {
        let all = decades().flat_map(move |power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
        all.filter(|tick| (low..=high).contains(tick)).collect()
    };
    let powers = ticks(&[1.0]);
    if powers.len() >= 3 {
        let stride = powers.len().div_ceil(most.max(1));
        return powers.into_iter().step_by(stride).collect();
    }
    let finer = ticks(&[1.0, 2.0, 5.0]);
    if finer.len() >= 3 {
        finer
    } else {
        RangedCoordf64::from(low..high).key_points(BoldPoints(most))
    }
}

/// A number as a reader writes it: no rounding errors, powers of ten where there are many digits.
pub(super) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value != 0.0 && !(1e-3..1e5).contains(&magnitude) {
        let power = (magnitude.log10() + 1e-9).floor() as i32;
        let factor = round(value / 10f64.powi(power), 3);
        let raised = format!("10{}", superscript(power));
        return if factor == 1.0 {
            raised
        } else {
            format!("{factor}·{raised}")
        };
    }
    round(value, 9).to_string()
}

fn round(value: f64, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    // Adding 0 makes -0 a plain 0.
    (value * unit).round() / unit + 0.0
}

fn superscript(number: i32) -> String {
    let raise = |letter: char| match letter {
        '-' => '⁻',
        digit => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize - '0' as usize],
    };
    number.to_string().chars().map(raise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        assert_eq!(log_ticks(0.5, 5000.0, 8), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(log_ticks(1.5, 60.0, 8), [2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(log_ticks(1e-8, 1.0, 5).len(), 5);
        assert!(log_ticks(3.0, 4.0, 5).len() > 2);
    }

    #[test]
    fn numbers_are_written_as_people_do() {
        assert_eq!(number(0.1 + 0.2), "0.3");
        assert_eq!(
            (number(-0.0), number(2000.0), number(1e6)),
            ("0".into(), "2000".into(), "10⁶".into())
        );
        assert_eq!(number(2.5e-5), "2.5·10⁻⁵");
    }

    #[test]
    fn impossible_axes_are_refused() {
        let axis = Axis {
            range: Some([0.0, 1.0]),
            ..Axis::log("loss")
        };
        let error = axis.scale([].into_iter(), true).unwrap_err().to_string();
        assert!(error.contains("\"loss\"") && error.contains("from 0 to 1"), "{error}");
        assert!(Axis::log("loss").scale([f64::NAN, -1.0].into_iter(), true).is_err());
        let one = Axis::linear("x").scale([3.0].into_iter(), false).unwrap();
        assert!(one.ends()[0] < 3.0 && one.ends()[1] > 3.0);
    }
}
