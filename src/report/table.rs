//! A table of texts, as HTML and as Markdown.

use maud::{Markup, html};

/// A table: the first column names a line, the others hold numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Above it.
    pub title: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// Lines of as many cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// As Markdown, with its title.
    pub fn markdown(&self) -> String {
        let ruler = (0..self.header.len()).map(|column| if column == 0 { "---" } else { "---:" }.to_owned());
        let mut text = format!(
            "**{}**\n\n{}{}",
            self.title,
            line(&self.header),
            line(&ruler.collect::<Vec<_>>())
        );
        self.rows.iter().for_each(|row| text += &line(row));
        text
    }

    pub(super) fn html(&self) -> Markup {
        html! {
            h3 { (self.title) }
            div.wide { table {
                thead { tr { @for name in &self.header { th { (name) } } } }
                tbody { @for row in &self.rows { tr { @for cell in row { td { (cell) } } } } }
            } }
        }
    }
}

fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
        .collect();
    format!("| {} |\n", cells.join(" | "))
}
