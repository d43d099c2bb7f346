//! Bars in groups, with error bars: for ablations.

use super::canvas::{self, Chart, Drawn, INK, Legend, Mark, colour, stroke, text_width, units};
use super::scale::Scale;
use super::{Axis, PlotError};
use plotters::prelude::*;
use serde::{Deserialize, Serialize};

/// Height of a panel, pixels.
const HEIGHT: i32 = 260;
/// Width of a bar, pixels.
const BAR: i32 = 26;
/// Width that panels beside each other may take, pixels.
const WIDTH: i32 = 1100;
/// Share of a group's width that its bars take.
const FILLED: f64 = 0.8;

/// Groups of bars with one bar per series, in one or more panels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bars {
    /// What the groups are.
    pub x: String,
    /// Names of the bars of each group, for the legend.
    pub series: Vec<String>,
    /// Names of the groups, from left to right.
    pub groups: Vec<String>,
    /// As many beside each other as there is room for.
    pub panels: Vec<BarPanel>,
}

/// One chart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BarPanel {
    /// Above it; may be empty.
    pub title: String,
    /// What is measured; linear, and its range holds 0 unless it is given.
    pub y: Axis,
    /// `[groups][series]`
    pub bars: Vec<Vec<Bar>>,
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

impl Bar {
    /// A place left free.
    pub const NONE: Self = Self {
        value: f64::NAN,
        low: f64::NAN,
        high: f64::NAN,
    };
}

impl Bars {
    pub(super) fn svg(&self) -> Result<String, PlotError> {
        self.check()?;
        let scales: Vec<Scale> = self.panels.iter().map(BarPanel::scale).collect::<Result<_, _>>()?;
        let columns = ((WIDTH / self.panel_width()).max(1) as usize).min(self.panels.len());
        let rows = self.panels.len().div_ceil(columns);
        let width = self.panel_width() * columns as i32;
        let boxes = self
            .series
            .iter()
            .enumerate()
            .map(|(place, name)| (name.clone(), Mark::Box(colour(place, self.series.len()))));
        // One series needs no legend: the y axis says what it is.
        let legend = Legend::new(boxes.filter(|_| self.series.len() > 1).collect(), width);
        canvas::page(width, legend.height() + HEIGHT * rows as i32, |page| {
            let (top, charts) = page.split_vertically(units(legend.height()));
            legend.draw(&top)?;
            let areas = charts.split_evenly((rows, columns));
            for ((panel, y), area) in self.panels.iter().zip(scales).zip(&areas) {
                let x = (Scale::Named(self.groups.clone()), self.x.as_str());
                let mut chart = canvas::chart(area, &panel.title, x, (y, &panel.y.label))?;
                panel.draw(&mut chart)?;
            }
            Ok(())
        })
    }

    fn check(&self) -> Result<(), PlotError> {
        if self.series.is_empty() || self.groups.is_empty() || self.panels.is_empty() {
            return Err(PlotError::Empty("there are no bars".into()));
        }
        for panel in &self.panels {
            let what = format!("the panel {:?}", panel.y.label);
            PlotError::unless_equal(what, panel.bars.len(), "groups", self.groups.len())?;
            for (name, bars) in self.groups.iter().zip(&panel.bars) {
                PlotError::unless_equal(format!("the group {name:?}"), bars.len(), "bars", self.series.len())?;
            }
        }
        Ok(())
    }

    /// Pixels: room for the bars, and for the names below them.
    fn panel_width(&self) -> i32 {
        let longest = self.groups.iter().map(|name| text_width(name)).fold(0.0, f64::max);
        let group = (BAR * self.series.len() as i32 + BAR).max(longest as i32 + 14);
        80 + (group * self.groups.len() as i32).max(260)
    }
}

impl BarPanel {
    fn scale(&self) -> Result<Scale, PlotError> {
        let values = self
            .bars
            .iter()
            .flatten()
            .flat_map(|bar| [bar.value, bar.low, bar.high]);
        let axis = Axis {
            log: false,
            ..self.y.clone()
        };
        // The ground is part of every bar, but no data by itself.
        axis.scale(values.clone(), true)?;
        axis.scale(values.chain([0.0]), true)
    }

    fn draw(&self, chart: &mut Chart) -> Drawn {
        let ground = 0f64.clamp(chart.y_range().start, chart.y_range().end);
        for (bars, place) in self.bars.iter().zip(0u32..) {
            let each = FILLED / bars.len() as f64;
            for (series, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.value.is_finite()) {
                let left = f64::from(place) - FILLED / 2.0 + each * series as f64;
                if bar.value == ground {
                    continue;
                }
                let corners = [(left + 0.04 * each, ground), (left + 0.96 * each, bar.value)];
                chart.draw_series([Rectangle::new(corners, colour(series, bars.len()).filled())])?;
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
