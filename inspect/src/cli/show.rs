//! `thermoflow replay show`: one trajectory.

use super::Place;
use super::text::{Table, clock};
use crate::InspectError;
use crate::groups::number;
use crate::replay::Replay;
use crate::show::{Id, Judge, Step, Trace};
use std::io::Write;
use std::path::PathBuf;
use thermoflow::config::RunConfig;
use thermoflow::console::{Output, print_json};
use thermoflow::task::Task;

const EXAMPLES: &str = "\
Examples:
  thermoflow replay show runs/a GATTACAA                         the first trajectory to an object
  thermoflow replay show runs/a b3f4b88edb078826:1700            a trajectory, as `top` names it
  thermoflow replay show runs/a GATTACAA --checkpoint runs/a     and what the newest policy says of it";

/// Shows one trajectory step by step, and what a policy would rather have done
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// INCARNATION:SEQ, or an object: the first trajectory to it
    #[arg(value_name = "ID")]
    id: Id,
    /// Ask this policy: a checkpoint directory, a run directory (its newest checkpoint) or a .safetensors file
    #[arg(long, value_name = "C")]
    checkpoint: Option<PathBuf>,
    /// Alternatives to show for each step
    #[arg(long, default_value_t = 3, value_name = "N")]
    alternatives: usize,
    /// The task, where the replay lies in no run directory
    #[arg(long)]
    task: Option<String>,
    /// Print JSON, with all alternatives
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let replay = self.place.open()?;
        let task = task(&replay, self.task.as_deref())?;
        let mut judge = match (&self.checkpoint, &task) {
            (None, _) => None,
            (Some(checkpoint), Some(task)) => Some(Judge::load(checkpoint, task)?),
            (Some(_), None) => {
                let message =
                    "the replay lies in no run directory: --task NAME says what it is of (`thermoflow tasks`)";
                return Err(InspectError::Input(message.into()).into());
            }
        };
        let trace = Trace::read(&replay, &self.id, task.as_ref(), judge.as_mut())?;
        if self.json {
            return print_json(&trace, out);
        }
        print_facts(&trace, out)?;
        print_steps(&trace, self.alternatives, out)
    }
}

/// The task by name, else the run's.
pub fn task(replay: &Replay, name: Option<&str>) -> anyhow::Result<Option<Task>> {
    match name {
        Some(name) => Ok(Some(Task::load(&RunConfig::published(name)?.task)?)),
        None => Ok(replay.task()?),
    }
}

fn print_facts(trace: &Trace, out: &mut Output) -> anyhow::Result<()> {
    let mut facts = Table::facts();
    let mut fact = |name: &str, value: String| facts.row([name.to_owned(), value]);
    fact("trajectory", trace.id.clone());
    fact("x", format!("{} (seen {} times)", trace.x, trace.seen));
    fact(
        "y",
        format!("{}, log R {} nats", number(trace.y), number(trace.log_reward.into())),
    );
    fact("β", number(trace.beta.into()));
    fact(
        "sampled",
        format!("{} by {}, round {}", clock(trace.received_us), trace.actor, trace.round),
    );
    fact(
        "with",
        format!("policy version {}, {} behind", trace.policy_version, trace.staleness),
    );
    fact("log P_F then", format!("{} nats", number(trace.log_pf)));
    if let Some(judged) = &trace.judged {
        fact("asked", judged.checkpoint.clone());
        let [log_pf, log_pb, log_z, target, residual] = [
            judged.log_pf,
            judged.log_pb,
            judged.log_z,
            judged.log_target,
            judged.residual,
        ]
        .map(number);
        fact("log P_F, log P_B", format!("{log_pf}, {log_pb} nats"));
        fact("log Z(β), β·log R", format!("{log_z}, {target} nats"));
        fact(
            "TB residual",
            format!("{residual} nats (log Z + log P_F − β·log R − log P_B)"),
        );
    }
    Ok(write!(out, "{facts}")?)
}

fn print_steps(trace: &Trace, alternatives: usize, out: &mut Output) -> anyhow::Result<()> {
    let header = ["step", "action", "state", "P_F", "P_B", "would rather"];
    let columns = match (trace.steps.is_empty(), &trace.judged) {
        (true, _) => return Ok(()),
        (false, None) => 3,
        (false, Some(_)) => header.len(),
    };
    let mut table = Table::new(&header[..columns]);
    table.left_from(2);
    table.row(["0".into(), String::new(), quoted(&trace.steps[0].state)]);
    for (place, step) in trace.steps.iter().enumerate() {
        let mut cells = vec![(place + 1).to_string(), step.action.to_string(), quoted(&step.next)];
        if trace.judged.is_some() {
            let p = |log: Option<f64>| log.map_or_else(String::new, |log| format!("{:.3}", log.exp()));
            cells.extend([p(step.log_pf), p(step.log_pb), rather(step, alternatives)]);
        }
        table.row(cells);
    }
    Ok(write!(out, "\n{table}")?)
}

/// The empty string is a state, too.
fn quoted(state: &str) -> String {
    if state.is_empty() {
        "(empty)".into()
    } else {
        state.into()
    }
}

/// The likeliest other children.
fn rather(step: &Step, count: usize) -> String {
    let others = step.alternatives.iter().filter(|other| !other.chosen).take(count);
    let others = others.map(|other| format!("{} {:.3}", other.state, other.probability));
    others.collect::<Vec<_>>().join(", ")
}
