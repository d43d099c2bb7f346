//! `thermoflow tasks`: what can be trained on.

use super::Output;
use serde::Serialize;
use std::io::Write;
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
    objects: &'static str,
    takes: &'static [&'static str],
    hidden: usize,
    epsilon: f32,
    rounds: u64,
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
            objects: kind.objects,
            takes: kind.takes,
            hidden: kind.published.hidden,
            epsilon: kind.published.epsilon,
            rounds: kind.published.rounds,
            reward: kind.config().reward,
        }
    }

    fn print(&self, out: &mut Output) -> std::io::Result<()> {
        let RewardShape {
            cap,
            floor,
            y_max,
            exponent,
        } = self.reward;
        writeln!(out, "{}: {}", self.name, self.summary)?;
        writeln!(out, "  objects  {}", self.objects)?;
        writeln!(out, "  reward   R = {cap}·(max(y, {floor})/{y_max})^{exponent}")?;
        writeln!(
            out,
            "  defaults hidden size {}, ε {}, {} rounds",
            self.hidden, self.epsilon, self.rounds
        )?;
        if !self.takes.is_empty() {
            writeln!(out, "  settings task.{}", self.takes.join(", task."))?;
        }
        Ok(())
    }
}
