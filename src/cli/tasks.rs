//! `thermoflow tasks`: what can be trained on.

use super::Output;
use serde::Serialize;
use std::io::Write;
use thermoflow::env::Growth;
use thermoflow::task::reward::RewardShape;
use thermoflow::task::{KINDS, TaskKind};

const EXAMPLES: &str = "\
Examples:
  thermoflow tasks
  thermoflow tasks --json | python3 -m json.tool";

/// Lists the tasks: objects, modes, reward
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    summary: &'static str,
    alphabet: &'static str,
    length: usize,
    objects: u64,
    states: u64,
    modes: usize,
    growth: Growth,
    takes_table: bool,
    reward: RewardShape,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let rows: Vec<Row> = KINDS.iter().map(|kind| Row::new(kind)).collect();
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &rows)?;
            writeln!(out)?;
            return Ok(());
        }
        for row in rows {
            row.print(out)?;
        }
        Ok(())
    }
}

impl Row {
    fn new(kind: &TaskKind) -> Self {
        Self {
            name: kind.name,
            summary: kind.summary,
            alphabet: kind.alphabet,
            length: kind.length,
            objects: kind.objects,
            states: kind.states(),
            modes: kind.modes,
            growth: kind.published.growth,
            takes_table: kind.takes_table,
            reward: kind.published.reward,
        }
    }

    fn print(&self, out: &mut Output) -> std::io::Result<()> {
        let RewardShape {
            cap,
            floor,
            y_max,
            exponent,
        } = self.reward;
        let growth = match self.growth {
            Growth::PrependAppend => "prepend-append (or append-only)",
            Growth::AppendOnly => "append-only (or prepend-append)",
        };
        writeln!(out, "{}: {}", self.name, self.summary)?;
        writeln!(
            out,
            "  objects  {}, strings of {} letters of {}",
            self.objects, self.length, self.alphabet
        )?;
        writeln!(out, "  states   {}", self.states)?;
        writeln!(out, "  modes    {}", self.modes)?;
        writeln!(out, "  growth   {growth}")?;
        writeln!(out, "  reward   R = {cap}·(max(y, {floor})/{y_max})^{exponent}")?;
        if self.takes_table {
            writeln!(out, "  table    another one can be given (task.table)")?;
        }
        Ok(())
    }
}
