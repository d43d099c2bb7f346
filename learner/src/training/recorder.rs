//! What training writes down: rows of metrics.jsonl, TensorBoard series, lines of progress.

use super::FleetNow;
use anyhow::Context;
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use thermoflow::checkpoint::TrainerState;
use thermoflow::metrics::{ActorCount, EventWriter, MetricsLog, MetricsRow, WaitingFor, quantile};
use thermoflow::protocol::secure::Rejected;
use thermoflow::protocol::{PeerReport, Waiting};
use thermoflow::replay::Dataset;
use thermoflow::task::oracle::OracleHealth;
use thermoflow::trainer::StepReport;
use thermoflow::units::{Incarnation, PolicyVersion};

/// Lines of progress come at most this often.
const LINE_EVERY: Duration = Duration::from_millis(200);

/// The rate of a line of progress is that of this many lines: two seconds.
const RATE_OVER: usize = 10;

/// The share of time spent waiting from which on a side counts as waited for.
const WAITING_SHARE: f64 = 0.3;

/// See the module.
pub(super) struct Recorder {
    log: MetricsLog,
    events: EventWriter,
    fleet: FleetNow,
    modes_listed: usize,
    online: StepReport,
    replay: Option<StepReport>,
    staleness: Vec<u64>,
    waited: Duration,
    /// How many trajectories each actor had sent at the last report.
    taken: HashMap<Incarnation, u64>,
    /// When the last report was made, and with how many trajectories.
    reported: (Instant, u64),
    /// When lines were written, and how many trajectories had been trained on.
    lines: VecDeque<(Instant, u64)>,
}

impl Recorder {
    /// Opens the files of a run and forgets what they say of rounds after the state's: those are done again.
    pub fn open(run_dir: &Path, state: &TrainerState, modes_listed: usize, fleet: FleetNow) -> anyhow::Result<Self> {
        let (mut log, _) = MetricsLog::open(&run_dir.join("metrics.jsonl"))?;
        log.truncate_after(state.round)?;
        let dir = run_dir.join("tensorboard");
        let events = EventWriter::create(&dir, now(), state.round + 1)
            .with_context(|| format!("TensorBoard files in {} cannot be written", dir.display()))?;
        Ok(Self {
            log,
            events,
            fleet,
            modes_listed,
            online: StepReport::default(),
            replay: None,
            staleness: Vec::new(),
            taken: HashMap::new(),
            waited: Duration::ZERO,
            reported: (Instant::now(), state.trajectories),
            lines: VecDeque::new(),
        })
    }

    pub fn waited_for_actors(&mut self, time: Duration) {
        self.waited += time;
    }

    /// Notes how old trajectories were when they came.
    pub fn staleness(&mut self, newest: PolicyVersion, versions: impl Iterator<Item = PolicyVersion>) {
        self.staleness
            .extend(versions.map(|version| newest.0.saturating_sub(version.0)));
    }

    /// Notes the steps of a round.
    pub fn steps(&mut self, online: StepReport, replay: Option<StepReport>) {
        self.online = online;
        self.replay = replay;
    }

    /// Writes a row, and starts the next report.
    pub fn report(&mut self, state: &TrainerState, data: &Dataset, inbox_full: bool) -> anyhow::Result<MetricsRow> {
        let row = self.row(state, data, inbox_full);
        self.log.append(&row)?;
        self.events
            .append(&row, now())
            .context("TensorBoard files cannot be written")?;
        self.staleness.clear();
        self.waited = Duration::ZERO;
        self.reported = (Instant::now(), state.trajectories);
        Ok(row)
    }

    fn row(&mut self, state: &TrainerState, data: &Dataset, inbox_full: bool) -> MetricsRow {
        let elapsed = self.reported.0.elapsed().as_secs_f64();
        let rate = (state.trajectories - self.reported.1) as f64 / elapsed;
        let [forward, backward, log_z, log_flow] =
            self.online.gradient_norms.map(|norm| Some(norm).filter(|&n| n > 0.0));
        let fleet = (self.fleet)();
        let peers = &fleet.actors;
        let oracle = |count: fn(&OracleHealth) -> u64| {
            let asked = peers.iter().any(|peer| peer.status.oracle.calls > 0);
            asked.then(|| peers.iter().map(|peer| count(&peer.status.oracle)).sum())
        };
        let (oracle_calls, oracle_failed) = (oracle(|o| o.calls), oracle(|o| o.failed));
        let (oracle_timeouts, oracle_restarts) = (oracle(|o| o.timeouts), oracle(|o| o.restarts));
        let actors = peers.iter().map(|peer| self.actor_count(peer, elapsed)).collect();
        self.taken = peers.iter().map(|peer| (peer.incarnation, peer.taken)).collect();
        MetricsRow {
            round: state.round,
            seconds: state.seconds,
            trajectories: state.trajectories,
            distinct: data.len() as u64,
            modes: data.modes_found() as u64,
            loss_online: Some(self.online.loss),
            loss_replay: self.replay.map(|report| report.loss),
            mean_y: data.mean_y(),
            top100_y: data.top_mean_y(),
            top100_diversity: data.top_diversity(),
            policy_version: state.policy_version.0,
            staleness_p50: quantile(&mut self.staleness, 0.5).map(|s| s as f64),
            staleness_max: quantile(&mut self.staleness, 1.0).map(|s| s as f64),
            gradient_norm_forward: forward,
            gradient_norm_backward: backward,
            gradient_norm_log_z: log_z,
            gradient_norm_log_flow: log_flow,
            skipped_steps: state.counters.get("skipped_steps").copied().unwrap_or_default(),
            oracle_calls,
            oracle_failed,
            oracle_timeouts,
            oracle_restarts,
            rejected: Some(fleet.rejected).filter(|rejected| *rejected != Rejected::default()),
            trajectories_per_second: Some(rate).filter(|rate| rate.is_finite()),
            waiting_for: self.waiting_for(inbox_full),
            fleet: Some(fleet.counters),
            actors,
        }
    }

    /// One actor's part of a row that is written `elapsed` seconds after the last.
    fn actor_count(&self, peer: &PeerReport, elapsed: f64) -> ActorCount {
        let before = self.taken.get(&peer.incarnation).copied().unwrap_or_default();
        let rate = peer.taken.saturating_sub(before) as f64 / elapsed;
        ActorCount {
            name: peer.name.to_string(),
            trajectories: peer.taken,
            present: peer.present,
            quarantined: peer.quarantined,
            silent_seconds: peer.silent.as_secs_f64(),
            trajectories_per_second: Some(rate).filter(|rate| rate.is_finite()),
            staleness: peer.staleness,
            dropped: peer.dropped,
        }
    }

    fn waiting_for(&self, inbox_full: bool) -> WaitingFor {
        if self.waited.as_secs_f64() > WAITING_SHARE * self.reported.0.elapsed().as_secs_f64() {
            WaitingFor::Actors
        } else if inbox_full {
            WaitingFor::Learner
        } else {
            WaitingFor::Nothing
        }
    }

    /// True, and noted, when a line of progress is due; `trained` is the number of trajectories trained on.
    pub fn is_time_for_a_line(&mut self, trained: u64) -> bool {
        let due = self.lines.back().is_none_or(|(at, _)| at.elapsed() >= LINE_EVERY);
        if due {
            self.lines.push_back((Instant::now(), trained));
            if self.lines.len() > RATE_OVER {
                self.lines.pop_front();
            }
        }
        due
    }

    /// A line of progress.
    pub fn line(&self, event: &str, state: &TrainerState, rounds: u64, data: &Dataset) -> serde_json::Value {
        let mut staleness = self.staleness.clone();
        let rate = self
            .lines
            .front()
            .zip(self.lines.back())
            .map(|(first, last)| (last.1 - first.1) as f64 / last.0.duration_since(first.0).as_secs_f64());
        json!({
            "event": event,
            "round": state.round,
            "rounds": rounds,
            "seconds": state.seconds,
            "trajectories": state.trajectories,
            "distinct": data.len(),
            "modes": data.modes_found(),
            "modes_listed": self.modes_listed,
            "mean_y": data.mean_y(),
            "top100_y": data.top_mean_y(),
            "loss_online": self.online.loss,
            "loss_replay": self.replay.map(|report| report.loss),
            "trajectories_per_second": rate.filter(|rate| rate.is_finite()),
            "staleness_p50": quantile(&mut staleness, 0.5),
            "staleness_max": quantile(&mut staleness, 1.0),
            "waiting_for": self.waiting_for(false),
            "actors": (self.fleet)().actors.iter().map(actor).collect::<Vec<_>>(),
        })
    }
}

fn actor(peer: &PeerReport) -> serde_json::Value {
    let waiting = match peer.status.waiting {
        Waiting::Nothing => "nothing",
        Waiting::Weights => "weights",
        Waiting::Work => "work",
        Waiting::Acks => "acks",
    };
    json!({
        "name": &*peer.name,
        "present": peer.present,
        "quarantined": peer.quarantined,
        "silent_seconds": peer.silent.as_secs_f64(),
        "taken": peer.taken,
        "outbox": peer.status.outbox,
        "oracle": peer.status.oracle,
        "waiting": waiting,
    })
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}
