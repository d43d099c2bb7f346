//! What a run will do, in numbers.

use serde::Serialize;

/// A run as it goes on, after its start. Rates are per second of the run, shares are 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Trajectories that are committed and taken by training.
    pub trajectories_per_second: f64,
    /// Half-width of the 95 % interval of that in the simulation, as a share of it. It says nothing of the costs.
    pub relative_error: f64,
    /// The rate was known well enough, and outboxes and queues had stopped filling, when the simulation ended.
    pub is_steady: bool,
    /// Objects scored.
    pub rewards_per_second: f64,
    /// Gradient steps.
    pub steps_per_second: f64,
    /// Messages that the learner gets; of actors, or of their relays.
    pub messages_up_per_second: f64,
    /// Messages that it sends.
    pub messages_down_per_second: f64,
    /// Bytes to the learner.
    pub bytes_up_per_second: f64,
    /// Bytes from the learner.
    pub bytes_down_per_second: f64,
    /// Rows of metrics.
    pub reports_per_second: f64,
    /// Median of how many versions old trajectories are when training takes them.
    pub staleness_p50: Option<f64>,
    /// Largest of the same.
    pub staleness_max: Option<f64>,
    /// Trajectories too stale to be trained on (`learner.max_staleness`).
    pub stale_share: f64,
    /// Trajectories that are sent again because they were not acknowledged in time.
    pub resent_share: f64,
    /// How busy the learner is.
    pub learner: Shares,
    /// Time of actors spent in roll-outs,
    pub actors_rolling: f64,
    /// in rewards,
    pub actors_scoring: f64,
    /// with a full outbox,
    pub actors_waiting_for_acks: f64,
    /// and waiting for weights.
    pub actors_waiting_for_weights: f64,
    /// How busy the cores of the actors' machines are; None where they share the learner's.
    pub actor_cores: Option<f64>,
    /// Seconds of the run that were looked at.
    pub simulated_seconds: f64,
    /// Bytes that the run directory grows by in a day, checkpoints aside.
    pub disk_bytes_per_day: f64,
}

/// How busy the parts of a learner are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shares {
    /// The training thread.
    pub training: f64,
    /// The network task.
    pub network: f64,
    /// The replay: computing, or waiting for the disk.
    pub ingest: f64,
    /// The cores of its machine.
    pub cores: f64,
    /// Its link, to it.
    pub link_up: f64,
    /// Its link, from it.
    pub link_down: f64,
}
