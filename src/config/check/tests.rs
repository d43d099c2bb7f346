//! Tests of the ranges: what is refused, and what lies at the edge.

use super::*;
use crate::config::{RawConfig, RawTask};

fn published() -> RunConfig {
    let task = RawTask {
        name: Some("tfbind8".into()),
        ..Default::default()
    };
    RawConfig {
        task,
        ..Default::default()
    }
    .resolve()
    .unwrap()
}

/// What is said about the published configuration with one thing changed.
fn refusal(change: impl FnOnce(&mut RunConfig)) -> String {
    let mut config = published();
    change(&mut config);
    config.check().unwrap_err().to_string()
}

#[test]
fn values_out_of_range_are_refused_by_key_value_and_range() {
    type Change = fn(&mut RunConfig);
    let cases: &[(Change, &str)] = &[
        (
            |c| c.seed = u64::MAX,
            "seed = 18446744073709551615 is not allowed: 0 to 9223372036854775807",
        ),
        (|c| c.task.reward.floor = 0.0, "task.reward.floor = 0 is not"),
        (
            |c| c.task.reward.exponent = f64::NAN,
            "task.reward.exponent = NaN is not",
        ),
        (|c| c.policy.hidden = 0, "policy.hidden = 0 is not allowed: 1 to 16384"),
        (|c| c.policy.embed = 1 << 40, "policy.embed = 1099511627776 is not"),
        (
            |c| c.policy.thermometer_bins = 1,
            "policy.thermometer_bins = 1 is not allowed: 2 to",
        ),
        (
            |c| c.policy.thermometer_range = [3.0, 1.0],
            "policy.thermometer_range = [3, 1] is not",
        ),
        (|c| c.train.rounds = 0, "train.rounds = 0 is not"),
        (|c| c.train.batch = 0, "train.batch = 0 is not"),
        (|c| c.train.steps = 0, "train.steps = 0 is not"),
        (|c| c.train.epsilon = 1.5, "train.epsilon = 1.5 is not allowed: 0 to 1"),
        (|c| c.train.epsilon = f32::NAN, "train.epsilon = NaN is not"),
        (
            |c| c.optimizer.policy_lr = 0.0,
            "optimizer.policy_lr = 0 is not allowed: a finite number above 0",
        ),
        (
            |c| c.optimizer.clip_norm = f32::INFINITY,
            "optimizer.clip_norm = inf is not",
        ),
        (
            |c| c.replay.top_share = 1.0,
            "replay.top_share = 1 is not allowed: above 0 and below 1",
        ),
        (
            |c| c.replay.samples_per_insert = -1.0,
            "replay.samples_per_insert = -1 is not",
        ),
        (
            |c| c.replay.error_band = 63.0,
            "replay.error_band = 63 is not allowed: at least 64;",
        ),
        (
            |c| c.actor.batch = 4096,
            "replay.error_band = 256 is not allowed: at least 8192;",
        ),
        (|c| c.actor.outbox = 0, "actor.outbox = 0 is not"),
        (
            |c| c.actor.device = "gpu".into(),
            "actor.device = \"gpu\" is not allowed: cpu, cpu-torch, cuda, cuda:N or mps",
        ),
        (
            |c| c.learner.device = "cuda:+1".into(),
            "learner.device = \"cuda:+1\" is not",
        ),
        (|c| c.learner.threads = 0, "learner.threads = 0 is not"),
        (
            |c| c.learner.keep_checkpoints = 0,
            "learner.keep_checkpoints = 0 is not",
        ),
    ];
    for (change, expected) in cases {
        let message = refusal(change);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn what_lies_at_the_edge_of_a_range_is_allowed() {
    let mut config = published();
    config.train.epsilon = 0.0;
    config.replay.batch = 0;
    config.replay.error_band = 64.0;
    config.train.beta = BetaDistribution::LogUniform { min: 2.0, max: 2.0 };
    config.learner.device = "cuda:1".into();
    config.check().unwrap();
}

#[test]
fn beta_is_positive_and_in_order() {
    for (beta, expected) in [
        (BetaDistribution::Constant { value: 0.0 }, "train.beta.value = 0 is not"),
        (
            BetaDistribution::Constant { value: f32::NAN },
            "train.beta.value = NaN is not",
        ),
        (
            BetaDistribution::Uniform { min: -1.0, max: 3.0 },
            "train.beta.min = -1 is not",
        ),
        (
            BetaDistribution::LogUniform {
                min: 1.0,
                max: f32::INFINITY,
            },
            "train.beta.max = inf is not",
        ),
        (
            BetaDistribution::Uniform { min: 3.0, max: 1.0 },
            "train.beta.min = 3 is not allowed: at most train.beta.max = 1",
        ),
    ] {
        let message = refusal(|config| config.train.beta = beta);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn an_unconditional_run_has_one_beta() {
    use crate::policy::Conditioning::Unconditional;
    let constant = |value| BetaDistribution::Constant { value };
    let message = refusal(|config| config.policy.conditioning = Unconditional);
    assert!(
        message.starts_with("train.explore = β from 1 to 3 is not") && message.contains("constant"),
        "{message}"
    );
    let message = refusal(|config| {
        config.policy.conditioning = Unconditional;
        (config.train.explore, config.train.beta) = (constant(1.0), constant(2.0));
    });
    assert!(
        message.starts_with("train.beta.value = 2 is not") && message.contains("= 1 must be"),
        "{message}"
    );
    let mut config = published();
    config.policy.conditioning = Unconditional;
    (config.train.explore, config.train.beta) = (constant(2.0), constant(2.0));
    config.check().unwrap();
}
