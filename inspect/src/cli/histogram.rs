//! `thermoflow replay histogram`: distributions.

use super::Question;
use super::draw::{Picture, bars, save};
use super::text::{Table, count, sparkline};
use crate::figure;
use crate::groups::{By, number};
use crate::histogram::{Histogram, Quantity};
use std::io::Write;
use thermoflow::console::{Output, print_json};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay histogram runs/a
  thermoflow replay histogram runs/a --by beta --out y.png
  thermoflow replay histogram runs/a --of staleness --by actor
  thermoflow replay histogram runs/a --of log_reward --where \"beta > 2\" --json";

/// Shows how often each value of y, log R, staleness … was seen, all together or by β, actor or policy version
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    question: Question,
    /// Of what
    #[arg(long, value_enum, default_value = "y")]
    of: Quantity,
    /// Split by what
    #[arg(long, value_enum)]
    by: Option<By>,
    /// About how many bins (of a round width)
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    bins: u16,
    #[command(flatten)]
    picture: Picture,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let (replay, filter) = self.question.open()?;
        let histogram = Histogram::count(&replay, &filter, (self.of, self.by), self.bins.into())?;
        if let Some(path) = &self.picture.out {
            save(&figure::histogram(&histogram), path)?;
        }
        if self.question.json {
            return print_json(&histogram, out);
        }
        match &self.picture.out {
            Some(path) => Ok(writeln!(out, "{}", path.display())?),
            None if histogram.groups.is_empty() => Ok(writeln!(out, "no trajectories")?),
            None if self.by.is_none() => print_one(&histogram, out),
            None => print_groups(&histogram, out),
        }
    }
}

fn print_one(histogram: &Histogram, out: &mut Output) -> anyhow::Result<()> {
    let group = &histogram.groups[0];
    let q = group.quantiles;
    writeln!(
        out,
        "{} of {} trajectories: mean {}, median {}, 5 % {}, 95 % {}, from {} to {}\n",
        histogram.of.label(),
        count(group.count),
        number(q.mean),
        number(q.p50),
        number(q.p5),
        number(q.p95),
        number(q.min),
        number(q.max),
    )?;
    let bins = histogram.edges.windows(2).zip(&group.counts);
    let bins: Vec<_> = bins
        .map(|(ends, count)| (bin_name(histogram.of, ends), *count))
        .collect();
    bars(&bins).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(())
}

/// Whole numbers lie in the middle of their bins.
fn bin_name(of: Quantity, ends: &[f64]) -> String {
    let whole = matches!(of, Quantity::Staleness | Quantity::Length);
    match (whole, ends[0] + 0.5, ends[1] - 0.5) {
        (true, low, high) if low >= high => number(low),
        (true, low, high) => format!("{}–{}", number(low), number(high)),
        (false, ..) => format!("{}–{}", number(ends[0]), number(ends[1])),
    }
}

fn print_groups(histogram: &Histogram, out: &mut Output) -> anyhow::Result<()> {
    let by = match histogram.by {
        Some(By::Beta) => "β",
        Some(By::Actor) => "actor",
        Some(By::Version) => "policy versions",
        None => "",
    };
    let [first, last] = [histogram.edges.first(), histogram.edges.last()].map(|edge| number(*edge.unwrap_or(&0.0)));
    let shape = format!("{first} … {last}");
    let mut table = Table::new(&[
        by,
        "trajectories",
        "mean",
        "5 %",
        "25 %",
        "median",
        "75 %",
        "95 %",
        "largest",
        &shape,
    ]);
    for group in &histogram.groups {
        let q = group.quantiles;
        let numbers = [q.mean, q.p5, q.p25, q.p50, q.p75, q.p95, q.max].map(number);
        let cells = [group.name.clone(), count(group.count)].into_iter().chain(numbers);
        table.row(cells.chain([sparkline(&group.counts)]));
    }
    writeln!(out, "{}\n", histogram.of.label())?;
    Ok(write!(out, "{table}")?)
}
