//! Writes what was found: results.csv, table.md, the figures as SVG and PNG, report.html. Each file is whole or absent.

use super::folder::Folder;
use anyhow::Context;
use thermoflow::durable;
use thermoflow::experiment::{Experiment, Findings, FinishedJob, write_csv};
use thermoflow::plot;
use thermoflow::process;
use thermoflow::report::{FileLink, Report, ReportFigure, Table};
use time::OffsetDateTime;
use time::macros::format_description;

/// A PNG has so many pixels for one of the SVG: sharp in print at the width of a column.
const PNG_SCALE: f32 = 3.0;

/// Writes everything; returns the names of the files.
pub fn publish(
    experiment: &Experiment,
    folder: &Folder,
    jobs: &[FinishedJob],
    findings: &Findings,
    command: &str,
) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut write = |name: String, bytes: &[u8]| -> anyhow::Result<()> {
        durable::replace(&folder.path().join(&name), bytes).with_context(|| format!("writing {name} failed"))?;
        files.push(name);
        Ok(())
    };
    let mut csv = Vec::new();
    write_csv(experiment.name, jobs, &findings.records, &mut csv)?;
    write("results.csv".into(), &csv)?;
    let tables: Vec<String> = findings.tables.iter().map(Table::markdown).collect();
    write("table.md".into(), tables.join("\n").as_bytes())?;
    let mut figures = Vec::new();
    for figure in &findings.figures {
        let svg = figure.figure.svg().with_context(|| format!("figure {}", figure.name))?;
        write(format!("{}.svg", figure.name), svg.as_bytes())?;
        write(format!("{}.png", figure.name), &plot::png(&svg, PNG_SCALE)?)?;
        let caption = figure.caption.clone();
        figures.push(ReportFigure { svg, caption });
    }
    let report = Report {
        title: format!("Experiment {}", experiment.name),
        summary: experiment.summary.into(),
        command: command.into(),
        date: now(),
        machine: process::machine(),
        tables: findings.tables.clone(),
        figures,
        notes: findings.notes.clone(),
        files: links(findings),
    };
    write("report.html".into(), report.html().as_bytes())?;
    Ok(files)
}

fn links(findings: &Findings) -> Vec<FileLink> {
    let link = |name: String, about: &str| FileLink {
        name,
        about: about.into(),
    };
    let mut links = vec![
        link("results.csv".into(), "every number of every run, in long format"),
        link("table.md".into(), "the tables above as Markdown"),
    ];
    for figure in &findings.figures {
        links.push(link(format!("{}.svg", figure.name), "a figure, for print"));
        links.push(link(format!("{}.png", figure.name), "the same as a picture"));
    }
    links
}

fn now() -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    OffsetDateTime::now_utc().format(&format).unwrap_or_default()
}
