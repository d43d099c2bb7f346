//! Roll-outs, rewards, gradient steps.

use super::{Clock, Sample, Times};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use thermoflow::config::RunConfig;
use thermoflow::env::States;
use thermoflow::plan::{ActorCosts, MeasuredFor, Reward};
use thermoflow::process;
use thermoflow::protocol::weights::{Packed, Packer, to_bytes};
use thermoflow::rollout::{RollRequest, Roller, Trajectory};
use thermoflow::task::{ScoreError, Scorer, Task};
use thermoflow::trainer::Trainer;
use thermoflow::units::PolicyVersion;

/// Trajectories that are kept as a sample.
const SAMPLE: usize = 20_000;

/// Rounds before anything is timed: caches and data set fill.
const WARM_UP: u64 = 20;

/// What was measured here.
pub struct Computed {
    pub actor: ActorCosts,
    pub online: f64,
    pub replay: f64,
    pub remember: f64,
    pub publish: f64,
    /// Of a message with weights, bytes.
    pub weight_bytes: f64,
    pub sample: Sample,
    pub trainer: Trainer,
}

/// Scores, and knows how long that takes.
#[derive(Debug)]
struct TimedScorer {
    /// None: scores are made up, because the real ones take too long.
    inner: Option<Arc<dyn Scorer>>,
    made_up: f32,
    nanoseconds: AtomicU64,
}

impl Scorer for TimedScorer {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        let begin = process::thread_cpu_time();
        let scores = match &self.inner {
            Some(inner) => inner.score(objects),
            None => Ok(vec![self.made_up; objects.len()]),
        };
        let spent = process::thread_cpu_time() - begin;
        self.nanoseconds.fetch_add(spent.as_nanos() as u64, Ordering::Relaxed);
        scores
    }
}

impl TimedScorer {
    /// In place of the scorer of a task.
    fn put_into(task: &Task, reward: Reward) -> (Task, Arc<Self>) {
        // Rewards that are waited for are simulated; their program need not run.
        let real = matches!(reward, Reward::Computed) || task.scorer.is_repeatable();
        let scorer = Arc::new(Self {
            inner: real.then(|| task.scorer.clone()),
            made_up: task.reward.y_max as f32 / 2.0,
            nanoseconds: AtomicU64::new(0),
        });
        let mut task = task.clone();
        task.scorer = scorer.clone();
        (task, scorer)
    }

    /// Seconds since this was last asked.
    fn spent(&self) -> f64 {
        self.nanoseconds.swap(0, Ordering::Relaxed) as f64 * 1e-9
    }
}

/// A roller and a trainer taking turns as they do in a run, each part timed.
struct Turns {
    roller: Roller,
    trainer: Trainer,
    scorer: Arc<TimedScorer>,
    batch: u32,
    packer: Packer,
    /// Of the newest message with weights.
    weight_bytes: usize,
    rounds: u64,
    rolled: VecDeque<Trajectory>,
    actor: Clock,
    learner: Clock,
}

/// What takes its time in a turn.
#[derive(Default)]
struct Parts {
    load: Times,
    fresh: Times,
    again: Times,
    score: Times,
    online: Times,
    replay: Times,
    remember: Times,
    publish: Times,
}

/// Turns of roll-outs and training for so long.
pub fn measure(config: &RunConfig, task: &Task, reward: Reward, time: Duration) -> anyhow::Result<Computed> {
    let mut config = config.clone();
    // With few objects there would be nothing to replay.
    config.replay.min_objects = 1;
    let (task, scorer) = TimedScorer::put_into(task, reward);
    let mut turns = Turns {
        roller: Roller::new(&config, &task, config.seed)?,
        trainer: Trainer::new(&config, &task)?,
        scorer,
        batch: MeasuredFor::new(&config).actor_batch as u32,
        packer: Packer::new(config.learner.weights),
        weight_bytes: 0,
        rounds: 0,
        rolled: VecDeque::new(),
        actor: Clock::of_device(&config.actor.device),
        learner: Clock::of_device(&config.learner.device),
    };
    let (mut parts, mut sample) = (Parts::default(), Sample::new());
    let begin = Instant::now();
    while begin.elapsed() < time || parts.online.0.is_empty() {
        if turns.rounds == WARM_UP {
            parts = Parts::default();
        }
        turns.turn(&config, &mut parts, &mut sample)?;
    }
    Ok(Computed {
        actor: ActorCosts {
            load: parts.load.mean(),
            roll_fresh: parts.fresh.mean(),
            roll_again: parts.again.mean(),
            score: parts.score.mean(),
            tick: 0.0,
            encode: 0.0,
        },
        online: parts.online.mean(),
        replay: parts.replay.mean(),
        remember: parts.remember.mean(),
        publish: parts.publish.mean(),
        weight_bytes: turns.weight_bytes as f64,
        sample,
        trainer: turns.trainer,
    })
}

/// A message with the weights for whoever holds none; those that hold the version before may get a shorter one.
fn weights_message(packer: &mut Packer, version: PolicyVersion, trainer: &Trainer) -> Vec<u8> {
    packer
        .pack(version, 0.0, Arc::new(to_bytes(trainer.parameters())))
        .whole
}

impl Turns {
    /// New weights, two roll-outs with them, and training on what there is.
    fn turn(&mut self, config: &RunConfig, parts: &mut Parts, sample: &mut Sample) -> anyhow::Result<()> {
        self.rounds += 1;
        let (layout, version) = (self.roller.layout(), PolicyVersion(self.rounds));
        let (spent, message) = self
            .learner
            .time(|| weights_message(&mut self.packer, version, &self.trainer));
        parts.publish.add(spent);
        self.weight_bytes = message.len();
        let packed = Packed::whole(config.learner.weights, &to_bytes(self.trainer.parameters()));
        let roller = &mut self.roller;
        let (spent, loaded) = self
            .actor
            .time(|| -> anyhow::Result<()> { Ok(roller.load(version, &packed.unpack(&layout, None)?)?) });
        loaded?;
        parts.load.add(spent);
        for (number, times) in [&mut parts.fresh, &mut parts.again].into_iter().enumerate() {
            let request = RollRequest {
                round: 2 * self.rounds + number as u64,
                indices: 0..self.batch,
                progress: 0.0,
            };
            self.scorer.spent();
            let (spent, rolled) = self.actor.time(|| self.roller.roll(&request));
            let rolled = rolled?;
            let scoring = self.scorer.spent();
            times.add((spent - scoring).max(0.0));
            parts.score.add(scoring / f64::from(self.batch));
            if sample.len() < SAMPLE {
                sample.extend(rolled.iter().cloned());
            }
            self.rolled.extend(rolled);
        }
        while self.rolled.len() >= config.train.batch {
            let batch: Vec<_> = self.rolled.drain(..config.train.batch).collect();
            self.train(&batch, parts)?;
        }
        Ok(())
    }

    fn train(&mut self, batch: &[Trajectory], parts: &mut Parts) -> anyhow::Result<()> {
        let trainer = &mut self.trainer;
        let (spent, done) = self.learner.time(|| trainer.remember(batch));
        done?;
        parts.remember.add(spent / batch.len() as f64);
        let (spent, done) = self.learner.time(|| trainer.train_online(batch, 0.0));
        done?;
        parts.online.add(spent);
        let (spent, done) = self.learner.time(|| trainer.train_replay(self.rounds, 0.0));
        done?;
        parts.replay.add(spent);
        Ok(())
    }
}

/// Speed of a core while all others roll out too, as a share of its speed alone.
pub fn speed_when_full(config: &RunConfig, task: &Task, time: Duration) -> anyhow::Result<f64> {
    if Clock::of_device(&config.actor.device) != Clock::Cpu {
        return Ok(1.0);
    }
    let alone = roll_on(1, config, task, time)?;
    let full = roll_on(process::cores(), config, task, time)?;
    Ok((alone / full).clamp(0.1, 1.0))
}

/// CPU seconds of a roll-out and a gradient step on it while so many threads do the same.
fn roll_on(threads: usize, config: &RunConfig, task: &Task, time: Duration) -> anyhow::Result<f64> {
    let (task, _) = TimedScorer::put_into(task, Reward::Waited(0.0));
    let work = || -> anyhow::Result<f64> {
        let mut roller = Roller::new(config, &task, config.seed)?;
        let mut trainer = Trainer::new(config, &task)?;
        let mut times = Times::default();
        let begin = Instant::now();
        for round in 0.. {
            if begin.elapsed() >= time && round > 4 {
                break;
            }
            let (spent, done) = Clock::Cpu.time(|| -> anyhow::Result<()> {
                roller.load(PolicyVersion(round), trainer.parameters())?;
                let indices = 0..config.train.batch as u32;
                let request = RollRequest {
                    round,
                    indices,
                    progress: 0.0,
                };
                let rolled = roller.roll(&request)?;
                trainer.train_online(&rolled, 0.0)?;
                Ok(())
            });
            done?;
            times.add(spent);
        }
        Ok(times.mean())
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = handles.into_iter().map(|handle| {
            let panicked = |_| anyhow::anyhow!("measuring panicked");
            handle.join().map_err(panicked)?
        });
        let times: Vec<f64> = joined.collect::<anyhow::Result<_>>()?;
        Ok(times.iter().sum::<f64>() / times.len() as f64)
    })
}
