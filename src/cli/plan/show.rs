//! A plan as a table for people: a line for every number, a column for every number of actors.

use super::{Column, Plan};
use crate::cli::Output;
use std::io::Write;
use thermoflow::plan::{Reward, Scenario};

/// Width of the names.
const NAMES: usize = 34;

/// Width of a column.
const WIDTH: usize = 11;

/// A line's name, and its number in a column; None leaves the place empty.
type Line = (&'static str, fn(&Column) -> Option<String>);

const PREDICTED: [Line; 23] = [
    ("trajectories a second", |c| {
        Some(rate(c.prediction.trajectories_per_second))
    }),
    ("rewards a second", |c| Some(rate(c.prediction.rewards_per_second))),
    ("gradient steps a second", |c| Some(rate(c.prediction.steps_per_second))),
    ("staleness, median (versions)", |c| {
        c.prediction.staleness_p50.map(|age| format!("{age:.0}"))
    }),
    ("staleness, largest", |c| {
        c.prediction.staleness_max.map(|age| format!("{age:.0}"))
    }),
    ("too stale to be trained on", |c| {
        Some(percent(c.prediction.stale_share))
    }),
    ("sent again", |c| Some(percent(c.prediction.resent_share))),
    ("learner: training", |c| Some(percent(c.prediction.learner.training))),
    ("learner: replay", |c| Some(percent(c.prediction.learner.ingest))),
    ("learner: network task", |c| Some(percent(c.prediction.learner.network))),
    ("cores of the learner's machine", |c| {
        Some(percent(c.prediction.learner.cores))
    }),
    ("cores of the actors' machines", |c| {
        c.prediction.actor_cores.map(percent)
    }),
    ("actors: rolling out", |c| Some(percent(c.prediction.actors_rolling))),
    ("actors: waiting for rewards", |c| {
        Some(percent(c.prediction.actors_scoring))
    }),
    ("actors: waiting for the learner", |c| {
        Some(percent(c.prediction.actors_waiting_for_acks))
    }),
    ("actors: waiting for weights", |c| {
        Some(percent(c.prediction.actors_waiting_for_weights))
    }),
    ("messages to the learner a second", |c| {
        Some(rate(c.prediction.messages_up_per_second))
    }),
    ("messages from the learner a second", |c| {
        Some(rate(c.prediction.messages_down_per_second))
    }),
    ("to the learner (MB a second)", |c| {
        Some(megabytes(c.prediction.bytes_up_per_second))
    }),
    ("from the learner (MB a second)", |c| {
        Some(megabytes(c.prediction.bytes_down_per_second))
    }),
    ("the learner's link, to it", |c| linked(c, c.prediction.learner.link_up)),
    ("the learner's link, from it", |c| {
        linked(c, c.prediction.learner.link_down)
    }),
    ("disk (GB a day)", |c| {
        Some(format!("{:.1}", c.prediction.disk_bytes_per_day / 1e9))
    }),
];

const MEASURED: [Line; 5] = [
    ("measured: trajectories a second", |c| {
        Some(rate(c.measured.as_ref()?.trajectories_per_second))
    }),
    ("predicted beside that", |c| {
        let measured = c.measured.as_ref()?.trajectories_per_second;
        Some(format!(
            "{:+.1} %",
            100.0 * (c.prediction.trajectories_per_second / measured - 1.0)
        ))
    }),
    ("measured: rewards a second", |c| {
        c.measured.as_ref()?.rewards_per_second.map(rate)
    }),
    ("measured: staleness, median", |c| {
        c.measured.as_ref()?.staleness_p50.map(|age| format!("{age:.0}"))
    }),
    ("measured: disk (GB a day)", |c| {
        Some(format!("{:.1}", c.measured.as_ref()?.disk_bytes_per_day / 1e9))
    }),
];

/// Prints it, with advice for the last column.
pub fn print(plan: &Plan, out: &mut Output) -> anyhow::Result<()> {
    let Some(last) = plan.plans.last() else { return Ok(()) };
    writeln!(out, "{}; costs of {}", about(&last.scenario), plan.costs.machine)?;
    writeln!(out)?;
    line(
        out,
        "actors",
        plan.plans.iter().map(|c| Some(c.scenario.actors.to_string())),
    )?;
    for (name, number) in PREDICTED.iter().chain(&MEASURED) {
        let numbers: Vec<Option<String>> = plan.plans.iter().map(number).collect();
        if numbers.iter().any(Option::is_some) {
            line(out, name, numbers.into_iter())?;
        }
    }
    line(
        out,
        "limit",
        plan.plans.iter().map(|c| Some(c.advice.limit.name().into())),
    )?;
    writeln!(out)?;
    if plan.plans.len() > 1 {
        write!(out, "With {} actors: ", last.scenario.actors)?;
    }
    writeln!(out, "{}", last.advice)?;
    for column in plan.plans.iter().filter(|column| !column.prediction.is_steady) {
        writeln!(out, "{}", unsteady(column))?;
    }
    Ok(())
}

/// What a simulation that ended before it was steady is worth.
fn unsteady(column: &Column) -> String {
    let (prediction, actors) = (&column.prediction, column.scenario.actors);
    let known = match prediction.relative_error {
        error if error.is_finite() => format!("its rates are known to {}", percent(error)),
        _ => "its rates are not known".into(),
    };
    format!(
        "With {actors} actors the simulation had not become steady when it ended: {known} from its last {:.0} s, in which {} of \
         what was rolled out was trained on.",
        prediction.simulated_seconds,
        percent(prediction.trajectories_per_second / prediction.rewards_per_second.max(f64::MIN_POSITIVE))
    )
}

fn line(out: &mut Output, name: &str, numbers: impl Iterator<Item = Option<String>>) -> std::io::Result<()> {
    write!(out, "{name:<NAMES$}")?;
    for number in numbers {
        write!(out, " {:>WIDTH$}", number.unwrap_or_default())?;
    }
    writeln!(out)
}

fn about(scenario: &Scenario) -> String {
    let reward = match scenario.reward {
        Reward::Computed => "rewards by the task's own scores".into(),
        Reward::Waited(seconds) => format!("{} ms a reward", seconds * 1e3),
    };
    let machines = match scenario.nodes {
        1 => format!("one machine with {} cores", scenario.cores),
        nodes => format!(
            "{nodes} machines with {} cores each, one of them the learner's, {} Gbit/s",
            scenario.cores, scenario.gbit
        ),
    };
    let slow = match scenario.slow.actors {
        0 => String::new(),
        count => format!(", {count} of them {} times as slow", scenario.slow.factor),
    };
    let relays = match scenario.relays {
        true => format!(", behind {}", relays(scenario.connections())),
        false => String::new(),
    };
    format!("Actors on {machines}{relays}; {reward}{slow}")
}

fn relays(count: usize) -> String {
    match count {
        1 => "a relay".into(),
        _ => format!("{count} relays"),
    }
}

fn linked(column: &Column, share: f64) -> Option<String> {
    (column.scenario.nodes > 1).then(|| percent(share))
}

/// Three digits are known at most.
fn rate(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

fn megabytes(bytes: f64) -> String {
    format!("{:.2}", bytes / 1e6)
}

fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 10.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}
