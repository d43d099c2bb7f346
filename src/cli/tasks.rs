//! `thermoflow tasks`: what can be trained on.

use super::Output;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Write;
use thermoflow::config::OfflineConfig;
use thermoflow::console::print_json;
use thermoflow::task::reward::RewardShape;
use thermoflow::task::{KINDS, TaskKind};

const EXAMPLES: &str = "\
Examples:
  thermoflow tasks
  thermoflow tasks rna1 sequence
  thermoflow tasks --json | python3 -m json.tool

A problem of your own is a configuration with task.name = \"sequence\", or a file and a line: docs/your-own-task.md.";

/// Lists the tasks: objects, modes, reward, settings
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Only these
    #[arg(value_name = "TASK")]
    names: Vec<String>,
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
    /// What of `[task]` is set unless a configuration says otherwise.
    defaults: Map<String, Value>,
    hidden: usize,
    epsilon: f32,
    rounds: u64,
    offline: OfflineConfig,
    reward: RewardShape,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let asked: Result<Vec<&TaskKind>, _> = self.names.iter().map(|name| TaskKind::find(name)).collect();
        let kinds = if self.names.is_empty() { KINDS.to_vec() } else { asked? };
        let rows = kinds.into_iter().map(Row::new).collect::<anyhow::Result<Vec<Row>>>()?;
        if self.json {
            return print_json(&rows, out);
        }
        for row in rows {
            row.print(out)?;
        }
        Ok(())
    }
}

impl Row {
    fn new(kind: &TaskKind) -> anyhow::Result<Self> {
        let mut defaults = Map::new();
        if let Value::Object(config) = serde_json::to_value(kind.config())? {
            let set = config.into_iter().filter(|(_, value)| !value.is_null());
            defaults.extend(set.filter(|(key, _)| kind.takes.contains(&&key[..])));
        }
        Ok(Self {
            defaults,
            offline: kind.published.offline.clone(),
            name: kind.name,
            summary: kind.summary,
            objects: kind.objects,
            takes: kind.takes,
            hidden: kind.published.hidden,
            epsilon: kind.published.epsilon,
            rounds: kind.published.rounds,
            reward: kind.config().reward,
        })
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
            "  training hidden size {}, ε {}, {} rounds",
            self.hidden, self.epsilon, self.rounds
        )?;
        let OfflineConfig { sample, share, .. } = self.offline;
        let from = match sample {
            0 => "all".to_owned(),
            _ => format!("{sample} random"),
        };
        let percent = 100.0 * share;
        writeln!(out, "  offline  the lowest {percent} % of {from} objects by reward")?;
        let settings: Vec<String> = self.takes.iter().map(|key| self.setting(key)).collect();
        writeln!(out, "  settings {}", settings.join(", "))
    }

    /// A key of `[task]`, with its default if it has one.
    fn setting(&self, key: &str) -> String {
        match self.defaults.get(key) {
            Some(value) => format!("task.{key} = {value}"),
            None => format!("task.{key}"),
        }
    }
}
