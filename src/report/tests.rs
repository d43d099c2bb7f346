//! The page is well-formed, whole, and cannot be broken by what it quotes.

use super::*;
use crate::plot::{Figure, LinePanel, LinePlot, Point, Series};
use quick_xml::Reader;
use quick_xml::events::Event;

const HOSTILE: &str = "</p><script>alert('&')</script> \"quoted\" | ]]>";

fn report() -> Report {
    let curve = Series {
        name: HOSTILE.into(),
        points: vec![Point::bare(0.0, 1.0), Point::bare(1.0, 2.0)],
        dots: true,
    };
    let panel = LinePanel {
        title: HOSTILE.into(),
        series: vec![curve],
        ..LinePanel::default()
    };
    let svg = Figure::Lines(LinePlot { panels: vec![panel] }).svg().unwrap();
    Report {
        title: HOSTILE.into(),
        summary: HOSTILE.into(),
        command: HOSTILE.into(),
        date: HOSTILE.into(),
        machine: HOSTILE.into(),
        tables: vec![Table {
            title: HOSTILE.into(),
            header: vec!["name".into(), HOSTILE.into()],
            rows: vec![vec![HOSTILE.into(), "1.5".into()]],
        }],
        figures: vec![ReportFigure {
            svg,
            caption: HOSTILE.into(),
        }],
        notes: vec![HOSTILE.into()],
        files: vec![FileLink {
            name: HOSTILE.into(),
            about: HOSTILE.into(),
        }],
    }
}

/// Names of all elements; panics where they do not close in order.
fn elements(page: &str) -> Vec<String> {
    // What HTML leaves open by definition is closed here, as XML wants it.
    let page = page
        .replace("initial-scale=1\">", "initial-scale=1\"/>")
        .replace("\"utf-8\">", "\"utf-8\"/>");
    let mut reader = Reader::from_str(&page);
    let mut names = Vec::new();
    let mut open = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) => {
                open += 1;
                names.push(tag.name().as_ref().to_owned());
            }
            Event::Empty(tag) => names.push(tag.name().as_ref().to_owned()),
            Event::End(_) => open -= 1,
            Event::Eof => break,
            _ => (),
        }
    }
    assert_eq!(open, 0);
    names
}

#[test]
fn hostile_text_stays_text() {
    let page = report().html();
    let names = elements(&page);
    assert!(!names.iter().any(|name| name == "script"), "{names:?}");
    for expected in ["h1", "table", "figure", "svg", "a", "code"] {
        assert!(names.iter().any(|name| name == expected), "{expected}");
    }
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
}

#[test]
fn nothing_is_fetched() {
    let page = report().html();
    for fetched in ["http:", "https:", "src=", "url(", "@import", "<link"] {
        let rest = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!rest.contains(fetched), "{fetched}");
    }
}

#[test]
fn markdown_cells_stay_cells() {
    let table = Table {
        title: "t".into(),
        header: vec!["a".into(), "b".into()],
        rows: vec![vec!["x|y".into(), "1".into()]],
    };
    assert_eq!(table.markdown(), "**t**\n\n| a | b |\n| --- | ---: |\n| x\\|y | 1 |\n");
}
