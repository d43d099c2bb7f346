//! A report on one HTML page: what was run, tables, figures, notes, and where the numbers are. Data in, text out; no
//! scripts, and nothing that a reader's program would have to fetch.

mod table;
#[cfg(test)]
mod tests;

pub use table::Table;

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What the page says.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The heading.
    pub title: String,
    /// One or two sentences below it.
    pub summary: String,
    /// The command that makes it again.
    pub command: String,
    /// When it was made.
    pub date: String,
    /// What it was made on.
    pub machine: String,
    /// Numbers.
    pub tables: Vec<Table>,
    /// Pictures.
    pub figures: Vec<ReportFigure>,
    /// What a reader has to know to judge them, one paragraph each.
    pub notes: Vec<String>,
    /// Files beside the page.
    pub files: Vec<FileLink>,
}

/// A picture with its caption.
#[derive(Debug, Clone, Default)]
pub struct ReportFigure {
    /// An SVG document of our own making: it becomes part of the page as it is.
    pub svg: String,
    /// Below it; the alternative text as well.
    pub caption: String,
}

/// A file that lies beside the page.
#[derive(Debug, Clone, Default)]
pub struct FileLink {
    /// Its name, relative to the page.
    pub name: String,
    /// What is in it.
    pub about: String,
}

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1c1c1c; --soft: #666; --ground: #fff; --line: #ddd; --code: #f4f4f4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --soft: #a0a0a0; --ground: #161616; --line: #383838; --code: #242424; }
}
body { max-width: 66rem; margin: 2.5rem auto; padding: 0 1.2rem; color: var(--ink); background: var(--ground);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin-bottom: .3rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.soft { color: var(--soft); }
code { background: var(--code); padding: .1em .35em; border-radius: 4px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; } dd { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1.6rem 0; } figcaption { color: var(--soft); font-size: .92rem; }
figure .paper { background: #fff; border-radius: 6px; padding: .6rem; overflow-x: auto; text-align: center; }
figure svg { max-width: 100%; height: auto; }
";

impl Report {
    /// The page.
    pub fn html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (self.title) }
                    p.soft { (self.summary) }
                    (self.facts())
                    @for figure in &self.figures { (figure.html()) }
                    @if !self.tables.is_empty() { h2 { "Numbers" } }
                    @for table in &self.tables { (table.html()) }
                    @if !self.notes.is_empty() { h2 { "Notes" } }
                    @for note in &self.notes { p { (note) } }
                    (self.links())
                }
            }
        };
        page.into_string()
    }

    fn facts(&self) -> Markup {
        html! {
            dl {
                dt { "Command" } dd { code { (self.command) } }
                dt { "Made" } dd { (self.date) }
                dt { "Machine" } dd { (self.machine) }
            }
        }
    }

    fn links(&self) -> Markup {
        html! {
            @if !self.files.is_empty() {
                h2 { "Files" }
                ul { @for file in &self.files { li { a href=(file.name) { (file.name) } " – " (file.about) } } }
            }
        }
    }
}

impl ReportFigure {
    fn html(&self) -> Markup {
        html! {
            figure {
                div.paper role="img" aria-label=(self.caption) { (PreEscaped(&self.svg)) }
                figcaption { (self.caption) }
            }
        }
    }
}
