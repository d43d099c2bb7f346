//! The learner's work besides gradient steps: messages, the replay, metrics, checkpoints.

use super::compute::Computed;
use super::{Clock, Sample, Times};
use std::path::Path;
use std::time::{Duration, Instant};
use thermoflow::checkpoint::{Checkpoint, TrainerState};
use thermoflow::config::{Mode, RunConfig};
use thermoflow::metrics::{ActorCount, EventWriter, MetricsLog, MetricsRow};
use thermoflow::plan::{Bytes, LearnerCosts, MeasuredFor};
use thermoflow::protocol::{
    ActorStatus, Fleet, FleetAction, FleetEvent, FleetSettings, Hello, Route, ToLearner, decode_to_learner, encode,
};
use thermoflow::replay::{Received, Store};
use thermoflow::task::Task;
use thermoflow::units::{Incarnation, PolicyVersion, Seq};

/// Repetitions of what takes microseconds.
const OFTEN: u64 = 400;

/// Repetitions of what waits for the disk.
const SELDOM: u64 = 40;

/// Actors in a row of metrics, and in a fleet that is looked at.
const ACTORS: usize = 64;

/// Rows of the larger of two commits, whose difference is what rows cost.
const LARGE: usize = 2048;

/// What was measured here. Some costs are filled in by others.
pub struct Measured {
    pub costs: LearnerCosts,
    pub bytes: Bytes,
}

/// What messages cost, seconds and bytes.
pub struct Messages {
    pub encode: f64,
    pub receive: f64,
    pub receive_each: f64,
    pub tick_each: f64,
    pub bytes: f64,
    pub bytes_each: f64,
}

/// Everything that writes to the disk.
pub fn measure(config: &RunConfig, task: &Task, computed: &Computed, dir: &Path) -> anyhow::Result<Measured> {
    let replay = Commits::measure(config, task, &computed.sample, dir)?;
    let [(report, report_bytes), (full, full_bytes)] = [report(0, dir)?, report(ACTORS, dir)?];
    let costs = LearnerCosts {
        receive: 0.0,
        receive_each: 0.0,
        online: computed.online,
        replay: computed.replay,
        remember: computed.remember,
        publish: computed.publish,
        report,
        report_each: (full - report).max(0.0) / ACTORS as f64,
        checkpoint: checkpoint(task, computed, dir)?,
        tick_each: 0.0,
        commit: replay.fixed,
        commit_each: replay.each,
        commit_wait: replay.wait,
    };
    let bytes = Bytes {
        message: 0.0,
        trajectory: 0.0,
        weights: 0.0,
        row: replay.bytes,
        report: report_bytes,
        report_each: (full_bytes - report_bytes).max(0.0) / ACTORS as f64,
    };
    Ok(Measured { costs, bytes })
}

/// What commits cost.
struct Commits {
    fixed: f64,
    each: f64,
    wait: f64,
    bytes: f64,
}

impl Commits {
    /// Commits of one roll-out, then large ones.
    fn measure(config: &RunConfig, task: &Task, sample: &Sample, dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("replay.sqlite");
        let mut store = Store::open(&path)?;
        let small = MeasuredFor::new(config).actor_batch;
        let mut rows = sample.iter().cycle().zip(0..).map(|(trajectory, seq)| {
            let object = task.env.object_of(&trajectory.actions).expect("it was rolled out");
            Received {
                incarnation: Incarnation(1),
                actor_name: "actor-0".into(),
                seq: Seq(seq),
                staleness: 0,
                received_us: seq,
                trainable: true,
                trajectory: trajectory.clone(),
                object: task.env.format(&object),
            }
        });
        let mut commit = |count: usize, times: u64| -> anyhow::Result<[f64; 2]> {
            let (mut cpu, mut wait) = (Times::default(), Times::default());
            for _ in 0..times {
                let group: Vec<Received> = rows.by_ref().take(count).collect();
                let (wall, (spent, done)) = Clock::Wall.time(|| Clock::Cpu.time(|| store.commit(&group)));
                done?;
                cpu.add(spent);
                wait.add((wall - spent).max(0.0));
            }
            Ok([cpu.mean(), wait.mean()])
        };
        commit(small, 4)?;
        let [little, wait] = commit(small, SELDOM)?;
        let [much, _] = commit(LARGE, 6)?;
        let each = (much - little).max(0.0) / (LARGE.saturating_sub(small)).max(1) as f64;
        let count = store.counts()?.trajectories as f64;
        drop(rows);
        // Closing it writes everything into one file.
        drop(store);
        Ok(Self {
            fixed: (little - each * small as f64).max(0.0),
            each,
            wait,
            bytes: std::fs::metadata(&path)?.len() as f64 / count,
        })
    }
}

/// Seconds and bytes of a row of metrics with so many actors.
fn report(actors: usize, dir: &Path) -> anyhow::Result<(f64, f64)> {
    let dir = dir.join(format!("metrics-{actors}"));
    std::fs::create_dir(&dir)?;
    let path = dir.join("metrics.jsonl");
    let (mut log, _) = MetricsLog::open(&path)?;
    let mut events = EventWriter::create(&dir, 0.0, 1)?;
    let count = |number: usize| ActorCount {
        name: format!("actor-{number}"),
        trajectories: 1_000_000,
        present: true,
        silent_seconds: 0.123,
        trajectories_per_second: Some(1234.567),
        staleness: Some(12),
        ..ActorCount::default()
    };
    let numbers = [Some(1.2345); 4];
    let row = MetricsRow {
        trajectories: 1_000_000,
        loss_online: numbers[0],
        loss_replay: numbers[1],
        mean_y: numbers[2],
        top100_y: numbers[3],
        actors: (0..actors).map(count).collect(),
        ..MetricsRow::default()
    };
    let mut times = Times::default();
    for _ in 0..SELDOM {
        let (spent, done) = Clock::Cpu.time(|| -> anyhow::Result<()> {
            log.append(&row)?;
            Ok(events.append(&row, 0.0)?)
        });
        done?;
        times.add(spent);
    }
    let bytes = std::fs::metadata(&path)?.len() + std::fs::metadata(events.path())?.len();
    Ok((times.mean(), bytes as f64 / SELDOM as f64))
}

/// Seconds of a checkpoint.
fn checkpoint(task: &Task, computed: &Computed, dir: &Path) -> anyhow::Result<f64> {
    let mut times = Times::default();
    for round in 0..5 {
        let state = TrainerState {
            round,
            ..TrainerState::default()
        };
        let checkpoint = Checkpoint {
            task: task.name.clone(),
            policy: computed.trainer.parameters().clone(),
            optimizer: computed.trainer.optimizer().clone(),
            trainer: state,
        };
        let (spent, written) = Clock::Wall.time(|| checkpoint.write(dir));
        written?;
        times.add(spent);
    }
    Ok(times.mean())
}

/// Messages made, read, checked and answered.
pub fn messages(config: &RunConfig, task: &Task, sample: &Sample) -> anyhow::Result<Messages> {
    let batch = MeasuredFor::new(config).actor_batch.min(sample.len());
    let mut fleet = MeasuredFleet::new(config, task);
    let (mut encodes, mut reads, mut beats) = (Times::default(), Times::default(), Times::default());
    let mut bytes = 0.0;
    for number in 0..OFTEN {
        let first = (number as usize * batch) % (sample.len() - batch + 1);
        let mut rows = sample[first..first + batch].to_vec();
        // Async mode, in which the fleet is measured, knows versions that were published.
        rows.iter_mut().for_each(|row| row.policy_version = PolicyVersion(1));
        let first = Seq(number * batch as u64);
        let message = ToLearner::Trajectories { first, batch: rows };
        let (spent, message) = Clock::Cpu.time(|| encode(&message));
        encodes.add(spent / batch as f64);
        bytes += message.len() as f64;
        reads.add(fleet.receive(&message));
        beats.add(fleet.receive(&encode(&ToLearner::Heartbeat(ActorStatus::default()))));
    }
    let beat = encode(&ToLearner::Heartbeat(ActorStatus::default())).len() as f64;
    Ok(Messages {
        encode: encodes.mean(),
        receive: beats.mean(),
        receive_each: (reads.mean() - beats.mean()).max(0.0) / batch as f64,
        tick_each: fleet.tick_each(),
        bytes: beat,
        bytes_each: (bytes / OFTEN as f64 - beat).max(1.0) / batch as f64,
    })
}

/// A learner's fleet with some actors, of which one sends.
struct MeasuredFleet {
    fleet: Fleet,
    begin: Instant,
}

impl MeasuredFleet {
    fn new(config: &RunConfig, task: &Task) -> Self {
        let mut config = config.clone();
        config.train.mode = Mode::Async;
        let settings = FleetSettings {
            run: "plan".into(),
            config,
            attachment: None,
            published: None,
            known: Default::default(),
            first_round: 0,
            early: Vec::new(),
        };
        let mut fleet = Self {
            fleet: Fleet::new(settings, task),
            begin: Instant::now(),
        };
        fleet.handle(FleetEvent::Published(PolicyVersion(1)));
        for number in 0..ACTORS as u64 {
            let hello = Hello {
                incarnation: Incarnation(number),
                oldest: Seq(0),
                name: format!("actor-{number}"),
                host: "plan".into(),
                process: 0,
                device: String::new(),
            };
            fleet.handle(FleetEvent::Received(route(number), ToLearner::Hello(hello)));
        }
        fleet
    }

    fn handle(&mut self, event: FleetEvent) -> Vec<FleetAction> {
        let mut actions = Vec::new();
        self.fleet.handle(self.begin.elapsed(), event, &mut actions);
        actions
    }

    /// A message of the first actor: read, taken, acknowledged at once. What that takes.
    fn receive(&mut self, bytes: &[u8]) -> f64 {
        let (spent, ()) = Clock::Cpu.time(|| {
            let message = decode_to_learner(bytes).expect("it was encoded just now");
            let mut actions = self.handle(FleetEvent::Received(route(0), message));
            let commit = actions.iter().find_map(|action| match action {
                FleetAction::Commit(commit) => Some((commit.incarnation, commit.next)),
                _ => None,
            });
            if let Some((incarnation, next)) = commit {
                actions.extend(self.handle(FleetEvent::Committed { incarnation, next }));
            }
            for action in &actions {
                if let FleetAction::Send(_, answer) = action {
                    std::hint::black_box(encode(answer));
                }
            }
        });
        spent
    }

    /// Looking for silence and making a report, for each actor.
    fn tick_each(&mut self) -> f64 {
        let mut times = Times::default();
        for _ in 0..OFTEN {
            let (spent, _) = Clock::Cpu.time(|| {
                self.handle(FleetEvent::Tick);
                self.fleet.report(Duration::ZERO)
            });
            times.add(spent / ACTORS as f64);
        }
        times.mean()
    }
}

fn route(number: u64) -> Route {
    Route(number.to_le_bytes().as_slice().into())
}
