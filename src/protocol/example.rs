//! The run that is simulated: its configuration, its task, its trajectories. Other tests of the protocol and the fuzz
//! targets use it too.

use crate::beta::BetaDistribution;
use crate::config::*;
use crate::env::{Environment, Growth, SequenceEnv, States};
use crate::objective::Objective;
use crate::policy::{Conditioning, PolicySpec};
use crate::protocol::{FleetSettings, Hello};
use crate::rollout::Trajectory;
use crate::task::reward::RewardShape;
use crate::task::{LOWER_HALF, ScoreError, Scorer, Task};
use crate::units::{Incarnation, PolicyVersion, Seq};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

const REWARD: RewardShape = RewardShape {
    cap: 10.0,
    floor: 0.001,
    y_max: 1.0,
    exponent: 3.0,
};

/// Who an actor of it is.
pub(crate) fn example_hello() -> Hello {
    let [name, host, device] = ["a", "b", "cpu"].map(String::from);
    Hello {
        incarnation: Incarnation(5),
        oldest: Seq(0),
        name,
        host,
        process: 9,
        device,
    }
}

/// A fleet of it that begins.
pub(crate) fn example_fleet(config: RunConfig) -> FleetSettings {
    FleetSettings {
        run: "run".into(),
        config,
        attachment: None,
        published: None,
        known: HashMap::new(),
        first_round: 0,
        early: Vec::new(),
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
            weights: WeightsFormat::F32,
            report_every: 1,
            checkpoint_every: 1,
            keep_checkpoints: 1,
            max_staleness: 100,
            max_skipped: 20,
            rescore: 0.25,
        },
        offline: LOWER_HALF,
    }
}

/// Strings of three letters, scored by what they consist of.
pub(crate) fn example_task() -> Task {
    Task {
        name: "example".into(),
        env: env().clone(),
        scorer: Arc::new(LetterScores),
        reward: REWARD,
        modes: Arc::default(),
    }
}

fn env() -> &'static Arc<SequenceEnv> {
    static ENV: OnceLock<Arc<SequenceEnv>> = OnceLock::new();
    ENV.get_or_init(|| Arc::new(SequenceEnv::new("ACGT", 3, Growth::PrependAppend)))
}

#[derive(Debug)]
struct LetterScores;

impl LetterScores {
    fn y(state: &[u8]) -> f32 {
        let number = state.iter().fold(0, |number, &letter| number * 4 + usize::from(letter));
        0.25 + 0.01 * number as f32
    }
}

impl Scorer for LetterScores {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        Ok(objects.iter().map(Self::y).collect())
    }

    fn is_repeatable(&self) -> bool {
        true
    }
}

/// The trajectory at a place of a round, made with the weights of that round: always the same one.
pub(crate) fn example_trajectory(round: u64, index: u32) -> Trajectory {
    let actions: Vec<u16> = (0..3)
        .map(|step| ((round + u64::from(index) + step) % 8) as u16)
        .collect();
    let y = LetterScores::y(&env().object_of(&actions).expect("any letters make a string"));
    scored(
        Trajectory {
            beta: 1.0 + 0.1 * index as f32,
            actions,
            y,
            log_reward: 0.0,
            log_pf: -4.0,
            policy_version: PolicyVersion(round),
            round,
            index,
        },
        y,
    )
}

/// The trajectory with this y, and log R to match.
pub(super) fn scored(trajectory: Trajectory, y: f32) -> Trajectory {
    Trajectory {
        y,
        log_reward: REWARD.log_reward(y),
        ..trajectory
    }
}
