//! The resolved configuration of a run: every value present and checked. The learner sends it to actors, and the run
//! directory keeps it as run.toml. Reading files and defaults: `raw`.

use crate::beta::BetaDistribution;
use crate::env::Growth;
use crate::objective::{Objective, Settings};
use crate::policy::PolicySpec;
use crate::replay::limiter::{Limiter, LimiterError};
use crate::task::oracle::OracleConfig;
use crate::task::reward::RewardShape;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that defines a run.
///
/// Invariant: one that came from a file, `run.toml` or the network has passed [`RunConfig::check`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Names all randomness.
    pub seed: u64,
    /// What is built and what it is worth.
    pub task: TaskConfig,
    /// Networks.
    pub policy: PolicySpec,
    /// Rounds, batches, β.
    pub train: TrainConfig,
    /// Adam and clipping.
    pub optimizer: OptimizerConfig,
    /// Replayed training.
    pub replay: ReplayConfig,
    /// What actors do.
    pub actor: ActorConfig,
    /// What the learner does.
    pub learner: LearnerConfig,
    /// Offline mode: the data set.
    pub offline: OfflineConfig,
}

impl RunConfig {
    /// Share of training that is done before `round`, 0 to 1.
    pub fn progress(&self, round: u64) -> f32 {
        (round as f64 / self.train.rounds as f64).min(1.0) as f32
    }

    /// The numbers that objectives take.
    pub fn settings(&self) -> Settings {
        Settings {
            lambda: self.train.subtb_lambda,
        }
    }

    /// What the learning rates are multiplied by when this share of training is done.
    pub fn lr_factor(&self, progress: f32) -> f64 {
        let last = self.optimizer.final_lr;
        last + (1.0 - last) * 0.5 * (1.0 + (std::f64::consts::PI * f64::from(progress)).cos())
    }
}

impl RunConfig {
    /// Async mode: the most trajectories received at a time and trained on at a time, as the limiter wants to know.
    pub fn limiter_sizes(&self) -> [u64; 2] {
        limiter_sizes(&self.train, self.replay.batch, self.actor.batch)
    }

    /// Async mode: what keeps training to `samples_per_insert`.
    ///
    /// # Errors
    /// When the two sides could wait for each other, which [`RunConfig::check`] refuses.
    pub fn limiter(&self) -> Result<Limiter, LimiterError> {
        let [insert, sample] = self.limiter_sizes();
        Limiter::new(self.replay.samples_per_insert, self.replay.error_band, insert, sample)
    }
}

/// [`RunConfig::limiter_sizes`] before there is a whole configuration.
pub(super) fn limiter_sizes(train: &TrainConfig, replay_batch: usize, actor_batch: usize) -> [u64; 2] {
    let sample = train.batch.max(replay_batch).saturating_mul(train.steps);
    [actor_batch as u64, sample as u64]
}

/// Which problem. A task takes some of the optional values (`TaskKind::takes`); those it does not take are None.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskConfig {
    /// Name, see `thermoflow tasks`.
    pub name: String,
    /// Scores of all objects in place of the built-in ones, or those of a task of one's own (the learner reads the file
    /// and hands it to actors, as the next two).
    #[serde(default)]
    pub table: Option<PathBuf>,
    /// What `thermoflow data import` made.
    #[serde(default)]
    pub data: Option<PathBuf>,
    /// How strings grow.
    #[serde(default)]
    pub growth: Option<Growth>,
    /// The longest words of letters that are features of their own to the policy; with 1, only letters are.
    #[serde(default)]
    pub words: Option<usize>,
    /// Letters that strings are made of.
    #[serde(default)]
    pub alphabet: Option<String>,
    /// Letters of the strings, or the most of them.
    #[serde(default)]
    pub length: Option<usize>,
    /// The fewest letters; below `length`, strings end with a stop action.
    #[serde(default)]
    pub min_length: Option<usize>,
    /// y of the strings that a table does not have; without it they cannot be scored.
    #[serde(default)]
    pub missing: Option<f32>,
    /// A TorchScript model that scores strings.
    #[serde(default)]
    pub model: Option<PathBuf>,
    /// A program that scores strings.
    #[serde(default)]
    pub oracle: Option<OracleConfig>,
    /// RNA targets to bind to: RNA1 to RNA4, or strings of one's own.
    #[serde(default)]
    pub targets: Option<Vec<String>>,
    /// Coordinates of a grid.
    #[serde(default)]
    pub dimensions: Option<usize>,
    /// Cells along each coordinate.
    #[serde(default)]
    pub side: Option<usize>,
    /// Reward of a grid away from its modes, R₀.
    #[serde(default)]
    pub r0: Option<f64>,
    /// From score to reward.
    pub reward: RewardShape,
}

impl TaskConfig {
    /// How strings grow: as published unless it says otherwise.
    pub fn growth(&self) -> Growth {
        self.growth.unwrap_or(Growth::PrependAppend)
    }

    /// A task with none of the optional values.
    pub fn new(name: &str, reward: RewardShape) -> Self {
        Self {
            name: name.into(),
            table: None,
            data: None,
            growth: None,
            words: None,
            alphabet: None,
            length: None,
            min_length: None,
            missing: None,
            model: None,
            oracle: None,
            targets: None,
            dimensions: None,
            side: None,
            r0: None,
            reward,
        }
    }
}

/// Lockstep or free-running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Lockstep rounds, reproducible: the published algorithm.
    Sync,
    /// Actors and learner run freely under the samples-per-insert limiter.
    Async,
    /// No actors: replayed training on a given data set (`offline`).
    Offline,
}

/// How weights travel (`learner.weights`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum WeightsFormat {
    /// As they are.
    #[default]
    F32,
    /// Rounded to the upper 16 bits: half the size, 8 significant bits. Actors sample with what they got, so what they
    /// report as log P_F is true of that.
    Bf16,
    /// All bits, compressed.
    Zstd,
    /// All bits: what changed since the version before, compressed, to actors that hold that version; to others as `zstd`.
    Difference,
}

/// What becomes a trajectory of replayed training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Replayed {
    /// One sampled backward from x with P_B.
    Backward,
    /// The one that first led to x.
    Stored,
}

/// The algorithm's numbers (METHOD.md, One online round).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Lockstep or free-running.
    pub mode: Mode,
    /// Loss, see `objective::KINDS`.
    pub objective: Objective,
    /// Rounds in all.
    pub rounds: u64,
    /// Trajectories rolled out per round.
    pub batch: usize,
    /// Gradient steps per batch (K), online and replayed each.
    pub steps: usize,
    /// Chance of a uniform action per step.
    pub epsilon: f32,
    /// P_exp: β of roll-outs.
    pub explore: BetaDistribution,
    /// P_train: β of replayed x.
    pub beta: BetaDistribution,
    /// Trajectories of a batch that share a β.
    pub beta_group: usize,
    /// λ of sub-trajectory balance.
    pub subtb_lambda: f64,
}

/// Adam, learning rates, clipping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimizerConfig {
    /// Learning rate of both policies.
    pub policy_lr: f32,
    /// Learning rate of log Z.
    pub log_z_lr: f32,
    /// Learning rate of log F.
    pub log_flow_lr: f32,
    /// Share of the learning rates that is left at the end of training; they fall along a cosine. 1: constant.
    pub final_lr: f64,
    /// Largest gradient norm of each group.
    pub clip_norm: f32,
}

/// Replayed training (PRT).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayConfig {
    /// Trajectories per replay step; 0 switches replayed training off.
    pub batch: usize,
    /// Half of a replay batch comes from the best `top_share` of the distinct x; false draws uniformly.
    pub prioritized: bool,
    /// Share of distinct x, by reward, that counts as best.
    pub top_share: f64,
    /// No replayed training with fewer distinct x than this.
    pub min_objects: usize,
    /// Where the trajectory to a replayed x comes from.
    pub trajectories: Replayed,
    /// Replayed x get a new β from `train.beta`; false keeps the one that x was first found at.
    pub relabel: bool,
    /// Async mode: trajectories trained on (online and replayed) per trajectory received. Default 2·steps.
    pub samples_per_insert: f64,
    /// Async mode: how far, in samples, training may run ahead of or fall behind `samples_per_insert`.
    pub error_band: f64,
}

/// What an actor does; it gets this from the learner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorConfig {
    /// `cpu`, `cuda`, `cuda:1`, `mps`.
    pub device: String,
    /// Threads of matrix products.
    pub threads: usize,
    /// Async mode: trajectories per roll-out.
    pub batch: usize,
    /// Batches kept until acknowledged; when full, rolling out stops.
    pub outbox: usize,
}

/// What the learner does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearnerConfig {
    /// `cpu`, `cuda`, `cuda:1`, `mps`.
    pub device: String,
    /// Threads of matrix products.
    pub threads: usize,
    /// Publish weights every this many training steps (async mode; sync publishes every round).
    pub publish_every: u64,
    /// How they travel to actors.
    #[serde(default)]
    pub weights: WeightsFormat,
    /// A metrics row every this many rounds.
    pub report_every: u64,
    /// A checkpoint every this many rounds.
    pub checkpoint_every: u64,
    /// Checkpoints kept.
    pub keep_checkpoints: usize,
    /// Async mode: trajectories sampled more than this many versions ago are kept but not trained on.
    pub max_staleness: u64,
    /// Gradient steps in a row that may be skipped because loss or gradient is not finite; then the run stops.
    #[serde(default = "max_skipped")]
    pub max_skipped: u64,
    /// Share of the trajectories received whose object the learner scores again; an actor whose score differs is shut out.
    /// 0: none. Applies to tables, trees, RNA and grids, not to models and programs of a user.
    #[serde(default)]
    pub rescore: f64,
}

/// Of runs that were begun before there was this key, and of configurations that do not say.
pub(super) fn max_skipped() -> u64 {
    20
}

/// The data set of offline mode: the worst part, by reward, of all objects or of random ones (METHOD.md, tasks).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfflineConfig {
    /// How many objects are drawn at random; 0 takes all there are.
    pub sample: usize,
    /// Share of them, from the lowest reward up, that makes the data set.
    pub share: f64,
    /// Names the draw; the same for runs of different seeds, so that they train on the same data.
    pub seed: u64,
}
