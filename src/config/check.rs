//! What a resolved configuration may hold. Whoever receives one (from a file or from the network) checks it.

mod task;

use super::resolved::{
    ActorConfig, LearnerConfig, Mode, OfflineConfig, OptimizerConfig, ReplayConfig, Replayed, RunConfig, TrainConfig,
};
use crate::beta::BetaDistribution;
use crate::policy::{BackwardPolicy, PolicySpec};
use crate::replay::limiter::Limiter;
use crate::task::TaskError;
use std::fmt::Display;
use std::ops::RangeInclusive;

// Ceilings catch slips of the keyboard before they exhaust the memory; no published setting comes near one.
const MOST_HIDDEN: usize = 16_384;
const MOST_LAYERS: usize = 16;
const MOST_BATCH: usize = 1_000_000;
const MOST_STEPS: usize = 10_000;
const MOST_ROUNDS: u64 = 1_000_000_000;
const MOST_THREADS: usize = 1024;
const MOST_OUTBOX: usize = 10_000;
const MOST_BINS: usize = 4096;
const MOST_OBJECTS: usize = 1 << 28;
/// TOML has no larger integer.
const MOST_SEED: u64 = i64::MAX as u64;

/// A configuration value that is not allowed.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// A value is out of range, or contradicts another.
    #[error("{key} = {value} is not allowed: {allowed}")]
    Value {
        /// Dotted path of the key.
        key: String,
        /// The offending value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A value is needed.
    #[error("{key} is missing: {needed}")]
    Missing {
        /// Dotted path of the key.
        key: String,
        /// What is needed.
        needed: String,
    },
    /// There is no such task.
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl Invalid {
    pub(super) fn value(key: impl Into<String>, value: impl Display, allowed: impl Into<String>) -> Self {
        Self::Value {
            key: key.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    /// Dotted path of the key at fault.
    pub fn key(&self) -> &str {
        match self {
            Self::Value { key, .. } | Self::Missing { key, .. } => key,
            Self::Task(_) => "task.name",
        }
    }
}

type Checked = Result<(), Invalid>;

impl RunConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first one that is not allowed.
    pub fn check(&self) -> Checked {
        within("seed", self.seed, 0..=MOST_SEED)?;
        self.task.check()?;
        check_policy(&self.policy)?;
        self.train.check()?;
        self.optimizer.check()?;
        self.replay.check()?;
        self.actor.check()?;
        self.learner.check()?;
        self.offline.check()?;
        self.check_error_band()?;
        self.check_objective()?;
        self.check_replayed()?;
        self.check_unconditional()
    }

    /// The policy has what the objective needs.
    fn check_objective(&self) -> Checked {
        let (objective, kind) = (self.train.objective, self.train.objective.kind());
        if kind.needs_flow && !self.policy.state_flow {
            let allowed = format!("train.objective = {objective} needs the flow of states, it must be true");
            return Err(Invalid::value("policy.state_flow", false, allowed));
        }
        if kind.uniform_backward && self.policy.backward != BackwardPolicy::Uniform {
            let allowed = format!("train.objective = {objective} is defined with \"uniform\"");
            return Err(Invalid::value("policy.backward", "\"learned\"", allowed));
        }
        Ok(())
    }

    /// A data set that was not sampled has neither trajectories nor β of its own.
    fn check_replayed(&self) -> Checked {
        if self.train.mode != Mode::Offline {
            return Ok(());
        }
        if self.replay.batch == 0 {
            return Err(Invalid::value(
                "replay.batch",
                0,
                "at least 1 where train.mode = \"offline\"",
            ));
        }
        if self.replay.trajectories == Replayed::Stored {
            let allowed = "\"backward\" where train.mode = \"offline\": there are no trajectories";
            return Err(Invalid::value("replay.trajectories", "\"stored\"", allowed));
        }
        if !self.replay.relabel {
            let allowed = "true where train.mode = \"offline\": the data set has no β";
            return Err(Invalid::value("replay.relabel", false, allowed));
        }
        Ok(())
    }

    /// Neither actors nor learner may wait for the other forever.
    fn check_error_band(&self) -> Checked {
        let (ratio, band) = (self.replay.samples_per_insert, self.replay.error_band);
        let [insert, sample] = self.limiter_sizes();
        let least = Limiter::smallest_band(ratio, insert, sample);
        if band >= least {
            return Ok(());
        }
        let why = format!(
            "with actor.batch = {insert}, up to {sample} samples at a time and samples_per_insert = {ratio}, actors and \
             learner could wait for each other"
        );
        Err(Invalid::value(
            "replay.error_band",
            band,
            format!("at least {least}; {why}"),
        ))
    }

    /// Without conditioning there is one target, so one β.
    fn check_unconditional(&self) -> Checked {
        if self.policy.conditioning.is_conditional() {
            return Ok(());
        }
        let why = "policy.conditioning = \"unconditional\" learns a single β";
        for (key, beta) in [("train.explore", &self.train.explore), ("train.beta", &self.train.beta)] {
            if !matches!(beta, BetaDistribution::Constant { .. }) {
                let [min, max] = beta.range();
                let allowed = format!("{why}, kind must be \"constant\"");
                return Err(Invalid::value(key, format!("β from {min} to {max}"), allowed));
            }
        }
        let ([explore, _], [beta, _]) = (self.train.explore.range(), self.train.beta.range());
        if explore == beta {
            return Ok(());
        }
        Err(Invalid::value(
            "train.beta.value",
            beta,
            format!("{why}, train.explore.value = {explore} must be the same"),
        ))
    }
}

fn check_policy(policy: &PolicySpec) -> Checked {
    within("policy.layers", policy.layers, 1..=MOST_LAYERS)?;
    within("policy.hidden", policy.hidden, 1..=MOST_HIDDEN)?;
    within("policy.embed", policy.embed, 1..=MOST_HIDDEN)?;
    within("policy.beta_hidden", policy.beta_hidden, 1..=MOST_HIDDEN)?;
    positive("policy.logit_clip", policy.logit_clip)?;
    if let Some(limit) = policy.beta_limit {
        positive("policy.beta_limit", limit)?;
    }
    within("policy.thermometer_bins", policy.thermometer_bins, 2..=MOST_BINS)?;
    let [low, high] = policy.thermometer_range;
    let allowed = "two finite numbers above 0, the smaller first";
    let good = low > 0.0 && low < high && high.is_finite();
    if good {
        Ok(())
    } else {
        Err(Invalid::value(
            "policy.thermometer_range",
            format!("[{low}, {high}]"),
            allowed,
        ))
    }
}

impl TrainConfig {
    fn check(&self) -> Checked {
        within("train.rounds", self.rounds, 1..=MOST_ROUNDS)?;
        within("train.batch", self.batch, 1..=MOST_BATCH)?;
        within("train.steps", self.steps, 1..=MOST_STEPS)?;
        within("train.epsilon", self.epsilon, 0.0..=1.0)?;
        within("train.beta_group", self.beta_group, 1..=MOST_BATCH)?;
        positive("train.subtb_lambda", self.subtb_lambda)?;
        check_beta("train.explore", &self.explore)?;
        check_beta("train.beta", &self.beta)
    }
}

fn check_beta(key: &str, beta: &BetaDistribution) -> Checked {
    let [min, max] = beta.range();
    if let BetaDistribution::Constant { value } = *beta {
        return positive(&format!("{key}.value"), value);
    }
    positive(&format!("{key}.min"), min)?;
    positive(&format!("{key}.max"), max)?;
    if min > max {
        let allowed = format!("at most {key}.max = {max}");
        return Err(Invalid::value(format!("{key}.min"), min, allowed));
    }
    if let BetaDistribution::Normal { mean, std, .. } = *beta {
        positive(&format!("{key}.mean"), mean)?;
        positive(&format!("{key}.std"), std)?;
    }
    Ok(())
}

impl OptimizerConfig {
    fn check(&self) -> Checked {
        positive("optimizer.policy_lr", self.policy_lr)?;
        positive("optimizer.log_z_lr", self.log_z_lr)?;
        positive("optimizer.log_flow_lr", self.log_flow_lr)?;
        within("optimizer.final_lr", self.final_lr, 0.0..=1.0)?;
        positive("optimizer.clip_norm", self.clip_norm)
    }
}

impl ReplayConfig {
    fn check(&self) -> Checked {
        within("replay.batch", self.batch, 0..=MOST_BATCH)?;
        let good = self.top_share > 0.0 && self.top_share < 1.0;
        if !good {
            return Err(Invalid::value(
                "replay.top_share",
                self.top_share,
                "above 0 and below 1",
            ));
        }
        within("replay.min_objects", self.min_objects, 1..=MOST_BATCH)?;
        positive("replay.samples_per_insert", self.samples_per_insert)?;
        positive("replay.error_band", self.error_band)
    }
}

impl ActorConfig {
    fn check(&self) -> Checked {
        device("actor.device", &self.device)?;
        within("actor.threads", self.threads, 1..=MOST_THREADS)?;
        within("actor.batch", self.batch, 1..=MOST_BATCH)?;
        within("actor.outbox", self.outbox, 1..=MOST_OUTBOX)
    }
}

impl LearnerConfig {
    fn check(&self) -> Checked {
        device("learner.device", &self.device)?;
        within("learner.threads", self.threads, 1..=MOST_THREADS)?;
        within("learner.publish_every", self.publish_every, 1..=MOST_ROUNDS)?;
        within("learner.report_every", self.report_every, 1..=MOST_ROUNDS)?;
        within("learner.checkpoint_every", self.checkpoint_every, 1..=MOST_ROUNDS)?;
        within("learner.keep_checkpoints", self.keep_checkpoints, 1..=MOST_BATCH)?;
        within("learner.max_staleness", self.max_staleness, 1..=MOST_ROUNDS)?;
        within("learner.max_skipped", self.max_skipped, 1..=MOST_ROUNDS)?;
        within("learner.rescore", self.rescore, 0.0..=1.0)
    }
}

impl OfflineConfig {
    fn check(&self) -> Checked {
        within("offline.sample", self.sample, 0..=MOST_OBJECTS)?;
        within("offline.seed", self.seed, 0..=MOST_SEED)?;
        let good = self.share > 0.0 && self.share <= 1.0;
        if good {
            Ok(())
        } else {
            Err(Invalid::value("offline.share", self.share, "above 0, at most 1"))
        }
    }
}

fn within<T: PartialOrd + Display>(key: &str, value: T, range: RangeInclusive<T>) -> Checked {
    let good = range.contains(&value);
    if good {
        Ok(())
    } else {
        Err(Invalid::value(
            key,
            value,
            format!("{} to {}", range.start(), range.end()),
        ))
    }
}

fn positive(key: &str, value: impl Into<f64> + Copy + Display) -> Checked {
    let number: f64 = value.into();
    let good = number > 0.0 && number.is_finite();
    if good {
        Ok(())
    } else {
        Err(Invalid::value(key, value, "a finite number above 0"))
    }
}

/// Checks how a device is written; whether it is there, the program that uses it finds out.
fn device(key: &str, text: &str) -> Checked {
    let numbered = text
        .strip_prefix("cuda:")
        .is_some_and(|n| n.parse::<u8>().is_ok_and(|parsed| parsed.to_string() == n));
    let good = numbered || ["cpu", "cpu-torch", "cuda", "mps"].contains(&text);
    if good {
        Ok(())
    } else {
        Err(Invalid::value(
            key,
            format!("{text:?}"),
            "cpu, cpu-torch, cuda, cuda:N or mps",
        ))
    }
}

#[cfg(test)]
mod tests;
