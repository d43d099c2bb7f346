//! Answers as figures for papers and talks.

use crate::histogram::Histogram;
use crate::timeline::{Part, Timeline};
use thermoflow::plot::{Axis, Figure, LinePanel, LinePlot, Point, Series, steps};

/// Outlines of so many groups are shaded; those of more would only be grey together.
const SHADED: usize = 3;

/// A histogram: the share of each group's trajectories per bin.
pub fn histogram(histogram: &Histogram) -> Figure {
    let shaded = histogram.groups.len() <= SHADED;
    let series = histogram.groups.iter().map(|group| {
        let shares: Vec<f64> = group
            .counts
            .iter()
            .map(|count| *count as f64 / group.count as f64)
            .collect();
        Series {
            name: group.name.clone(),
            points: steps(&histogram.edges, &shares, shaded),
            dots: false,
        }
    });
    Figure::Lines(LinePlot {
        panels: vec![LinePanel {
            x: Axis::linear(histogram.of.label()),
            y: Axis::linear("share of trajectories per bin"),
            series: series.collect(),
            ..LinePanel::default()
        }],
    })
}

/// What a panel of a timeline shows: its axis, and the value with its band.
type Curve = (&'static str, fn(&Part) -> [f64; 3]);

const CURVES: [Curve; 5] = [
    ("distinct x", |part| [part.distinct as f64; 3]),
    ("modes found", |part| [part.modes as f64; 3]),
    ("mean y of the best 100 x", |part| [part.top100_y; 3]),
    ("y: median, quartiles", |part| [part.y.p25, part.y.p50, part.y.p75]),
    ("β: median, quartiles", |part| {
        [part.beta.p25, part.beta.p50, part.beta.p75]
    }),
];

/// Timelines of runs over each other, a panel per quantity.
pub fn timelines(runs: &[(String, Timeline)]) -> Figure {
    let has_modes = runs.iter().any(|(_, run)| run.has_modes);
    let x = runs.first().map_or("", |(_, run)| run.over.label());
    let curves = CURVES
        .iter()
        .filter(|(name, _)| has_modes || !name.starts_with("modes"));
    let panel = |(name, value): &Curve| LinePanel {
        x: Axis::linear(x),
        y: Axis::linear(*name),
        series: runs
            .iter()
            .map(|(run, timeline)| series(run, timeline, *value))
            .collect(),
        ..LinePanel::default()
    };
    Figure::Lines(LinePlot {
        panels: curves.map(panel).collect(),
    })
}

fn series(name: &str, timeline: &Timeline, value: fn(&Part) -> [f64; 3]) -> Series {
    let point = |part: &Part| {
        let [low, y, high] = value(part);
        Point {
            x: part.at,
            y,
            low,
            high,
        }
    };
    Series {
        name: name.into(),
        points: timeline.parts.iter().map(point).collect(),
        dots: false,
    }
}
