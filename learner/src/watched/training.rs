//! A report of training as numbers for Prometheus.

use prometheus_client::registry::{Registry, Unit};
use thermoflow::metrics::{MetricsRow, WaitingFor};
use thermoflow_watch::metrics::{self, Counter, Gauge, Gauges, counter, gauge, gauges};

/// See the module. They change with every report (`learner.report_every` rounds).
#[derive(Debug, Clone)]
pub(crate) struct TrainingNumbers {
    rounds: Counter,
    seconds: Gauge,
    distinct: Gauge,
    modes: Gauge,
    policy_version: Gauge,
    loss: Gauges,
    gradient_norm: Gauges,
    skipped: Counter,
    mean_y: Gauge,
    top100_y: Gauge,
    top100_diversity: Gauge,
    waiting: Gauges,
}

/// The values of the label `side`.
const SIDES: [&str; 3] = ["nothing", "actors", "learner"];

impl TrainingNumbers {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            rounds: counter(r, "rounds", None, "Rounds finished, over all sessions of the run"),
            seconds: gauge(
                r,
                "training",
                Some(Unit::Seconds),
                "Time spent training, over all sessions of the run",
            ),
            distinct: gauge(r, "distinct_objects", None, "Distinct objects that training knows"),
            modes: gauge(r, "modes_found", None, "Listed modes of the task that were found"),
            policy_version: gauge(r, "policy_version", None, "Version of the learner's weights"),
            loss: gauges(r, "loss", "Loss of the last step, in square nats"),
            gradient_norm: gauges(r, "gradient_norm", "Norm of the last step's gradient before clipping"),
            skipped: counter(
                r,
                "gradient_steps_skipped",
                None,
                "Gradient steps skipped because something was not finite",
            ),
            mean_y: gauge(r, "mean_y", None, "Mean score of everything sampled"),
            top100_y: gauge(r, "top100_y", None, "Mean score of the best 100 distinct objects"),
            top100_diversity: gauge(
                r,
                "top100_diversity",
                None,
                "Mean pairwise Hamming distance of the best 100 distinct objects",
            ),
            waiting: gauges(
                r,
                "waiting_for",
                "Which side kept the other waiting, 1 for the one that holds",
            ),
        }
    }

    /// Takes over a report.
    pub fn set(&self, row: &MetricsRow) {
        metrics::set(&self.rounds, row.round);
        metrics::set(&self.skipped, row.skipped_steps);
        self.seconds.set(row.seconds);
        self.distinct.set(row.distinct as f64);
        self.modes.set(row.modes as f64);
        self.policy_version.set(row.policy_version as f64);
        self.mean_y.set(row.mean_y.unwrap_or(f64::NAN));
        self.top100_y.set(row.top100_y.unwrap_or(f64::NAN));
        self.top100_diversity.set(row.top100_diversity.unwrap_or(f64::NAN));
        let losses = [("online", row.loss_online), ("replay", row.loss_replay)];
        set_known(&self.loss, "step", &losses);
        let norms = [
            ("forward", row.gradient_norm_forward),
            ("backward", row.gradient_norm_backward),
            ("log_z", row.gradient_norm_log_z),
            ("log_flow", row.gradient_norm_log_flow),
        ];
        set_known(&self.gradient_norm, "part", &norms);
        let side = match row.waiting_for {
            WaitingFor::Nothing => SIDES[0],
            WaitingFor::Actors => SIDES[1],
            WaitingFor::Learner => SIDES[2],
        };
        metrics::set_case(&self.waiting, "side", &SIDES, side);
    }
}

fn set_known(gauges: &Gauges, label: &'static str, values: &[(&'static str, Option<f64>)]) {
    for &(case, value) in values {
        if let Some(value) = value {
            gauges.get_or_create(&[(label, case.into())]).set(value);
        }
    }
}
