//! `thermoflow replay top`: the best objects.

use super::Question;
use super::text::{Table, clock, count};
use crate::groups::number;
use crate::top::{Diverse, top};
use std::io::Write;
use thermoflow::console::{Output, print_json};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay top runs/a
  thermoflow replay top runs/a -n 100 --diverse 3 --json
  thermoflow replay top runs/a --where \"beta < 1\"";

/// Lists the best distinct x: y, when, by whom and at which β it was first seen, and how often
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    question: Question,
    /// How many
    #[arg(short, long, default_value_t = 20)]
    number: usize,
    /// Leave out what differs from a better one in fewer places than this (insertions and deletions count where lengths
    /// differ)
    #[arg(long, value_name = "D")]
    diverse: Option<usize>,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let (replay, filter) = self.question.open()?;
        let task = self.diverse.and_then(|_| replay.task().ok().flatten());
        let diverse = self.diverse.map(|distance| Diverse {
            distance,
            task: task.as_ref(),
        });
        let found = top(&replay, &filter, self.number, diverse)?;
        if self.question.json {
            return print_json(&found, out);
        }
        let mut table = Table::new(&[
            "x",
            "y",
            "log R",
            "seen",
            "first at β",
            "round",
            "actor",
            "time",
            "trajectory",
        ]);
        for best in found {
            table.row([
                best.x,
                number(best.y),
                number(best.log_reward),
                count(best.seen),
                number(best.first.beta),
                best.first.round.to_string(),
                best.first.actor,
                clock(best.first.received_us),
                format!("{}:{}", best.first.incarnation, best.first.seq),
            ]);
        }
        Ok(write!(out, "{table}")?)
    }
}
