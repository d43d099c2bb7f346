//! Curves: a mean with a band for each series, panels side by side with one legend.

use super::canvas::{self, Area, Chart, Drawn, GREY, Legend, Mark, colour, stroke, units};
use super::{Axis, PlotError};
use plotters::prelude::*;
use serde::{Deserialize, Serialize};

/// Size of a panel, pixels.
const PANEL: (i32, i32) = (340, 262);
/// Width of a panel that has the page to itself, pixels.
const ALONE: i32 = 480;
/// Panels in a row.
const COLUMNS: usize = 3;

/// Curves in one or more panels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinePlot {
    /// Side by side, three in a row. Series of one name have one colour in all of them.
    pub panels: Vec<LinePanel>,
}

/// One chart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LinePanel {
    /// Above it; may be empty.
    pub title: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Curves.
    pub series: Vec<Series>,
    /// Lines to compare with.
    #[serde(default)]
    pub references: Vec<Reference>,
}

/// A curve.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// From left to right. One that is not finite is a gap.
    pub points: Vec<Point>,
    /// Shows each point as a dot: for few points.
    #[serde(default)]
    pub dots: bool,
}

/// A point of a curve with its band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// The curve.
    pub y: f64,
    /// Lower edge of the band; `y` for none.
    pub low: f64,
    /// Upper edge of the band; `y` for none.
    pub high: f64,
}

impl Point {
    /// A point without a band.
    pub fn bare(x: f64, y: f64) -> Self {
        Self { x, y, low: y, high: y }
    }
}

/// A dashed line across a panel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// In the legend.
    pub label: String,
    /// The value on its axis.
    pub at: f64,
    /// At a value of x rather than of y.
    #[serde(default)]
    pub vertical: bool,
}

impl LinePlot {
    pub(super) fn svg(&self) -> Result<String, PlotError> {
        if self
            .panels
            .iter()
            .all(|panel| panel.series.iter().all(|series| series.points.is_empty()))
        {
            return Err(PlotError::Empty("no curve has a point".into()));
        }
        let series = || self.panels.iter().flat_map(|panel| &panel.series);
        let names = canvas::distinct(series().map(|series| series.name.as_str()));
        let references = self.panels.iter().flat_map(|panel| &panel.references);
        let references = canvas::distinct(references.map(|reference| reference.label.as_str()));
        let lines = names
            .iter()
            .enumerate()
            .map(|(place, name)| (name.to_string(), Mark::Line(colour(place, names.len()))));
        let entries = lines.chain(references.iter().map(|label| (label.to_string(), Mark::Dashes)));

        let columns = self.panels.len().min(COLUMNS);
        let rows = self.panels.len().div_ceil(COLUMNS);
        let width = if columns == 1 { ALONE } else { PANEL.0 * columns as i32 };
        let legend = Legend::new(entries.collect(), width);
        let scales: Result<Vec<_>, _> = self.panels.iter().map(LinePanel::scales).collect();
        let scales = scales?;
        canvas::page(width, legend.height() + PANEL.1 * rows as i32, |page| {
            let (top, charts) = page.split_vertically(units(legend.height()));
            legend.draw(&top)?;
            let areas = charts.split_evenly((rows, columns));
            for ((panel, scales), area) in self.panels.iter().zip(scales).zip(&areas) {
                panel.draw(area, scales, &names)?;
            }
            Ok(())
        })
    }
}

impl LinePanel {
    fn scales(&self) -> Result<[super::scale::Scale; 2], PlotError> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let at = |vertical| {
            self.references
                .iter()
                .filter(move |line| line.vertical == vertical)
                .map(|line| line.at)
        };
        let x = self.x.scale(
            points().map(|point| point.x).chain(at(true)),
            self.series.iter().any(|s| s.dots),
        )?;
        let ys = points().flat_map(|point| [point.y, point.low, point.high]);
        Ok([x, self.y.scale(ys.chain(at(false)), true)?])
    }

    fn draw(&self, area: &Area, [x, y]: [super::scale::Scale; 2], names: &[&str]) -> Drawn {
        let mut chart = canvas::chart(area, &self.title, (x, &self.x.label), (y, &self.y.label))?;
        let place = |series: &Series| names.iter().position(|name| *name == series.name).unwrap_or(0);
        // All bands first, so that no band hides a curve.
        for series in &self.series {
            self.band(&mut chart, series, colour(place(series), names.len()))?;
        }
        for reference in &self.references {
            draw_reference(&mut chart, reference)?;
        }
        self.series
            .iter()
            .try_for_each(|series| self.curve(&mut chart, series, colour(place(series), names.len())))
    }

    /// The stretches of a series without gaps.
    fn stretches<'a>(&'a self, series: &'a Series) -> impl Iterator<Item = &'a [Point]> {
        let stretches = series
            .points
            .split(|point| !(self.x.shows(point.x) && self.y.shows(point.y)));
        stretches.filter(|stretch| !stretch.is_empty())
    }

    fn band(&self, chart: &mut Chart, series: &Series, colour: RGBColor) -> Drawn {
        for stretch in self.stretches(series) {
            // An edge that the axis cannot show lies on the axis's lower end.
            let low = stretch
                .iter()
                .map(|point| (point.x, if self.y.shows(point.low) { point.low } else { f64::MIN }));
            let high = stretch
                .iter()
                .map(|point| (point.x, if self.y.shows(point.high) { point.high } else { point.y }));
            if stretch.iter().all(|point| point.low == point.high) {
                continue;
            }
            let outline: Vec<_> = low.chain(high.rev()).collect();
            chart.draw_series([Polygon::new(outline, colour.mix(0.18).filled())])?;
        }
        Ok(())
    }

    fn curve(&self, chart: &mut Chart, series: &Series, colour: RGBColor) -> Drawn {
        for stretch in self.stretches(series) {
            let points = || stretch.iter().map(|point| (point.x, point.y));
            chart.draw_series([PathElement::new(points().collect::<Vec<_>>(), stroke(colour, 1.6))])?;
            // A point between two gaps is a dot, or nobody would see it.
            if series.dots || stretch.len() == 1 {
                chart.draw_series(points().map(|point| Circle::new(point, units(2.5), colour.filled())))?;
            }
        }
        Ok(())
    }
}

fn draw_reference(chart: &mut Chart, reference: &Reference) -> Drawn {
    let (x, y) = (chart.x_range(), chart.y_range());
    let ends = if reference.vertical {
        [(reference.at, y.start), (reference.at, y.end)]
    } else {
        [(x.start, reference.at), (x.end, reference.at)]
    };
    chart.draw_series(DashedLineSeries::new(ends, units(5), units(3), stroke(GREY, 1.2)))?;
    Ok(())
}
