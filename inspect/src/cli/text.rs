//! Numbers, tables and small curves as text for people.

use comfy_table::{CellAlignment, ContentArrangement, presets};
use indicatif::{HumanBytes, HumanCount, HumanDuration};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::widgets::Widget;
use ratatui_widgets::sparkline::Sparkline;
use std::fmt;
use std::time::Duration;
use time::macros::format_description;
use time::{OffsetDateTime, UtcDateTime};

/// A table with aligned columns: names to the left, numbers to the right.
pub struct Table(comfy_table::Table);

impl Table {
    /// With these columns.
    pub fn new(header: &[&str]) -> Self {
        let mut table = Self::facts();
        table.0.set_header(header);
        for column in table.0.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// Without a header, all to the left: names and what they stand for.
    pub fn facts() -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        Self(table)
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.add_row(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0.trim_fmt())
    }
}

/// A small curve, a character per value.
pub fn sparkline(values: &[u64]) -> String {
    let area = Rect::new(0, 0, values.len() as u16, 1);
    lines(Sparkline::default().data(values), area).concat()
}

/// What a widget draws, as lines of text.
pub fn lines(widget: impl Widget, area: Rect) -> Vec<String> {
    let mut buffer = Buffer::empty(area);
    widget.render(area, &mut buffer);
    let row = |y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..area.height).map(|y| row(y).trim_end().to_owned()).collect()
}

/// 1,234,567.
pub fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// 12.3 MiB.
pub fn bytes(number: u64) -> String {
    HumanBytes(number).to_string()
}

/// Three digits.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// 3 minutes.
pub fn seconds(seconds: f64) -> String {
    if seconds < 120.0 {
        return format!("{seconds:.1} s");
    }
    HumanDuration(Duration::from_secs_f64(seconds)).to_string()
}

/// A time, UTC, from microseconds since 1970-01-01.
pub fn clock(microseconds: i64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1000);
    let text = time.ok().and_then(|time| UtcDateTime::from(time).format(&format).ok());
    text.unwrap_or_else(|| format!("{microseconds} µs"))
}
