//! Means over seeds and over rounds.

use crate::plot::Point;
use std::collections::BTreeMap;

/// A mean with the lowest and the highest value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Lowest.
    pub low: f64,
    /// Highest.
    pub high: f64,
}

/// The spread of the finite ones among `values`; None when there are none.
pub fn spread(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let finite: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    let first = *finite.first()?;
    Some(Spread {
        mean: finite.iter().sum::<f64>() / finite.len() as f64,
        low: finite.iter().copied().fold(first, f64::min),
        high: finite.iter().copied().fold(first, f64::max),
    })
}

/// A spread for a table; a dash where there is none.
pub(super) fn dash(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(|| "–".into(), |spread| format!("{spread:.digits$}"))
}

/// The curve of the means of several curves, with a band from the lowest to the highest. A place that only some of the
/// curves have is left out: the mean would jump there.
pub fn spread_by_x(curves: &[Vec<(f64, f64)>]) -> Vec<Point> {
    let mut by_x: BTreeMap<u64, (f64, Vec<f64>)> = BTreeMap::new();
    for &(x, y) in curves.iter().flatten() {
        // Bits of positive numbers are in the order of the numbers.
        by_x.entry(x.abs().to_bits()).or_insert((x, Vec::new())).1.push(y);
    }
    let common = by_x.into_values().filter(|(_, ys)| ys.len() == curves.len());
    let points = common.filter_map(|(x, ys)| {
        let Spread { mean, low, high } = spread(ys)?;
        Some(Point { x, y: mean, low, high })
    });
    points.collect()
}

/// Each value replaced by the mean of itself and those before it, `window` in all (fewer at the beginning).
pub fn mean_of_last(window: usize, curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let window = window.max(1);
    let mean = |last: usize| {
        let members = &curve[(last + 1).saturating_sub(window)..=last];
        members.iter().map(|(_, y)| y).sum::<f64>() / members.len() as f64
    };
    curve
        .iter()
        .enumerate()
        .map(|(place, &(x, _))| (x, mean(place)))
        .collect()
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(3);
        let Self { mean, low, high } = self;
        write!(f, "{mean:.digits$}")?;
        if low < high {
            write!(f, " ({low:.digits$} … {high:.digits$})")?;
        }
        Ok(())
    }
}
