//! `thermoflow replay summary`: a replay at a glance.

use super::Question;
use super::text::{Table, bytes, clock, count, percent, seconds, sparkline};
use crate::groups::number;
use crate::sketch::Quantiles;
use crate::summary::{Span, Summary};
use std::io::Write;
use thermoflow::console::{Output, print_json};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay summary runs/a
  thermoflow replay summary runs/a --where \"beta > 2 AND actor = 'actor-0'\"
  thermoflow replay summary runs/a/replay.sqlite --json";

/// Shows what a replay holds: how much, by whom, at which β, with which weights
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    question: Question,
}

/// Actors that are listed; of more, the others are counted.
const LISTED: usize = 16;

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let (replay, filter) = self.question.open()?;
        let summary = Summary::read(&replay, &filter)?;
        if self.question.json {
            return print_json(&summary, out);
        }
        print_head(&summary, out)?;
        if summary.trajectories == 0 {
            return Ok(writeln!(
                out,
                "no trajectories{}",
                if filter.is_none() { " yet" } else { " pass --where" }
            )?);
        }
        print_betas(&summary, out)?;
        print_actors(&summary, out)?;
        print_versions(&summary, out)
    }
}

fn print_head(summary: &Summary, out: &mut Output) -> anyhow::Result<()> {
    let named =
        |name: &str, value: &Option<String>| value.as_ref().map_or_else(String::new, |v| format!(", {name} {v}"));
    writeln!(
        out,
        "{}{}{}",
        summary.name,
        named("run", &summary.run_id),
        named("task", &summary.task)
    )?;
    let per_trajectory = summary.bytes as f64 / summary.trajectories.max(1) as f64;
    let mut facts = Table::facts();
    let mut fact = |name: &str, value: String| facts.row([name.to_owned(), value]);
    fact("trajectories", count(summary.trajectories));
    fact(
        "distinct x",
        format!(
            "{} ({} duplicates)",
            count(summary.distinct),
            percent(summary.duplicates)
        ),
    );
    if let Some(modes) = summary.modes {
        let share = modes.found as f64 / modes.known.max(1) as f64;
        fact(
            "modes",
            format!("{} of {} ({})", count(modes.found), count(modes.known), percent(share)),
        );
    }
    if let Some(span) = &summary.span {
        let took = seconds((span.last_us - span.first_us) as f64 / 1e6);
        fact(
            "from, to",
            format!("{} to {} ({took})", clock(span.first_us), clock(span.last_us)),
        );
        fact("rate", rate(span));
    }
    if let Some(round) = summary.round {
        fact("last round", count(round as u64));
    }
    if let Some(trained) = summary.trained {
        let ratio = trained.replayed as f64 / trained.online.max(1) as f64;
        fact(
            "trained on",
            format!(
                "{} online, {} replayed ({} to 1; checkpoint of round {})",
                count(trained.online),
                count(trained.replayed),
                number(ratio),
                trained.round
            ),
        );
    }
    if let Some(staleness) = summary.staleness {
        let Quantiles { p50, p95, p99, max, .. } = staleness;
        fact(
            "staleness",
            format!(
                "median {p50}, 95 % {p95}, 99 % {p99}, largest {max} versions; {} too stale to train on",
                percent(summary.too_stale)
            ),
        );
    }
    fact(
        "on disk",
        format!(
            "{} ({} bytes a trajectory)",
            bytes(summary.bytes),
            number(per_trajectory)
        ),
    );
    Ok(write!(out, "{facts}")?)
}

fn rate(span: &Span) -> String {
    format!(
        "{} trajectories/s {}",
        number(span.per_second.round()),
        sparkline(&span.curve)
    )
}

fn print_betas(summary: &Summary, out: &mut Output) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        "β",
        "trajectories",
        "y: 5 %",
        "median",
        "95 %",
        "largest",
        "log R: 5 %",
        "median",
        "95 %",
        "largest",
    ]);
    for group in &summary.betas {
        let quantiles = |q: &Quantiles| [q.p5, q.p50, q.p95, q.max].map(number);
        let cells = [group.beta.clone(), count(group.trajectories)].into_iter();
        table.row(cells.chain(quantiles(&group.y)).chain(quantiles(&group.log_reward)));
    }
    Ok(write!(out, "\n{table}")?)
}

fn print_actors(summary: &Summary, out: &mut Output) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        "actor",
        "lives",
        "trajectories",
        "per s",
        "staleness: median",
        "95 %",
        "last",
        "rate",
    ]);
    let mut senders: Vec<_> = summary.actors.iter().collect();
    senders.sort_by_key(|sender| std::cmp::Reverse(sender.trajectories));
    for sender in senders.iter().take(LISTED) {
        table.row([
            sender.name.clone(),
            sender.lives.to_string(),
            count(sender.trajectories),
            number(sender.span.per_second.round()),
            number(sender.staleness.p50),
            number(sender.staleness.p95),
            clock(sender.span.last_us),
            sparkline(&sender.span.curve),
        ]);
    }
    write!(out, "\n{table}")?;
    if let Some(more) = senders.len().checked_sub(LISTED + 1) {
        writeln!(out, "and {} more actors (--json has all)", more + 1)?;
    }
    Ok(())
}

fn print_versions(summary: &Summary, out: &mut Output) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        "policy versions",
        "trajectories",
        "per s",
        "staleness: median",
        "largest",
    ]);
    for group in &summary.versions {
        let versions = if group.first == group.last {
            count(group.first as u64)
        } else {
            format!("{}–{}", count(group.first as u64), count(group.last as u64))
        };
        table.row([
            versions,
            count(group.trajectories),
            number(group.per_second.round()),
            number(group.staleness.p50),
            number(group.staleness.max),
        ]);
    }
    Ok(write!(out, "\n{table}")?)
}
