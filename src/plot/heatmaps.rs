//! Maps of values in rows and columns of panels, with colour bars.

use super::canvas::{self, Area, Drawn, GREY, LABEL, TITLE, stroke, text_width, title_font, units, write};
use super::scale::number;
use super::{Axis, PlotError};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use serde::{Deserialize, Serialize};

/// A panel is at least so large, pixels.
const SIDE: i32 = 128;
/// Space between panels, pixels.
const GAP: i32 = 12;
/// Width of a colour bar and of its numbers, pixels.
const BAR: (i32, i32) = (12, 62);
/// Colours are told apart in so many steps.
const STEPS: f64 = 127.0;

/// Maps in rows and columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heatmaps {
    /// Above the columns, for example "β = 1".
    pub columns: Vec<String>,
    /// Left of the rows, for example "logit".
    pub rows: Vec<String>,
    /// `[rows][columns]`
    pub panels: Vec<Vec<Grid>>,
    /// Which panels have one colour scale.
    pub shared: Shared,
    /// What the colours say, with its unit.
    pub label: String,
}

/// A map of values, not negative or of any sign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Cells to the right.
    pub width: usize,
    /// `[height · width]`, from the lowest row upwards. Values that are not finite stay white.
    pub values: Vec<f64>,
}

/// Which panels have one colour scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shared {
    /// Those of a row; each row has a colour bar.
    Row,
    /// Those of a column; each column has a colour bar.
    Column,
    /// All.
    All,
}

impl Grid {
    fn height(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Pixels of a cell: whole ones, so that no seams show.
    fn cell(&self) -> i32 {
        let cells = self.width.max(self.height()) as i32;
        (SIDE + cells - 1) / cells.max(1)
    }

    fn size(&self) -> (i32, i32) {
        let cell = self.cell();
        (cell * self.width as i32, cell * self.height() as i32)
    }
}

/// Where everything is, pixels.
struct Layout {
    left: i32,
    top: i32,
    panel: (i32, i32),
}

impl Layout {
    fn place(&self, row: usize, column: usize) -> (i32, i32) {
        let x = self.left + column as i32 * (self.panel.0 + GAP);
        (x, self.top + row as i32 * (self.panel.1 + GAP))
    }
}

impl Heatmaps {
    pub(super) fn svg(&self) -> Result<String, PlotError> {
        self.check()?;
        let sizes = self.panels.iter().flatten().map(Grid::size);
        let panel = sizes.fold((0, 0), |(w, h), (width, height)| (w.max(width), h.max(height)));
        let longest = self
            .rows
            .iter()
            .map(|name| text_width(name) * 1.15 * TITLE / LABEL)
            .fold(0.0, f64::max);
        let layout = Layout {
            left: longest as i32 + 2 * GAP,
            top: 30,
            panel,
        };
        let (right, bottom) = layout.place(self.rows.len(), self.columns.len());
        let (width, height) = match self.shared {
            Shared::Column => (right, bottom + BAR.0 + 44),
            Shared::Row | Shared::All => (right + BAR.0 + BAR.1 + 18, bottom),
        };
        let scales = self.scales()?;
        canvas::page(width, height, |page| {
            self.titles(page, &layout)?;
            for (row, grids) in self.panels.iter().enumerate() {
                for (column, grid) in grids.iter().enumerate() {
                    let scale = scales[self.scale_of(row, column)];
                    draw_grid(page, grid, layout.place(row, column), scale)?;
                }
            }
            self.bars(page, &layout, &scales)
        })
    }

    fn check(&self) -> Result<(), PlotError> {
        if self.panels.is_empty() || self.columns.is_empty() {
            return Err(PlotError::Empty("there are no maps".into()));
        }
        PlotError::unless_equal("the list of maps".into(), self.panels.len(), "rows", self.rows.len())?;
        for (name, grids) in self.rows.iter().zip(&self.panels) {
            PlotError::unless_equal(format!("row {name:?}"), grids.len(), "maps", self.columns.len())?;
            for grid in grids {
                if grid.values.is_empty() {
                    return Err(PlotError::Empty(format!("a map in row {name:?} has no cell")));
                }
                PlotError::unless_equal(
                    format!("a map in row {name:?}"),
                    grid.values.len(),
                    "cells",
                    grid.width * grid.height(),
                )?;
            }
        }
        Ok(())
    }

    fn scale_of(&self, row: usize, column: usize) -> usize {
        match self.shared {
            Shared::Row => row,
            Shared::Column => column,
            Shared::All => 0,
        }
    }

    /// Lowest and highest value of each colour scale; that of probabilities and the like begins at 0.
    fn scales(&self) -> Result<Vec<[f64; 2]>, PlotError> {
        let count = 1 + self.scale_of(self.rows.len() - 1, self.columns.len() - 1);
        let axis = Axis::linear(self.label.as_str());
        let members = |scale: usize| {
            let all = self
                .panels
                .iter()
                .enumerate()
                .flat_map(|(row, grids)| grids.iter().enumerate().map(move |(column, grid)| (row, column, grid)));
            all.filter(move |(row, column, _)| self.scale_of(*row, *column) == scale)
                .flat_map(|(_, _, grid)| grid.values.iter().copied())
        };
        let ends = |scale| {
            let [low, high] = axis.scale(members(scale), false)?.ends();
            Ok(if high > 0.0 { [low.min(0.0), high] } else { [low, high] })
        };
        (0..count).map(ends).collect()
    }

    fn titles(&self, page: &Area, layout: &Layout) -> Drawn {
        for (column, name) in self.columns.iter().enumerate() {
            let x = f64::from(layout.place(0, column).0) + f64::from(layout.panel.0) / 2.0;
            write(page, name, title_font(), (x, f64::from(layout.top) / 2.0), HPos::Center)?;
        }
        for (row, name) in self.rows.iter().enumerate() {
            let y = f64::from(layout.place(row, 0).1) + f64::from(layout.panel.1) / 2.0;
            write(page, name, title_font(), (f64::from(layout.left - GAP), y), HPos::Right)?;
        }
        Ok(())
    }

    fn bars(&self, page: &Area, layout: &Layout, scales: &[[f64; 2]]) -> Drawn {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        let bottom = |row: usize| layout.place(row, 0).1 + layout.panel.1;
        match self.shared {
            Shared::Row => scales.iter().enumerate().try_for_each(|(row, scale)| {
                let (x, y) = layout.place(row, columns);
                self.upright_bar(page, x, [y, bottom(row)], *scale)
            }),
            Shared::All => {
                let (x, y) = layout.place(0, columns);
                self.upright_bar(page, x, [y, bottom(rows - 1)], scales[0])
            }
            Shared::Column => scales
                .iter()
                .enumerate()
                .try_for_each(|(column, scale)| {
                    let (x, y) = layout.place(rows, column);
                    lying_bar(page, [x, x + layout.panel.0], y, *scale)
                })
                .and_then(|()| {
                    let left = f64::from(layout.place(0, 0).0);
                    let right = f64::from(layout.place(0, columns - 1).0 + layout.panel.0);
                    let y = f64::from(bottom(rows - 1) + GAP + BAR.0 + 34);
                    write(
                        page,
                        &self.label,
                        canvas::font(LABEL),
                        ((left + right) / 2.0, y),
                        HPos::Center,
                    )
                }),
        }
    }

    fn upright_bar(&self, page: &Area, x: i32, [top, bottom]: [i32; 2], [low, high]: [f64; 2]) -> Drawn {
        let height = bottom - top;
        for step in 0..height {
            let y = bottom - step;
            let share = f64::from(step) / f64::from(height);
            cell(page, [(x, y - 1), (x + BAR.0, y)], shade(share))?;
        }
        frame(page, [(x, top), (x + BAR.0, bottom)])?;
        let ends = [
            (bottom - 5, low),
            ((top + bottom) / 2, (low + high) / 2.0),
            (top + 5, high),
        ];
        for (y, value) in ends {
            let place = (f64::from(x + BAR.0 + 5), f64::from(y));
            write(page, &short(value), canvas::font(LABEL), place, HPos::Left)?;
        }
        let style = canvas::font(LABEL).transform(FontTransform::Rotate270);
        let place = (f64::from(x + BAR.0 + BAR.1), f64::from(top + bottom) / 2.0);
        write(page, &self.label, style, place, HPos::Center)
    }
}

fn lying_bar(page: &Area, [left, right]: [i32; 2], y: i32, [low, high]: [f64; 2]) -> Drawn {
    let width = right - left;
    for step in 0..width {
        let share = f64::from(step) / f64::from(width);
        cell(page, [(left + step, y), (left + step + 1, y + BAR.0)], shade(share))?;
    }
    frame(page, [(left, y), (right, y + BAR.0)])?;
    let below = f64::from(y + BAR.0) + 10.0;
    write(
        page,
        &short(low),
        canvas::font(LABEL),
        (f64::from(left), below),
        HPos::Left,
    )?;
    write(
        page,
        &short(high),
        canvas::font(LABEL),
        (f64::from(right), below),
        HPos::Right,
    )
}

/// Three significant digits.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return number(value);
    }
    let unit = 10f64.powi(2 - value.abs().log10().floor() as i32);
    number((value * unit).round() / unit)
}

fn shade(share: f64) -> RGBColor {
    ViridisRGB.get_color(((share * STEPS).round() / STEPS) as f32)
}

/// Draws the cells; neighbours of one colour are one rectangle, which keeps files small.
fn draw_grid(page: &Area, grid: &Grid, (x, y): (i32, i32), [low, high]: [f64; 2]) -> Drawn {
    let (cell_size, (width, height)) = (grid.cell(), grid.size());
    let shade_of = |value: &f64| value.is_finite().then(|| shade((value - low) / (high - low)));
    for (row, values) in grid.values.chunks(grid.width).enumerate() {
        let top = y + height - (row as i32 + 1) * cell_size;
        let shades: Vec<_> = values.iter().map(shade_of).collect();
        let mut left = x;
        for run in shades.chunk_by(|a, b| a == b) {
            let right = left + run.len() as i32 * cell_size;
            if let Some(colour) = run[0] {
                cell(page, [(left, top), (right, top + cell_size)], colour)?;
            }
            left = right;
        }
    }
    frame(page, [(x, y), (x + width, y + height)])
}

fn cell(page: &Area, corners: [(i32, i32); 2], colour: RGBColor) -> Drawn {
    page.draw(&Rectangle::new(
        corners.map(|(x, y)| (units(x), units(y))),
        colour.filled(),
    ))
}

fn frame(page: &Area, corners: [(i32, i32); 2]) -> Drawn {
    page.draw(&Rectangle::new(
        corners.map(|(x, y)| (units(x), units(y))),
        stroke(GREY, 0.8),
    ))
}
