//! The tasks rna1 to rna4: strings of 14 bases against one of four targets, or against several, or of another length.

use super::{ALPHABET, RnaScorer, targets};
use crate::config::{OfflineConfig, TaskConfig};
use crate::env::Growth;
use crate::task::modes::Modes;
use crate::task::reward::RewardShape;
use crate::task::{Published, Task, TaskError, TaskKind, blocks, no_attachment};
use std::sync::Arc;

/// Letters of the published tasks' strings.
const LENGTH: usize = 14;

/// The best y of each target: METHOD.md for the first, the best that a search found for the others.
///
/// The search finds that of the first too: 2,500 climbs from random strings, each step to the best of all strings that
/// differ in one letter, and one from the complement of each of the target's 87 windows of 14 bases. Both kinds of start
/// end at the same lowest energy, −38.4, −38.4, −33.7 and −30.7 kcal/mol, of the random ones 55 to 87 for each target.
const BEST: [f64; 4] = [1.0545394628, 1.0147455208, 1.1164855553, 1.1036019843];

/// One task per published target.
pub const KINDS: [TaskKind; 4] = [
    TaskKind {
        takes: &["growth", "words", "length", "targets", "data"],
        attachment: listed_modes,
        ..kind(
            "rna1",
            "RNA strings scored by how strongly they pair with target L14_RNA1; 336 modes after `thermoflow data import`",
            defaults::<0>,
        )
    },
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
        takes: &["growth", "words", "length", "targets"],
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

/// The list of modes: that which the configuration names, else the imported one, if there is one.
fn listed_modes(config: &TaskConfig) -> Result<Option<Vec<u8>>, TaskError> {
    let imported = || Some(blocks::RNA1.default_path()).filter(|path| path.is_file() && is_as_published(config));
    let path = config.data.clone().or_else(imported);
    path.map(|path| blocks::read_file(&blocks::RNA1, &path))
        .transpose()
        .map_err(TaskError::DataFile)
}

/// True for the strings and the target that the published list of modes is about.
fn is_as_published(config: &TaskConfig) -> bool {
    let published = defaults::<0>();
    (config.length, &config.targets) == (published.length, &published.targets)
}

fn modes(config: &TaskConfig, attachment: Option<&[u8]>) -> Result<Modes, TaskError> {
    let named = config.data.as_ref().filter(|_| !is_as_published(config));
    if let Some(path) = named {
        return Err(TaskError::Value {
            key: "data",
            value: format!("{:?}", path.display()),
            allowed: format!("the listed modes are strings of {LENGTH} letters for target RNA1 alone"),
        });
    }
    match (attachment, &config.data) {
        (Some(bytes), _) => blocks::load_rna1_modes(bytes).map_err(|source| TaskError::Data {
            task: blocks::RNA1.name,
            source,
        }),
        (None, Some(path)) => Err(TaskError::NotGiven(path.clone())),
        (None, None) => Ok(Modes::default()),
    }
}

fn build(config: &TaskConfig, attachment: Option<&[u8]>) -> Result<Task, TaskError> {
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
        env: Arc::new(config.strings(ALPHABET, length..=length)?),
        scorer: Arc::new(RnaScorer::new(&targets, length)),
        reward: config.reward,
        modes: Arc::new(modes(config, attachment)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::States;
    use crate::task::import::imported;

    #[test]
    fn modes_are_those_of_the_data_and_the_best_of_them_have_the_best_y() {
        let Some(bytes) = imported("rna1") else { return };
        let task = Task::build(&defaults::<0>(), Some(&bytes)).unwrap();
        assert_eq!(task.modes.len(), 336);
        let mut objects = States::new(LENGTH);
        objects.extend(task.modes.iter());
        let scores = task.scorer.score(&objects).unwrap();
        let best = scores.into_iter().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(best, BEST[0] as f32);
        let message = Task::build(&defaults::<0>(), Some(b"nonsense"))
            .unwrap_err()
            .to_string();
        assert_eq!(message, "the data of task \"rna1\" cannot be used");
    }

    #[test]
    fn the_best_strings_that_were_found_have_the_best_y() {
        for (number, text) in ["GGGGGCCCCGCGCG", "GGGGCCCCCGCGCG", "GCGGCUGGCCCUGU", "UCCGCCGAAGCCCA"]
            .into_iter()
            .enumerate()
        {
            let task = Task::build(&(KINDS[number].defaults)(), None).unwrap();
            let mut objects = States::new(LENGTH);
            objects.push(&task.env.parse_object(text).unwrap());
            assert_eq!(task.scorer.score(&objects).unwrap(), [BEST[number] as f32], "{text}");
            assert_eq!(task.reward.y_max, BEST[number]);
        }
    }

    #[test]
    fn a_list_of_modes_is_for_the_strings_it_is_about() {
        let mut config = defaults::<0>();
        config.data = Some("no/such.safetensors".into());
        let message = Task::load(&config).unwrap_err().to_string();
        assert!(
            message.contains("no/such.safetensors") && message.contains("data import"),
            "{message}"
        );
        config.length = Some(20);
        let message = Task::build(&config, Some(b"")).unwrap_err().to_string();
        assert!(
            message.contains("task.data = \"no/such.safetensors\" is not allowed: "),
            "{message}"
        );
        config.data = None;
        assert!(Task::load(&config).unwrap().modes.is_empty());
    }
}
