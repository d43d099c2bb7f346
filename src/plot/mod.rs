//! Figures as one would put them in a paper: plain data in, an SVG text or the bytes of a PNG out. No files, and nothing
//! about what the numbers mean.
//!
//! White ground, text of 11 to 12 px, colours that colour-blind readers can tell apart (Okabe and Ito's; viridis for
//! values), a legend above the data. A PNG is the SVG drawn by `resvg`, so both show the same picture.

mod bars;
mod canvas;
mod heatmaps;
mod histograms;
mod lines;
mod raster;
mod scale;
#[cfg(test)]
mod tests;

pub use bars::{Bar, BarPanel, Bars};
pub use heatmaps::{Grid, Heatmaps, Shared};
pub use histograms::{HistogramPanel, Histograms, Sample, steps};
pub use lines::{LinePanel, LinePlot, Point, Reference, Series};
pub use raster::png;
pub use scale::Axis;

use serde::{Deserialize, Serialize};

/// Why a figure could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// Nothing to draw.
    #[error("there is nothing to draw: {0}")]
    Empty(String),
    /// Data that does not fit together.
    #[error("{what} has {found} {unit}, the figure needs {needed}")]
    Shape {
        /// Which part.
        what: String,
        /// How many it has.
        found: usize,
        /// Of what.
        unit: &'static str,
        /// How many there must be.
        needed: usize,
    },
    /// An axis that cannot be.
    #[error("the axis {label:?} cannot go from {low} to {high}{}", if *log { " on a logarithmic scale" } else { "" })]
    Range {
        /// The axis.
        label: String,
        /// Its lower end.
        low: f64,
        /// Its upper end.
        high: f64,
        /// Logarithmic.
        log: bool,
    },
    /// The drawing library failed.
    #[error("drawing failed: {0}")]
    Drawing(String),
    /// The picture cannot be made of the SVG.
    #[error("the picture of {width} by {height} pixels cannot be made: {reason}")]
    Raster {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Why not.
        reason: String,
    },
}

impl PlotError {
    /// An error unless a part has as many of something as the figure needs.
    fn unless_equal(what: String, found: usize, unit: &'static str, needed: usize) -> Result<(), Self> {
        if found == needed {
            return Ok(());
        }
        Err(Self::Shape {
            what,
            found,
            unit,
            needed,
        })
    }
}

/// Any figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Figure {
    /// Curves with bands.
    Lines(LinePlot),
    /// Maps of values.
    Heatmaps(Heatmaps),
    /// Distributions of samples.
    Histograms(Histograms),
    /// Bars with error bars.
    Bars(Bars),
}

impl Figure {
    /// The figure as an SVG document. Its text refers to DejaVu Sans, or else the reader's sans serif.
    ///
    /// # Errors
    /// No data, data that does not fit together, or an impossible axis.
    pub fn svg(&self) -> Result<String, PlotError> {
        match self {
            Self::Lines(lines) => lines.svg(),
            Self::Heatmaps(maps) => maps.svg(),
            Self::Histograms(histograms) => histograms.svg(),
            Self::Bars(bars) => bars.svg(),
        }
    }
}
