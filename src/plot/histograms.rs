//! Distributions of samples as outlines, in one or more panels.

use super::{Axis, LinePanel, LinePlot, PlotError, Point, Reference, Series};
use serde::{Deserialize, Serialize};

/// The areas below so many outlines are shaded; those of more would only be grey together.
const SHADED: usize = 3;

/// Histograms with common bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histograms {
    /// The quantity; its range is that of the bins, and it is linear. Values beyond a given range are left out.
    pub x: Axis,
    /// Number of bins.
    pub bins: usize,
    /// Side by side.
    pub panels: Vec<HistogramPanel>,
}

/// One chart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HistogramPanel {
    /// Above it; may be empty.
    pub title: String,
    /// Distributions laid over each other.
    pub samples: Vec<Sample>,
    /// Vertical lines to compare with.
    #[serde(default)]
    pub references: Vec<Reference>,
}

/// A named sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// In the legend.
    pub name: String,
    /// Values; those that are not finite are left out.
    pub values: Vec<f64>,
}

impl Histograms {
    pub(super) fn svg(&self) -> Result<String, PlotError> {
        if self.bins == 0 {
            return Err(PlotError::Empty("a histogram needs at least one bin".into()));
        }
        let samples = self.panels.iter().flat_map(|panel| &panel.samples);
        let references = self
            .panels
            .iter()
            .flat_map(|panel| &panel.references)
            .map(|line| line.at);
        let values = samples
            .flat_map(|sample| sample.values.iter().copied())
            .chain(references);
        let axis = Axis {
            log: false,
            ..self.x.clone()
        };
        let [low, high] = axis.scale(values, false)?.ends();
        let panels = self.panels.iter().map(|panel| self.panel(panel, [low, high]));
        LinePlot {
            panels: panels.collect(),
        }
        .svg()
    }

    fn panel(&self, panel: &HistogramPanel, range: [f64; 2]) -> LinePanel {
        let x = Axis {
            range: Some(range),
            log: false,
            label: self.x.label.clone(),
        };
        let shaded = panel.samples.len() <= SHADED;
        let outlines = panel.samples.iter().map(|sample| Series {
            name: sample.name.clone(),
            points: outline(&sample.values, range, self.bins, shaded),
            dots: false,
        });
        let upright = |line: &Reference| Reference {
            vertical: true,
            ..line.clone()
        };
        LinePanel {
            title: panel.title.clone(),
            x,
            y: Axis::linear("share of samples per bin"),
            series: outlines.collect(),
            references: panel.references.iter().map(upright).collect(),
        }
    }
}

/// The outline of the bins from the ground and back to it.
fn outline(values: &[f64], [low, high]: [f64; 2], bins: usize, shaded: bool) -> Vec<Point> {
    let width = (high - low) / bins as f64;
    let mut counts = vec![0usize; bins];
    for value in values.iter().filter(|value| (low..=high).contains(*value)) {
        counts[(((value - low) / width) as usize).min(bins - 1)] += 1;
    }
    let all = values.iter().filter(|value| value.is_finite()).count().max(1) as f64;
    let edges: Vec<f64> = (0..=bins).map(|bin| low + bin as f64 * width).collect();
    let shares: Vec<f64> = counts.into_iter().map(|count| count as f64 / all).collect();
    steps(&edges, &shares, shaded)
}

/// The outline of bars between `edges` (rising, `[bars + 1]`) with these heights, from the ground and back to it.
pub fn steps(edges: &[f64], heights: &[f64], shaded: bool) -> Vec<Point> {
    let point = |x: f64, y: f64| Point {
        x,
        y,
        low: if shaded { 0.0 } else { y },
        high: y,
    };
    let tops = edges.windows(2).zip(heights);
    let tops = tops.flat_map(|(ends, height)| [point(ends[0], *height), point(ends[1], *height)]);
    let ends = [edges.first(), edges.last()].map(|end| end.map(|x| point(*x, 0.0)));
    ends[0].into_iter().chain(tops).chain(ends[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bin_and_the_shares_are_of_all() {
        let points = outline(&[0.0, 0.1, 0.9, 1.0, 5.0, f64::NAN], [0.0, 1.0], 2, true);
        let tops: Vec<(f64, f64)> = points.iter().map(|point| (point.x, point.y)).collect();
        // Five finite values, one of them beyond the range.
        assert_eq!(
            tops,
            [(0.0, 0.0), (0.0, 0.4), (0.5, 0.4), (0.5, 0.4), (1.0, 0.4), (1.0, 0.0)]
        );
    }
}
