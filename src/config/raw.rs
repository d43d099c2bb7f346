//! What a configuration file may say: every key optional, nothing checked. And the defaults, which are the task's
//! published settings (METHOD.md).

use super::check::Invalid;
use super::resolved::{
    ActorConfig, LearnerConfig, Mode, Objective, OptimizerConfig, ReplayConfig, RunConfig, TaskConfig, TrainConfig,
    limiter_sizes,
};
use crate::beta::BetaDistribution;
use crate::env::Growth;
use crate::policy::{Conditioning, Parity, PolicySpec};
use crate::replay::limiter::Limiter;
use crate::task::reward::RewardShape;
use crate::task::{self, Published, TaskKind};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// β of runs that are not told: the published online experiment, U[1, 3].
const PUBLISHED_BETA: BetaDistribution = BetaDistribution::Uniform { min: 1.0, max: 3.0 };
/// β of unconditional runs that are not told.
const UNCONDITIONAL_BETA: BetaDistribution = BetaDistribution::Constant { value: 1.0 };

/// The default error band in smallest bands: actors and learner seldom wait, and the ratio soon evens out.
const ROOMY: f64 = 4.0;

/// Declares structs that mirror the file: public optional fields with the names of the resolved ones.
macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        #[expect(missing_docs, reason = "a field means what the resolved field of the same name means")]
        pub struct $name { $(pub $field: $kind,)* }
    )* };
}

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
    }
    /// Mirrors [`TaskConfig`].
    RawTask { name: Option<String>, table: Option<PathBuf>, growth: Option<Growth>, reward: RawReward, }
    /// Mirrors [`RewardShape`].
    RawReward { cap: Option<f64>, floor: Option<f64>, y_max: Option<f64>, exponent: Option<f64>, }
    /// Mirrors [`PolicySpec`].
    RawPolicy {
        conditioning: Option<Conditioning>,
        parity: Option<Parity>,
        hidden: Option<usize>,
        embed: Option<usize>,
        beta_hidden: Option<usize>,
        logit_clip: Option<f32>,
        thermometer_bins: Option<usize>,
        thermometer_range: Option<[f32; 2]>,
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
    }
    /// Mirrors [`BetaDistribution`].
    RawBeta { kind: Option<BetaKind>, value: Option<f32>, min: Option<f32>, max: Option<f32>, }
    /// Mirrors [`OptimizerConfig`].
    RawOptimizer { policy_lr: Option<f32>, log_z_lr: Option<f32>, clip_norm: Option<f32>, }
    /// Mirrors [`ReplayConfig`].
    RawReplay {
        batch: Option<usize>,
        prioritized: Option<bool>,
        top_share: Option<f64>,
        min_objects: Option<usize>,
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
        report_every: Option<u64>,
        checkpoint_every: Option<u64>,
        keep_checkpoints: Option<usize>,
        max_staleness: Option<u64>,
    }
}

/// The kinds of [`BetaDistribution`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BetaKind {
    /// `value`
    Constant,
    /// `min`, `max`
    Uniform,
    /// `min`, `max`
    LogUniform,
}

impl RawConfig {
    /// Fills in the defaults and checks everything.
    ///
    /// # Errors
    /// The first value that is not allowed, or a missing or unknown task name.
    pub fn resolve(self) -> Result<RunConfig, Invalid> {
        let kind = self.task.kind()?;
        let published = kind.published;
        let conditioning = self.policy.conditioning.unwrap_or(Conditioning::Logit);
        let train = self.train.resolve(conditioning, &published)?;
        let actor = self.actor.resolve();
        let config = RunConfig {
            seed: self.seed.unwrap_or(0),
            task: self.task.resolve(kind),
            policy: self.policy.resolve(conditioning, &published, &train.beta),
            optimizer: self.optimizer.resolve(),
            replay: self.replay.resolve(&train, &actor),
            train,
            actor,
            learner: self.learner.resolve(),
        };
        config.check()?;
        Ok(config)
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
        let Published { growth, reward, .. } = kind.published;
        TaskConfig {
            name: kind.name.into(),
            table: self.table,
            growth: self.growth.unwrap_or(growth),
            reward: RewardShape {
                cap: self.reward.cap.unwrap_or(reward.cap),
                floor: self.reward.floor.unwrap_or(reward.floor),
                y_max: self.reward.y_max.unwrap_or(reward.y_max),
                exponent: self.reward.exponent.unwrap_or(reward.exponent),
            },
        }
    }
}

impl RawPolicy {
    fn resolve(self, conditioning: Conditioning, published: &Published, trained: &BetaDistribution) -> PolicySpec {
        let defaults = PolicySpec::published(conditioning);
        let hidden = self.hidden.unwrap_or(published.hidden);
        let [low, high] = trained.range();
        // A constant β has no range to spread a thermometer over.
        let thermometer_range = if low < high {
            [low, high]
        } else {
            PUBLISHED_BETA.range()
        };
        PolicySpec {
            conditioning,
            parity: self.parity.unwrap_or(Parity::Published),
            hidden,
            embed: self.embed.unwrap_or(hidden),
            beta_hidden: self.beta_hidden.unwrap_or(defaults.beta_hidden),
            logit_clip: self.logit_clip.unwrap_or(defaults.logit_clip),
            thermometer_bins: self.thermometer_bins.unwrap_or(defaults.thermometer_bins),
            thermometer_range: self.thermometer_range.unwrap_or(thermometer_range),
        }
    }
}

impl RawTrain {
    fn resolve(self, conditioning: Conditioning, published: &Published) -> Result<TrainConfig, Invalid> {
        let beta = if conditioning.is_conditional() {
            PUBLISHED_BETA
        } else {
            UNCONDITIONAL_BETA
        };
        Ok(TrainConfig {
            mode: self.mode.unwrap_or(Mode::Sync),
            objective: self.objective.unwrap_or(Objective::TrajectoryBalance),
            rounds: self.rounds.unwrap_or(published.rounds),
            batch: self.batch.unwrap_or(32),
            steps: self.steps.unwrap_or(1),
            epsilon: self.epsilon.unwrap_or(published.epsilon),
            explore: self.explore.resolve("train.explore", beta)?,
            beta: self.beta.resolve("train.beta", beta)?,
        })
    }
}

impl RawBeta {
    /// Without `kind`, the default distribution with the numbers that are given in place of its own.
    fn resolve(self, key: &str, default: BetaDistribution) -> Result<BetaDistribution, Invalid> {
        let stated = self.kind.is_some();
        let kind = self.kind.unwrap_or(match default {
            BetaDistribution::Constant { .. } => BetaKind::Constant,
            BetaDistribution::Uniform { .. } => BetaKind::Uniform,
            BetaDistribution::LogUniform { .. } => BetaKind::LogUniform,
        });
        let [low, high] = default.range();
        let number = |name: &str, given: Option<f32>, otherwise: f32| {
            let needed = format!("kind {} needs it", kind.name());
            let missing = || Invalid::Missing {
                key: format!("{key}.{name}"),
                needed,
            };
            given.or((!stated).then_some(otherwise)).ok_or_else(missing)
        };
        let unused = match kind {
            BetaKind::Constant => [("min", self.min), ("max", self.max)],
            BetaKind::Uniform | BetaKind::LogUniform => [("value", self.value), ("value", None)],
        };
        if let Some((name, value)) = unused.into_iter().find_map(|(name, value)| Some((name, value?))) {
            let takes = if kind == BetaKind::Constant {
                "value"
            } else {
                "min and max"
            };
            let allowed = format!("kind {} takes {takes}", kind.name());
            return Err(Invalid::value(format!("{key}.{name}"), value, allowed));
        }
        Ok(match kind {
            BetaKind::Constant => BetaDistribution::Constant {
                value: number("value", self.value, low)?,
            },
            BetaKind::Uniform => BetaDistribution::Uniform {
                min: number("min", self.min, low)?,
                max: number("max", self.max, high)?,
            },
            BetaKind::LogUniform => BetaDistribution::LogUniform {
                min: number("min", self.min, low)?,
                max: number("max", self.max, high)?,
            },
        })
    }
}

impl BetaKind {
    fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Uniform => "uniform",
            Self::LogUniform => "log-uniform",
        }
    }
}

impl RawOptimizer {
    fn resolve(self) -> OptimizerConfig {
        OptimizerConfig {
            policy_lr: self.policy_lr.unwrap_or(1e-4),
            log_z_lr: self.log_z_lr.unwrap_or(1e-2),
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
    fn resolve(self) -> LearnerConfig {
        LearnerConfig {
            device: self.device.unwrap_or_else(|| "cpu".into()),
            threads: self.threads.unwrap_or(1),
            publish_every: self.publish_every.unwrap_or(2),
            report_every: self.report_every.unwrap_or(10),
            checkpoint_every: self.checkpoint_every.unwrap_or(100),
            keep_checkpoints: self.keep_checkpoints.unwrap_or(3),
            max_staleness: self.max_staleness.unwrap_or(200),
        }
    }
}
