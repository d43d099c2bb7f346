//! What all figures share: the page, text, colours, charts and the legend.

use super::PlotError;
use super::scale::Scale;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Drawing units per pixel. The drawing library places things on whole units, which as pixels would make curves jagged.
pub(super) const UNIT: i32 = 10;

/// Family of all text: the font that [`super::png`] has, or whatever the reader's programs have.
const FONTS: &str = "DejaVu Sans, Helvetica, Arial, sans-serif";

/// Size of labels and of titles, pixels.
pub(super) const LABEL: f64 = 11.0;
/// Size of titles, pixels.
pub(super) const TITLE: f64 = 12.0;

/// The drawing library asks for the size of a line box and writes this share of it.
const LINE_BOX: f64 = 1.24;

/// Mean width of a letter, as a share of the text's size; on the wide side.
const LETTER: f64 = 0.6;

/// Text.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Frames and reference lines.
pub(super) const GREY: RGBColor = RGBColor(0x55, 0x55, 0x55);
/// Grid lines.
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

/// Okabe and Ito's colours, without the yellow that is too light for a thin line.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x00, 0x00, 0x00),
];

/// A part of the page, in units.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A chart with our scales.
pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, Scale>>;
/// What drawing returns.
pub(super) type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<std::io::Error>>;

/// The colour of the series at `place` among `of` in the legend. More than there are colours to tell apart follow each
/// other along viridis, without its lightest end.
pub(super) fn colour(place: usize, of: usize) -> RGBColor {
    match COLOURS.get(place) {
        Some(colour) if of <= COLOURS.len() => *colour,
        _ => ViridisRGB.get_color(0.9 * place as f32 / (of.max(2) - 1) as f32),
    }
}

/// Units of so many pixels.
pub(super) fn units(pixels: impl Into<f64>) -> i32 {
    (pixels.into() * f64::from(UNIT)).round() as i32
}

/// A line of so many pixels.
pub(super) fn stroke(colour: RGBColor, pixels: f64) -> ShapeStyle {
    colour.stroke_width(units(pixels) as u32)
}

/// A document of `width` by `height` pixels, white, with what `paint` draws.
pub(super) fn page(width: i32, height: i32, paint: impl FnOnce(&Area) -> Drawn) -> Result<String, PlotError> {
    let mut inner = String::new();
    {
        let size = (units(width) as u32, units(height) as u32);
        let area = SVGBackend::with_string(&mut inner, size).into_drawing_area();
        let drawn = area
            .fill(&WHITE)
            .and_then(|()| paint(&area))
            .and_then(|()| area.present());
        drawn.map_err(|error| PlotError::Drawing(error.to_string()))?;
    }
    let (w, h) = (units(width), units(height));
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {w} {h}\">\n{inner}</svg>\n"
    ))
}

/// Text of a size in pixels, anchored at its middle.
pub(super) fn font<'a>(size: f64) -> TextStyle<'a> {
    let size = size * LINE_BOX * f64::from(UNIT);
    TextStyle::from((FONTS, size).into_font())
        .color(&INK)
        .pos(Pos::new(HPos::Center, VPos::Center))
}

/// Bold text, as titles are.
pub(super) fn title_font<'a>() -> TextStyle<'a> {
    let mut style = font(TITLE);
    style.font = style.font.style(FontStyle::Bold);
    style
}

/// Writes text at a place in pixels.
pub(super) fn write(area: &Area, text: &str, style: TextStyle, (x, y): (f64, f64), side: HPos) -> Drawn {
    let style = style.pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_owned(), (units(x), units(y)), style))
}

/// About how wide a text of [`LABEL`] size is, pixels.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER * LABEL
}

/// Space around a chart's plotting area, pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// For the title.
    pub top: i32,
    /// For the numbers and the name of the x axis.
    pub bottom: i32,
    /// For those of the y axis.
    pub left: i32,
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            top: 24,
            bottom: 34,
            left: 58,
        }
    }
}

/// A chart with title, thin grid and labelled axes, ready to be drawn into.
pub(super) fn chart<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    (x, x_label): (Scale, &str),
    (y, y_label): (Scale, &str),
) -> Drawn<Chart<'a, 'b>> {
    let frame = Frame::default();
    let named = matches!(x, Scale::Named(_));
    let mut chart = ChartBuilder::on(area)
        .margin_top(units(frame.top))
        .margin_right(units(20))
        .margin_bottom(units(6))
        .margin_left(units(4))
        .x_label_area_size(units(frame.bottom))
        .y_label_area_size(units(frame.left))
        .build_cartesian_2d(x, y)?;
    let mut mesh = chart.configure_mesh();
    if named {
        mesh.disable_x_mesh();
    }
    mesh.max_light_lines(0)
        .x_labels(7)
        .y_labels(7)
        .bold_line_style(stroke(GRID, 0.8))
        .axis_style(stroke(GREY, 0.8))
        .label_style(font(LABEL))
        .axis_desc_style(font(LABEL))
        .set_all_tick_mark_size(units(4))
        .x_desc(x_label)
        .y_desc(y_label)
        .draw()?;
    let middle = f64::from(area.dim_in_pixel().0) / f64::from(UNIT) / 2.0 + f64::from(frame.left) / 2.0;
    write(
        area,
        title,
        title_font(),
        (middle, f64::from(frame.top) / 2.0),
        HPos::Center,
    )?;
    Ok(chart)
}

/// How a legend shows an entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mark {
    /// A line of that colour.
    Line(RGBColor),
    /// A filled box of that colour.
    Box(RGBColor),
    /// A dashed grey line.
    Dashes,
}

/// Names and marks in rows above the charts, where they cover no data.
#[derive(Debug, Default)]
pub(super) struct Legend {
    rows: Vec<Vec<(String, Mark, f64)>>,
}

/// Height of a row of the legend, pixels.
const ROW: i32 = 20;
/// Length of a mark, pixels.
const MARK: f64 = 22.0;
/// Space behind a mark and behind a name, pixels.
const GAP: f64 = 7.0;

impl Legend {
    /// Fits the entries into `width` pixels.
    pub(super) fn new(entries: Vec<(String, Mark)>, width: i32) -> Self {
        let mut legend = Self::default();
        let mut room = 0.0;
        for (name, mark) in entries {
            let needed = MARK + 3.0 * GAP + text_width(&name);
            if legend.rows.is_empty() || needed > room {
                legend.rows.push(Vec::new());
                room = f64::from(width);
            }
            room -= needed;
            legend.rows.last_mut().expect("just pushed").push((name, mark, needed));
        }
        legend
    }

    /// Pixels.
    pub(super) fn height(&self) -> i32 {
        let rows = self.rows.len() as i32;
        if rows > 0 { rows * ROW + 6 } else { 0 }
    }

    /// Draws it at the top of `area`, each row in the middle.
    pub(super) fn draw(&self, area: &Area) -> Drawn {
        let width = f64::from(area.dim_in_pixel().0) / f64::from(UNIT);
        for (place, row) in self.rows.iter().enumerate() {
            let mut x = (width - row.iter().map(|(_, _, width)| width).sum::<f64>()) / 2.0 + GAP;
            let y = 6.0 + f64::from(ROW) * (place as f64 + 0.5);
            for (name, mark, needed) in row {
                draw_mark(area, *mark, x, y)?;
                write(area, name, font(LABEL), (x + MARK + GAP, y), HPos::Left)?;
                x += needed;
            }
        }
        Ok(())
    }
}

fn draw_mark(area: &Area, mark: Mark, x: f64, y: f64) -> Drawn {
    let ends = |x1: f64, x2: f64| vec![(units(x1), units(y)), (units(x2), units(y))];
    match mark {
        Mark::Line(colour) => area.draw(&PathElement::new(ends(x, x + MARK), stroke(colour, 2.0))),
        Mark::Box(colour) => {
            let corners = [(units(x + 8.0), units(y - 6.0)), (units(x + MARK), units(y + 6.0))];
            area.draw(&Rectangle::new(corners, colour.filled()))
        }
        Mark::Dashes => (0..3).try_for_each(|dash| {
            let start = x + f64::from(dash) * 8.0;
            area.draw(&PathElement::new(ends(start, start + 5.0), stroke(GREY, 1.2)))
        }),
    }
}

/// The names in order of their first appearance.
pub(super) fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}
