//! Bars in groups, with error bars: for ablations.

use super::canvas::{self, Chart, Drawn, INK, Legend, Mark, colour, stroke, text_width, units};
use super::scale::Scale;
use super::{Axis, PlotError};
use plotters::prelude::*;
use serde::{Deserialize, Serialize};

/// Height of the chart, pixels.
const HEIGHT: i32 = 280;
/// Width of a bar, pixels.
const BAR: i32 = 26;
/// Share of a group's width that its bars take.
const FILLED: f64 = 0.8;

/// Groups of bars with one bar per series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bars {
    /// Above it; may be empty.
    pub title: String,
    /// What the groups are.
    pub x: String,
    /// What is measured; linear, and its range holds 0 unless it is given.
    pub y: Axis,
    /// Names of the bars of each group, for the legend.
    pub series: Vec<String>,
    /// From left to right.
    pub groups: Vec<BarGroup>,
}

/// Bars side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BarGroup {
    /// Below them.
    pub name: String,
    /// One for each series.
    pub bars: Vec<Bar>,
}

/// A bar; one that is not finite is left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// Its end.
    pub value: f64,
    /// Lower end of the error bar; `value` for none.
    pub low: f64,
    /// Upper end of the error bar; `value` for none.
    pub high: f64,
}

impl Bars {
    pub(super) fn svg(&self) -> Result<String, PlotError> {
        self.check()?;
        let bars = self.groups.iter().flat_map(|group| &group.bars);
        let values = bars.flat_map(|bar| [bar.value, bar.low, bar.high]);
        let axis = Axis {
            log: false,
            ..self.y.clone()
        };
        // The ground is part of every bar, but no data by itself.
        axis.scale(values.clone(), true)?;
        let y = axis.scale(values.chain([0.0]), true)?;
        let width = self.width();
        let boxes = self
            .series
            .iter()
            .enumerate()
            .map(|(place, name)| (name.clone(), Mark::Box(place)));
        // One series needs no legend: the y axis says what it is.
        let legend = Legend::new(boxes.filter(|_| self.series.len() > 1).collect(), width);
        let names = self.groups.iter().map(|group| group.name.clone()).collect();
        canvas::page(width, legend.height() + HEIGHT, |page| {
            let (top, area) = page.split_vertically(units(legend.height()));
            legend.draw(&top)?;
            let mut chart = canvas::chart(&area, &self.title, (Scale::Named(names), &self.x), (y, &self.y.label))?;
            self.draw(&mut chart)
        })
    }

    fn check(&self) -> Result<(), PlotError> {
        if self.series.is_empty() || self.groups.is_empty() {
            return Err(PlotError::Empty("there are no bars".into()));
        }
        match self.groups.iter().find(|group| group.bars.len() != self.series.len()) {
            None => Ok(()),
            Some(group) => Err(PlotError::Shape {
                what: format!("the group {:?}", group.name),
                found: group.bars.len(),
                unit: "bars",
                needed: self.series.len(),
            }),
        }
    }

    /// Pixels: room for the bars, and for the names below them.
    fn width(&self) -> i32 {
        let longest = self
            .groups
            .iter()
            .map(|group| text_width(&group.name))
            .fold(0.0, f64::max);
        let group = (BAR * self.series.len() as i32 + BAR).max(longest as i32 + 14);
        80 + (group * self.groups.len() as i32).max(260)
    }

    fn draw(&self, chart: &mut Chart) -> Drawn {
        let ground = 0f64.clamp(chart.y_range().start, chart.y_range().end);
        let each = FILLED / self.series.len() as f64;
        for (group, place) in self.groups.iter().zip(0u32..) {
            let bars = group.bars.iter().enumerate().filter(|(_, bar)| bar.value.is_finite());
            for (series, bar) in bars {
                let left = f64::from(place) - FILLED / 2.0 + each * series as f64;
                let corners = [(left + 0.04 * each, ground), (left + 0.96 * each, bar.value)];
                chart.draw_series([Rectangle::new(corners, colour(series).filled())])?;
                if bar.low.is_finite() && bar.high.is_finite() && bar.low < bar.high {
                    draw_error_bar(chart, left + each / 2.0, bar, each / 6.0)?;
                }
            }
        }
        let ends = [chart.x_range().start, chart.x_range().end].map(|x| (x, ground));
        chart.draw_series([PathElement::new(ends.to_vec(), stroke(INK, 0.8))])?;
        Ok(())
    }
}

fn draw_error_bar(chart: &mut Chart, x: f64, bar: &Bar, half: f64) -> Drawn {
    let lines = [
        [(x, bar.low), (x, bar.high)],
        [(x - half, bar.low), (x + half, bar.low)],
        [(x - half, bar.high), (x + half, bar.high)],
    ];
    chart.draw_series(lines.map(|line| PathElement::new(line.to_vec(), stroke(INK, 1.1))))?;
    Ok(())
}
