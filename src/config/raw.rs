//! What a configuration file may say: every key optional, nothing checked. And the defaults, which are the task's
//! published settings (METHOD.md).

use super::check::Invalid;
use super::launch::{LaunchConfig, RawLaunch};
use super::mirror::mirror;
use super::resolved::{
    ActorConfig, LearnerConfig, Mode, OfflineConfig, OptimizerConfig, ReplayConfig, Replayed, RunConfig, TaskConfig,
    TrainConfig, WeightsFormat, limiter_sizes,
};
use crate::beta::BetaDistribution;
use crate::env::Growth;
use crate::objective::{Objective, Settings};
use crate::policy::{BackwardPolicy, Conditioning, LogitScale, Parameterization, Parity, PolicySpec};
use crate::replay::limiter::Limiter;
use crate::task::oracle::OracleConfig;
use crate::task::reward::RewardShape;
use crate::task::{self, Published, TaskKind};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// β of runs that are not told: the published online experiment, U[1, 3].
const PUBLISHED_BETA: BetaDistribution = BetaDistribution::Uniform { min: 1.0, max: 3.0 };
/// β of offline training, U[10, 50].
const OFFLINE_BETA: BetaDistribution = BetaDistribution::Uniform { min: 10.0, max: 50.0 };
/// Rounds of offline training.
const OFFLINE_ROUNDS: u64 = 1000;
/// β of unconditional runs that are not told.
const UNCONDITIONAL_BETA: BetaDistribution = BetaDistribution::Constant { value: 1.0 };

/// The default error band in smallest bands: actors and learner seldom wait, and the ratio soon evens out.
const ROOMY: f64 = 4.0;

mirror! {
    /// Mirrors [`RunConfig`].
    RawConfig {
        seed: Option<u64>,
        task: RawTask,
        policy: RawPolicy,
        train: RawTrain,
        optimizer: RawOptimizer,
        replay: RawReplay,
        actor: RawActor,
        learner: RawLearner,
        offline: RawOffline,
        launch: RawLaunch,
    }
    /// Mirrors [`TaskConfig`].
    RawTask {
        #[serde(alias = "kind")]
        name: Option<String>,
        table: Option<PathBuf>,
        data: Option<PathBuf>,
        growth: Option<Growth>,
        words: Option<usize>,
        alphabet: Option<String>,
        length: Option<usize>,
        min_length: Option<usize>,
        missing: Option<f32>,
        model: Option<PathBuf>,
        oracle: RawOracle,
        targets: Option<Vec<String>>,
        dimensions: Option<usize>,
        side: Option<usize>,
        r0: Option<f64>,
        reward: RawReward,
    }
    /// Mirrors [`OracleConfig`].
    RawOracle {
        command: Option<Vec<String>>,
        instances: Option<usize>,
        batch: Option<usize>,
        timeout_seconds: Option<f64>,
        retries: Option<u32>,
        cache: Option<usize>,
    }
    /// Mirrors [`RewardShape`].
    RawReward { cap: Option<f64>, floor: Option<f64>, y_max: Option<f64>, exponent: Option<f64>, }
    /// Mirrors [`PolicySpec`].
    RawPolicy {
        conditioning: Option<Conditioning>,
        parity: Option<Parity>,
        parameterization: Option<Parameterization>,
        layers: Option<usize>,
        hidden: Option<usize>,
        embed: Option<usize>,
        beta_hidden: Option<usize>,
        logit_clip: Option<f32>,
        thermometer_bins: Option<usize>,
        thermometer_range: Option<[f32; 2]>,
        logit_scale: Option<LogitScale>,
        beta_limit: Option<f32>,
        edge_offset: Option<bool>,
        backward: Option<BackwardPolicy>,
        state_flow: Option<bool>,
    }
    /// Mirrors [`TrainConfig`].
    RawTrain {
        mode: Option<Mode>,
        objective: Option<Objective>,
        rounds: Option<u64>,
        batch: Option<usize>,
        steps: Option<usize>,
        epsilon: Option<f32>,
        explore: RawBeta,
        beta: RawBeta,
        beta_group: Option<usize>,
        subtb_lambda: Option<f64>,
    }
    /// Mirrors [`BetaDistribution`].
    RawBeta {
        kind: Option<BetaKind>,
        value: Option<f32>,
        min: Option<f32>,
        max: Option<f32>,
        mean: Option<f32>,
        std: Option<f32>,
    }
    /// Mirrors [`OptimizerConfig`].
    RawOptimizer {
        policy_lr: Option<f32>,
        log_z_lr: Option<f32>,
        log_flow_lr: Option<f32>,
        final_lr: Option<f64>,
        clip_norm: Option<f32>,
    }
    /// Mirrors [`ReplayConfig`].
    RawReplay {
        batch: Option<usize>,
        prioritized: Option<bool>,
        top_share: Option<f64>,
        min_objects: Option<usize>,
        trajectories: Option<Replayed>,
        relabel: Option<bool>,
        samples_per_insert: Option<f64>,
        error_band: Option<f64>,
    }
    /// Mirrors [`ActorConfig`].
    RawActor { device: Option<String>, threads: Option<usize>, batch: Option<usize>, outbox: Option<usize>, }
    /// Mirrors [`LearnerConfig`].
    RawLearner {
        device: Option<String>,
        threads: Option<usize>,
        publish_every: Option<u64>,
        weights: Option<WeightsFormat>,
        report_every: Option<u64>,
        checkpoint_every: Option<u64>,
        keep_checkpoints: Option<usize>,
        max_staleness: Option<u64>,
        max_skipped: Option<u64>,
        rescore: Option<f64>,
    }
    /// Mirrors [`OfflineConfig`].
    RawOffline { sample: Option<usize>, share: Option<f64>, seed: Option<u64>, }
}

/// The kinds of [`BetaDistribution`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BetaKind {
    /// `value`
    Constant,
    /// `min`, `max`
    Uniform,
    /// `min`, `max`, and unless they are to be the middle and a quarter of the range, `mean` and `std`
    Normal,
    /// `min`, `max`
    LogUniform,
    /// `min`, `max`
    ExpWeighted,
    /// `min`, `max`
    Annealing,
    /// `min`, `max`
    AnnealingInverse,
}

impl RawConfig {
    /// Fills in the defaults and checks everything.
    ///
    /// # Errors
    /// The first value that is not allowed, or a missing or unknown task name.
    pub fn resolve(self) -> Result<RunConfig, Invalid> {
        Ok(self.resolve_to_launch()?.0)
    }

    /// As [`RawConfig::resolve`], with what is asked of a scheduler.
    ///
    /// # Errors
    /// As there.
    pub fn resolve_to_launch(self) -> Result<(RunConfig, LaunchConfig), Invalid> {
        let kind = self.task.kind()?;
        let published = kind.published.clone();
        let conditioning = self.policy.conditioning.unwrap_or(Conditioning::Logit);
        let train = self.train.resolve(conditioning, &published)?;
        let actor = self.actor.resolve();
        let mode = train.mode;
        let config = RunConfig {
            seed: self.seed.unwrap_or(0),
            task: self.task.resolve(kind),
            policy: self.policy.resolve(conditioning, &published, &train),
            optimizer: self.optimizer.resolve(),
            replay: self.replay.resolve(&train, &actor),
            train,
            actor,
            learner: self.learner.resolve(mode),
            offline: self.offline.resolve(&published),
        };
        config.check()?;
        let launch = self.launch.resolve(&config)?;
        Ok((config, launch))
    }
}

impl RawTask {
    fn kind(&self) -> Result<&'static TaskKind, Invalid> {
        let missing = || Invalid::Missing {
            key: "task.name".into(),
            needed: format!("one of {}", task::names()),
        };
        Ok(TaskKind::find(self.name.as_deref().ok_or_else(missing)?)?)
    }

    fn resolve(self, kind: &TaskKind) -> TaskConfig {
        let defaults = kind.config();
        let reward = defaults.reward;
        TaskConfig {
            name: kind.name.into(),
            table: self.table,
            data: self.data,
            growth: self.growth.or(defaults.growth),
            words: self.words.or(defaults.words),
            alphabet: self.alphabet.or(defaults.alphabet),
            length: self.length.or(defaults.length),
            min_length: self.min_length.or(defaults.min_length),
            missing: self.missing,
            model: self.model,
            oracle: self.oracle.resolve(),
            targets: self.targets.or(defaults.targets),
            dimensions: self.dimensions.or(defaults.dimensions),
            side: self.side.or(defaults.side),
            r0: self.r0.or(defaults.r0),
            reward: RewardShape {
                cap: self.reward.cap.unwrap_or(reward.cap),
                floor: self.reward.floor.unwrap_or(reward.floor),
                y_max: self.reward.y_max.unwrap_or(reward.y_max),
                exponent: self.reward.exponent.unwrap_or(reward.exponent),
            },
        }
    }
}

impl RawOracle {
    /// None when nothing is said about an oracle.
    fn resolve(self) -> Option<OracleConfig> {
        if self == Self::default() {
            return None;
        }
        let defaults = OracleConfig::default();
        Some(OracleConfig {
            command: self.command.unwrap_or_default(),
            instances: self.instances.unwrap_or(defaults.instances),
            batch: self.batch.unwrap_or(defaults.batch),
            timeout_seconds: self.timeout_seconds.unwrap_or(defaults.timeout_seconds),
            retries: self.retries.unwrap_or(defaults.retries),
            cache: self.cache.unwrap_or(defaults.cache),
        })
    }
}

impl RawPolicy {
    fn resolve(self, conditioning: Conditioning, published: &Published, train: &TrainConfig) -> PolicySpec {
        let objective = train.objective.kind();
        let defaults = PolicySpec::published(conditioning);
        let hidden = self.hidden.unwrap_or(published.hidden);
        let [low, high] = train.beta.range();
        // A constant β has no range to spread a thermometer over.
        let thermometer_range = if low < high {
            [low, high]
        } else {
            PUBLISHED_BETA.range()
        };
        let parity = self.parity.unwrap_or(Parity::Improved);
        // What was measured to be better (docs/results.md) is the default, unless the published code is asked for.
        let (logit_scale, edge_offset) = match parity {
            Parity::Published => (defaults.logit_scale, defaults.edge_offset),
            Parity::Improved => (LogitScale::Positive, conditioning.scales_logits()),
        };
        PolicySpec {
            conditioning,
            parity,
            parameterization: self.parameterization.unwrap_or(defaults.parameterization),
            layers: self.layers.unwrap_or(defaults.layers),
            hidden,
            embed: self.embed.unwrap_or(hidden),
            beta_hidden: self.beta_hidden.unwrap_or(defaults.beta_hidden),
            logit_clip: self.logit_clip.unwrap_or(defaults.logit_clip),
            thermometer_bins: self.thermometer_bins.unwrap_or(defaults.thermometer_bins),
            thermometer_range: self.thermometer_range.unwrap_or(thermometer_range),
            logit_scale: self.logit_scale.unwrap_or(logit_scale),
            // What offline training never sees is far away, and sharper logits would only sharpen mistakes.
            beta_limit: self.beta_limit.or((train.mode == Mode::Offline).then_some(high)),
            edge_offset: self.edge_offset.unwrap_or(edge_offset),
            backward: self.backward.unwrap_or(if objective.uniform_backward {
                BackwardPolicy::Uniform
            } else {
                defaults.backward
            }),
            state_flow: self.state_flow.unwrap_or(objective.needs_flow),
        }
    }
}

impl RawTrain {
    fn resolve(self, conditioning: Conditioning, published: &Published) -> Result<TrainConfig, Invalid> {
        let mode = self.mode.unwrap_or(Mode::Sync);
        let objective = self.objective.unwrap_or(Objective::TRAJECTORY_BALANCE);
        let (beta, rounds) = match mode {
            _ if !conditioning.is_conditional() => (UNCONDITIONAL_BETA, published.rounds),
            Mode::Offline => (OFFLINE_BETA, OFFLINE_ROUNDS),
            Mode::Sync | Mode::Async => (PUBLISHED_BETA, published.rounds),
        };
        Ok(TrainConfig {
            mode,
            objective,
            rounds: self.rounds.unwrap_or(rounds),
            batch: self.batch.unwrap_or(32),
            steps: self.steps.unwrap_or(1),
            epsilon: self.epsilon.unwrap_or(published.epsilon),
            explore: self.explore.resolve("train.explore", beta)?,
            beta: self.beta.resolve("train.beta", beta)?,
            beta_group: self.beta_group.unwrap_or(objective.kind().beta_group),
            subtb_lambda: self.subtb_lambda.unwrap_or(Settings::default().lambda),
        })
    }
}

impl RawOptimizer {
    fn resolve(self) -> OptimizerConfig {
        OptimizerConfig {
            policy_lr: self.policy_lr.unwrap_or(1e-4),
            log_z_lr: self.log_z_lr.unwrap_or(1e-2),
            log_flow_lr: self.log_flow_lr.unwrap_or(1e-4),
            final_lr: self.final_lr.unwrap_or(1.0),
            clip_norm: self.clip_norm.unwrap_or(10.0),
        }
    }
}

impl RawReplay {
    fn resolve(self, train: &TrainConfig, actor: &ActorConfig) -> ReplayConfig {
        let batch = self.batch.unwrap_or(32);
        // What lockstep rounds do: K steps on each batch received, and K steps on a replayed one.
        let per_round = train.steps as f64 * train.batch.saturating_add(batch) as f64;
        let samples_per_insert = self.samples_per_insert.unwrap_or(per_round / train.batch as f64);
        let [insert, sample] = limiter_sizes(train, batch, actor.batch);
        let least_band = Limiter::smallest_band(samples_per_insert, insert, sample);
        ReplayConfig {
            batch,
            prioritized: self.prioritized.unwrap_or(true),
            top_share: self.top_share.unwrap_or(0.1),
            min_objects: self.min_objects.unwrap_or(10),
            trajectories: self.trajectories.unwrap_or(Replayed::Backward),
            relabel: self.relabel.unwrap_or(true),
            samples_per_insert,
            error_band: self.error_band.unwrap_or(ROOMY * least_band),
        }
    }
}

impl RawActor {
    fn resolve(self) -> ActorConfig {
        ActorConfig {
            device: self.device.unwrap_or_else(|| "cpu".into()),
            threads: self.threads.unwrap_or(1),
            batch: self.batch.unwrap_or(32),
            outbox: self.outbox.unwrap_or(4),
        }
    }
}

impl RawLearner {
    fn resolve(self, mode: Mode) -> LearnerConfig {
        LearnerConfig {
            device: self.device.unwrap_or_else(|| "cpu".into()),
            threads: self.threads.unwrap_or(1),
            publish_every: self.publish_every.unwrap_or(2),
            weights: self.weights.unwrap_or(match mode {
                // Half the bytes for nothing (`bench weights`), where runs do not repeat to the bit anyway.
                Mode::Async => WeightsFormat::Bf16,
                Mode::Sync | Mode::Offline => WeightsFormat::F32,
            }),
            report_every: self.report_every.unwrap_or(10),
            checkpoint_every: self.checkpoint_every.unwrap_or(100),
            keep_checkpoints: self.keep_checkpoints.unwrap_or(3),
            max_staleness: self.max_staleness.unwrap_or(200),
            max_skipped: self.max_skipped.unwrap_or_else(super::resolved::max_skipped),
            rescore: self.rescore.unwrap_or(0.01),
        }
    }
}

impl RawOffline {
    fn resolve(self, published: &Published) -> OfflineConfig {
        let OfflineConfig { sample, share, seed } = published.offline;
        OfflineConfig {
            sample: self.sample.unwrap_or(sample),
            share: self.share.unwrap_or(share),
            seed: self.seed.unwrap_or(seed),
        }
    }
}
