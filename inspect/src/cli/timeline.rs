//! `thermoflow replay timeline`: how a run went.

use super::Question;
use super::draw::{Picture, curve, save};
use crate::figure;
use crate::timeline::{Over, Part, Timeline};
use std::io::Write;
use thermoflow::console::{Output, print_json};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay timeline runs/a
  thermoflow replay timeline runs/a --over time --out progress.svg
  thermoflow replay timeline runs/a --where \"beta > 2\" --json";

/// Shows what was found by when (distinct x, modes, the best 100), and which β were used
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    question: Question,
    #[command(flatten)]
    axis: Axis,
    #[command(flatten)]
    picture: Picture,
}

/// How time is cut.
#[derive(Debug, clap::Args)]
pub struct Axis {
    /// What is to the right
    #[arg(long, value_enum, default_value = "rounds")]
    pub over: Over,
    /// Parts that the run is cut into
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub parts: u16,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let (replay, filter) = self.question.open()?;
        let task = replay.task_or_warning()?;
        let timeline = Timeline::read(
            &replay,
            &filter,
            task.as_ref(),
            (self.axis.over, self.axis.parts.into()),
        )?;
        if self.question.json && self.picture.out.is_none() {
            return print_json(&timeline, out);
        }
        if timeline.parts.is_empty() {
            return Ok(writeln!(out, "no trajectories")?);
        }
        let Some(path) = &self.picture.out else {
            return print(&timeline, out);
        };
        save(&figure::timelines(&[(replay.name(), timeline)]), path)?;
        Ok(writeln!(out, "{}", path.display())?)
    }
}

fn print(timeline: &Timeline, out: &mut Output) -> anyhow::Result<()> {
    let x = timeline.over.label();
    let mut draw = |title: &str, value: fn(&Part) -> f64| -> anyhow::Result<()> {
        let points: Vec<_> = timeline.parts.iter().map(|part| (part.at, value(part))).collect();
        curve(title, x, &points)
            .iter()
            .try_for_each(|line| writeln!(out, "{line}"))?;
        Ok(writeln!(out)?)
    };
    draw("distinct x", |part| part.distinct as f64)?;
    if timeline.has_modes {
        draw("modes found", |part| part.modes as f64)?;
    }
    draw("mean y of the best 100 x", |part| part.top100_y)?;
    draw("y, median", |part| part.y.p50)?;
    draw("β, median", |part| part.beta.p50)
}
