//! The tasks rna1 to rna4: strings of 14 bases against one of four targets, or against several, or of another length.

use super::{ALPHABET, RnaScorer, targets};
use crate::config::{OfflineConfig, TaskConfig};
use crate::env::{Growth, SequenceEnv};
use crate::task::modes::Modes;
use crate::task::reward::RewardShape;
use crate::task::{Published, Task, TaskError, TaskKind, no_attachment};
use std::sync::Arc;

/// Letters of the published tasks' strings.
const LENGTH: usize = 14;

/// The best y of each target: METHOD.md for the first, the best that a search found for the others.
const BEST: [f64; 4] = [1.0545394628, 1.0, 1.0, 1.0];

/// One task per published target.
pub const KINDS: [TaskKind; 4] = [
    kind(
        "rna1",
        "RNA strings scored by how strongly they pair with target L14_RNA1",
        defaults::<0>,
    ),
    kind(
        "rna2",
        "RNA strings scored by how strongly they pair with target L14_RNA2",
        defaults::<1>,
    ),
    kind(
        "rna3",
        "RNA strings scored by how strongly they pair with target L14_RNA3",
        defaults::<2>,
    ),
    kind(
        "rna4",
        "RNA strings scored by how strongly they pair with target L14_RNA4",
        defaults::<3>,
    ),
];

const fn kind(name: &'static str, summary: &'static str, defaults: fn() -> TaskConfig) -> TaskKind {
    TaskKind {
        name,
        summary,
        objects: "268435456 strings of 14 letters of UCGA (any length and any targets can be asked for)",
        takes: &["growth", "length", "targets"],
        published: Published {
            hidden: 1024,
            epsilon: 0.01,
            rounds: 5000,
            // The 5,000 lowest of 50,000 random strings.
            offline: OfflineConfig {
                sample: 50_000,
                share: 0.1,
                seed: 0,
            },
        },
        defaults,
        attachment: no_attachment,
        build,
    }
}

fn defaults<const TARGET: usize>() -> TaskConfig {
    TaskConfig {
        growth: Some(Growth::PrependAppend),
        length: Some(LENGTH),
        targets: Some(vec![format!("RNA{}", TARGET + 1)]),
        ..TaskConfig::new(
            ["rna1", "rna2", "rna3", "rna4"][TARGET],
            RewardShape {
                cap: 10.0,
                floor: 0.001,
                y_max: BEST[TARGET],
                exponent: 8.0,
            },
        )
    }
}

fn build(config: &TaskConfig, _: Option<&[u8]>) -> Result<Task, TaskError> {
    let names = config.targets.as_deref().unwrap_or_default();
    if names.is_empty() {
        return Err(TaskError::Value {
            key: "targets",
            value: "[]".into(),
            allowed: "at least one target".into(),
        });
    }
    let targets = names
        .iter()
        .map(|name| targets::find(name))
        .collect::<Result<Vec<_>, _>>()?;
    let length = config.length.unwrap_or(LENGTH);
    Ok(Task {
        name: config.name.clone(),
        env: Arc::new(SequenceEnv::new(
            ALPHABET,
            length,
            config.growth.unwrap_or(Growth::PrependAppend),
        )),
        scorer: Arc::new(RnaScorer::new(&targets, length)),
        reward: config.reward,
        modes: Arc::new(Modes::default()),
    })
}
