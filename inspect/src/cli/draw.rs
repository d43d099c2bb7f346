//! Charts in a terminal, and figures in files.

use super::text::{count, lines};
use crate::InspectError;
use crate::groups::number;
use ratatui_core::layout::{Alignment, Rect};
use ratatui_core::symbols::Marker;
use ratatui_core::text::Line;
use ratatui_widgets::barchart::{Bar, BarChart, BarGroup};
use ratatui_widgets::block::Block;
use ratatui_widgets::borders::Borders;
use ratatui_widgets::chart::{Axis, Chart, Dataset, GraphType};
use std::path::{Path, PathBuf};
use thermoflow::durable;
use thermoflow::plot::{Figure, png};

/// Where a figure goes.
#[derive(Debug, clap::Args)]
pub struct Picture {
    /// Draw a figure to this file (.svg or .png) instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Pixels of a PNG per unit of its SVG: sharp on screens of twice the usual density.
const SCALE: f32 = 2.0;

/// Draws a figure to a file; its ending says how.
///
/// # Errors
/// Another ending, nothing to draw, or a file that cannot be written.
pub fn save(figure: &Figure, path: &Path) -> anyhow::Result<()> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let bytes = match ending.to_ascii_lowercase().as_str() {
        "svg" => figure.svg()?.into_bytes(),
        "png" => png(&figure.svg()?, SCALE)?,
        _ => {
            let message = format!("--out {}: a figure ends in .svg or .png", path.display());
            return Err(InspectError::Input(message).into());
        }
    };
    durable::replace(path, &bytes).map_err(|source| InspectError::Write {
        path: path.into(),
        source,
    })?;
    Ok(())
}

/// Width of what is drawn, characters.
const WIDTH: u16 = 78;

/// Height of a chart, lines.
const HEIGHT: u16 = 12;

/// A horizontal bar per value, after its name and the value itself.
pub fn bars(values: &[(String, u64)]) -> Vec<String> {
    let wide = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let names = wide(&mut values.iter().map(|(name, _)| name.chars().count()));
    let counts = wide(&mut values.iter().map(|(_, value)| count(*value).len()));
    let bars: Vec<Bar<'_>> = values
        .iter()
        .map(|(name, value)| {
            let label = format!("{name:<names$}  {:>counts$}", count(*value));
            // The value is told by the label; on the bar it would hide the bar's beginning.
            Bar::default().value(*value).label(label).text_value(String::new())
        })
        .collect();
    let chart = BarChart::horizontal(Vec::new())
        .data(BarGroup::default().bars(&bars))
        .bar_width(1)
        .bar_gap(0);
    lines(chart, Rect::new(0, 0, WIDTH, values.len() as u16))
}

/// A curve through points, with a title and its axes.
pub fn curve(title: &str, x: &str, points: &[(f64, f64)]) -> Vec<String> {
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        let [low, high] = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| {
            [low.min(v), high.max(v)]
        });
        // A constant has no extent of its own.
        if low < high {
            [low, high]
        } else {
            [low - 0.5, low + 0.5]
        }
    };
    let bounds = [
        ends(&mut points.iter().map(|p| p.0)),
        ends(&mut points.iter().map(|p| p.1)),
    ];
    let axis = |[low, high]: [f64; 2]| {
        let labels = [low, f64::midpoint(low, high), high].map(number);
        Axis::default().bounds([low, high]).labels(labels)
    };
    let data = Dataset::default()
        .marker(Marker::Braille)
        .graph_type(GraphType::Line)
        .data(points);
    let chart = Chart::new(vec![data])
        .block(Block::default().borders(Borders::NONE).title(Line::from(title)))
        .x_axis(axis(bounds[0]).title(x).labels_alignment(Alignment::Left))
        .y_axis(axis(bounds[1]));
    lines(chart, Rect::new(0, 0, WIDTH, HEIGHT))
}
