//! What pieces of work took, and what that comes to: trajectories a second, floating-point operations, the share of the machine.

use serde::Serialize;
use std::fmt::{self, Display};
use std::time::{Duration, Instant};
use thermoflow::console::check::native_speed;
use thermoflow::policy::native::flops;
use thermoflow::process;

/// When measuring ends.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// So many seconds were measured.
    Seconds(f64),
    /// The work was done so often: the same work on every machine.
    Repetitions(u64),
}

impl Until {
    /// How far `total` is, and where it ends, in numbers of one kind.
    fn progress(self, total: &Spent, repetitions: u64) -> [u64; 2] {
        match self {
            // Once at least.
            Self::Seconds(seconds) => [total.time.as_micros() as u64, ((seconds * 1e6) as u64).max(1)],
            Self::Repetitions(wanted) => [repetitions, wanted],
        }
    }
}

/// What a piece of work took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    trajectories: u64,
    time: Duration,
    /// Floating-point operations of the built-in kernels.
    flops: u64,
}

impl Spent {
    /// What `work` took, which says how many trajectories it did.
    pub fn on(work: impl FnOnce() -> anyhow::Result<usize>) -> anyhow::Result<Self> {
        let (start, before) = (Instant::now(), flops::so_far());
        let trajectories = work()? as u64;
        Ok(Self {
            trajectories,
            time: start.elapsed(),
            flops: flops::so_far() - before,
        })
    }

    fn add(&mut self, more: Self) {
        self.trajectories += more.trajectories;
        self.time += more.time;
        self.flops += more.flops;
    }
}

/// How fast work was.
#[derive(Debug, Clone, Serialize)]
pub struct Speed {
    pub repetitions: u64,
    pub trajectories: u64,
    pub seconds: f64,
    pub milliseconds_per_repetition: f64,
    pub trajectories_per_second: f64,
    /// Of the built-in kernels; None where another library computes, which does not tell.
    pub flops_per_trajectory: Option<f64>,
    pub gflops: Option<f64>,
    /// Of products of large matrices on one core; None where work is only repeated, which is to take no clock.
    pub machine_gflops: Option<f64>,
    pub share_of_machine: Option<f64>,
    pub peak_memory_bytes: Option<u64>,
}

/// Does the work again and again; `counts` says that the built-in kernels do it.
pub fn measure(until: Until, counts: bool, mut once: impl FnMut() -> anyhow::Result<Spent>) -> anyhow::Result<Speed> {
    let (mut total, mut repetitions) = (Spent::default(), 0);
    let [_, end] = until.progress(&total, 0);
    let bar = indicatif::ProgressBar::new(end);
    while until.progress(&total, repetitions)[0] < end {
        total.add(once()?);
        repetitions += 1;
        bar.set_position(until.progress(&total, repetitions)[0]);
    }
    bar.finish_and_clear();
    let machine = match until {
        Until::Seconds(_) => native_speed().gflops,
        Until::Repetitions(_) => None,
    };
    Ok(Speed::new(total, repetitions, counts, machine))
}

impl Speed {
    fn new(total: Spent, repetitions: u64, counts: bool, machine_gflops: Option<f64>) -> Self {
        let (seconds, trajectories) = (total.time.as_secs_f64(), total.trajectories as f64);
        let flops = counts.then_some(total.flops as f64);
        let gflops = flops.map(|flops| flops / seconds / 1e9);
        Self {
            repetitions,
            trajectories: total.trajectories,
            seconds,
            milliseconds_per_repetition: seconds * 1e3 / repetitions as f64,
            trajectories_per_second: trajectories / seconds,
            flops_per_trajectory: flops.map(|flops| flops / trajectories),
            gflops,
            machine_gflops,
            share_of_machine: gflops.zip(machine_gflops).map(|(ours, machine)| ours / machine),
            peak_memory_bytes: process::peak_memory(),
        }
    }
}

/// Two lines: the rate, and what of the machine it used.
impl Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} trajectories/s ({:.3} ms each for {} repetitions of {} trajectories)",
            self.trajectories_per_second,
            self.milliseconds_per_repetition,
            self.repetitions,
            self.trajectories / self.repetitions,
        )?;
        let mut parts = Vec::new();
        if let Some((each, gflops)) = self.flops_per_trajectory.zip(self.gflops) {
            parts.push(format!("{:.3} MFLOP a trajectory", each / 1e6));
            parts.push(format!("{gflops:.1} GFLOP/s"));
        }
        if let Some((share, machine)) = self.share_of_machine.zip(self.machine_gflops) {
            let share = 100.0 * share;
            parts.push(format!(
                "{share:.0} % of the {machine:.0} GFLOP/s of a product of large matrices"
            ));
        }
        if let Some(bytes) = self.peak_memory_bytes {
            parts.push(format!(
                "at most {:.0} MiB of memory",
                bytes as f64 / f64::from(1 << 20)
            ));
        }
        if parts.is_empty() {
            return Ok(());
        }
        write!(f, "\n  {}", parts.join(", "))
    }
}
