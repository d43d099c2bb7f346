//! What the parts of a run cost here: the real code on the given configuration, some seconds of it.
//!
//! Computations are timed by the CPU time of their thread, so that other work on the machine does little harm; what runs
//! on another device, or waits for the disk, by the clock.

mod compute;
mod learner;
mod link;

use anyhow::Context;
use indicatif::ProgressBar;
use std::time::{Duration, Instant};
use thermoflow::config::RunConfig;
use thermoflow::plan::{Bytes, Costs, LinkCosts, MeasuredFor, Reward};
use thermoflow::process;
use thermoflow::rollout::Trajectory;
use thermoflow::task::Task;

/// Trajectories of real roll-outs, for whatever is to be done with some.
type Sample = Vec<Trajectory>;

/// Measures for about `seconds`. `dir` is a directory on the disk that the run will be on.
///
/// # Errors
/// A device or an oracle that does not work, the disk, or sockets.
pub fn measure(
    config: &RunConfig,
    task: &Task,
    reward: Reward,
    seconds: f64,
    dir: &std::path::Path,
    bar: &ProgressBar,
) -> anyhow::Result<Costs> {
    let step = |message: &'static str| {
        bar.set_message(message);
        bar.inc(1);
    };
    step("measuring roll-outs and gradient steps");
    let computed = compute::measure(config, task, reward, Duration::from_secs_f64(0.5 * seconds))?;
    step("measuring what cores lose to each other");
    let speed_when_full = compute::speed_when_full(config, task, Duration::from_secs_f64(0.1 * seconds))?;
    step("measuring the replay, metrics and checkpoints");
    let dir = tempfile::tempdir_in(dir).with_context(|| format!("{} cannot be used", dir.display()))?;
    let mut learner = learner::measure(config, task, &computed, dir.path())?;
    step("measuring messages");
    let messages = learner::messages(config, task, &computed.sample)?;
    let seal_byte = link::seal_byte();
    let byte = link::byte().context("a connection to this machine itself")?;
    let message = link::message(&learner, &messages, dir.path())?;
    (learner.costs.receive, learner.costs.receive_each) = (messages.receive, messages.receive_each);
    learner.costs.tick_each = messages.tick_each;
    Ok(Costs {
        machine: process::machine(),
        cores: process::cores(),
        speed_when_full,
        measured_for: MeasuredFor::new(config),
        actor: thermoflow::plan::ActorCosts {
            encode: messages.encode,
            tick: link::tick()?,
            ..computed.actor
        },
        learner: learner.costs,
        link: LinkCosts {
            message,
            byte,
            seal_byte,
        },
        bytes: Bytes {
            message: messages.bytes,
            trajectory: messages.bytes_each,
            weights: computed.weight_bytes,
            ..learner.bytes
        },
    })
}

/// By which clock something is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// CPU time of this thread.
    Cpu,
    /// Time that passes.
    Wall,
}

impl Clock {
    /// The one for computations on a device.
    fn of_device(device: &str) -> Self {
        // libtorch has threads of its own.
        if device == "cpu" { Self::Cpu } else { Self::Wall }
    }

    /// What something takes, seconds, and what comes of it.
    fn time<T>(self, work: impl FnOnce() -> T) -> (f64, T) {
        let (cpu, wall) = (process::thread_cpu_time(), Instant::now());
        let result = work();
        let spent = match self {
            Self::Cpu => process::thread_cpu_time() - cpu,
            Self::Wall => wall.elapsed(),
        };
        (spent.as_secs_f64(), result)
    }
}

/// Times of the same work, again and again.
#[derive(Debug, Default)]
struct Times(Vec<f64>);

impl Times {
    fn add(&mut self, seconds: f64) {
        self.0.push(seconds);
    }

    /// Their mean, without the tenth at either end: a pause of the machine is no cost of the work.
    fn mean(&self) -> f64 {
        let mut times = self.0.clone();
        times.sort_by(f64::total_cmp);
        let cut = times.len() / 10;
        let kept = &times[cut..times.len() - cut];
        kept.iter().sum::<f64>() / kept.len().max(1) as f64
    }
}
