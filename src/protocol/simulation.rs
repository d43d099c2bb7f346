//! A whole fleet in one thread: real sessions on both ends, a network that loses, repeats, delays and breaks, processes
//! that crash and come back. Every event is drawn from a seed; the invariants of DESIGN.md are checked after each.

mod world;

use crate::beta::BetaDistribution;
use crate::config::*;
use crate::env::{Growth, SequenceEnv, States};
use crate::objective::Objective;
use crate::policy::{Conditioning, PolicySpec};
use crate::rollout::Trajectory;
use crate::task::reward::RewardShape;
use crate::task::{LOWER_HALF, ScoreError, Scorer, Task};
use crate::units::PolicyVersion;
use std::sync::Arc;
use world::World;

const REWARD: RewardShape = RewardShape {
    cap: 10.0,
    floor: 0.001,
    y_max: 1.0,
    exponent: 3.0,
};

/// Seeds that once failed; kept so that they never do again.
const FAILED_ONCE: [u64; 0] = [];

/// Seeds of a normal test run.
const SEEDS: std::ops::Range<u64> = 0..300;

#[test]
fn sync_fleets_keep_the_invariants_and_finish() {
    for seed in SEEDS.chain(FAILED_ONCE) {
        World::run(seed, Mode::Sync);
    }
}

#[test]
fn async_fleets_keep_the_invariants_and_deliver_everything() {
    for seed in SEEDS.chain(FAILED_ONCE) {
        World::run(seed, Mode::Async);
    }
}

/// A small run.
pub(crate) fn example_config(mode: Mode) -> RunConfig {
    RunConfig {
        seed: 1,
        task: TaskConfig::new("example", REWARD),
        policy: PolicySpec::published(Conditioning::Logit),
        train: TrainConfig {
            mode,
            objective: Objective::TRAJECTORY_BALANCE,
            rounds: 12,
            batch: 6,
            steps: 1,
            epsilon: 0.01,
            explore: BetaDistribution::Uniform { min: 1.0, max: 3.0 },
            beta: BetaDistribution::Uniform { min: 1.0, max: 3.0 },
            beta_group: 1,
            subtb_lambda: 0.9,
        },
        optimizer: OptimizerConfig {
            policy_lr: 1e-4,
            log_z_lr: 1e-2,
            log_flow_lr: 1e-4,
            final_lr: 1.0,
            clip_norm: 10.0,
        },
        replay: ReplayConfig {
            batch: 6,
            prioritized: true,
            top_share: 0.1,
            min_objects: 10,
            trajectories: Replayed::Backward,
            relabel: true,
            samples_per_insert: 2.0,
            error_band: 64.0,
        },
        actor: ActorConfig {
            device: "cpu".into(),
            threads: 1,
            batch: 4,
            outbox: 3,
        },
        learner: LearnerConfig {
            device: "cpu".into(),
            threads: 1,
            publish_every: 1,
            report_every: 1,
            checkpoint_every: 1,
            keep_checkpoints: 1,
            max_staleness: 100,
            max_skipped: 20,
        },
        offline: LOWER_HALF,
    }
}

/// Strings of three letters.
pub(crate) fn example_task() -> Task {
    Task {
        name: "example".into(),
        env: Arc::new(SequenceEnv::new("ACGT", 3, Growth::PrependAppend)),
        scorer: Arc::new(NoScores),
        reward: REWARD,
        modes: Arc::default(),
    }
}

#[derive(Debug)]
struct NoScores;

impl Scorer for NoScores {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        Ok(vec![0.5; objects.len()])
    }
}

/// The trajectory at a place of a round, made with the weights of that round: always the same one.
pub(crate) fn example_trajectory(round: u64, index: u32) -> Trajectory {
    let actions: Vec<u16> = (0..3)
        .map(|step| ((round + u64::from(index) + step) % 8) as u16)
        .collect();
    let y = 0.25 + 0.01 * index as f32;
    Trajectory {
        beta: 1.0 + 0.1 * index as f32,
        actions,
        y,
        log_reward: REWARD.log_reward(y),
        log_pf: -4.0,
        policy_version: PolicyVersion(round),
        round,
        index,
    }
}
