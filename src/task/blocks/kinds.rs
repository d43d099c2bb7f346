//! The tasks qm9str and sehstr: strings of molecular fragments, scored by published data.

use super::{BlockDataError, BlockKind, load_qm9str, load_sehstr, read_file};
use crate::config::{OfflineConfig, TaskConfig};
use crate::env::Growth;
use crate::task::modes::Modes;
use crate::task::reward::RewardShape;
use crate::task::{LOWER_HALF, Published, Scorer, Task, TaskError, TaskKind};
use std::sync::Arc;

/// Small organic molecules of five fragments.
pub const QM9STR: TaskKind = TaskKind {
    name: super::QM9STR.name,
    summary: "molecules of QM9's fragments, scored by their HOMO–LUMO gap (needs `thermoflow data import`)",
    objects: "161051 strings of 5 of the 11 fragments 0 to a; 364 modes",
    takes: &["data", "growth", "words"],
    published: published(LOWER_HALF),
    defaults: || defaults(&super::QM9STR, 100.0, 17.374775, 5.0),
    attachment: |config| attachment(&super::QM9STR, config),
    build: |config, attachment| build(&super::QM9STR, load_qm9str, config, attachment),
};

/// Drug-like molecules of six fragments.
pub const SEHSTR: TaskKind = TaskKind {
    name: super::SEHSTR.name,
    summary: "molecules of 18 fragments, scored by how they bind to the enzyme sEH (needs `thermoflow data import`)",
    objects: "34012224 strings of 6 of the 18 fragments 0 to h; 159 modes",
    takes: &["data", "growth", "words"],
    // Those at or under the 10th percentile of 100,000 random strings.
    published: published(OfflineConfig {
        sample: 100_000,
        share: 0.1,
        seed: 0,
    }),
    defaults: || defaults(&super::SEHSTR, 10.0, 7.0332530647, 6.0),
    attachment: |config| attachment(&super::SEHSTR, config),
    build: |config, attachment| build(&super::SEHSTR, load_sehstr, config, attachment),
};

const fn published(offline: OfflineConfig) -> Published {
    Published {
        hidden: 1024,
        epsilon: 0.1,
        rounds: 2000,
        offline,
    }
}

fn defaults(kind: &BlockKind, cap: f64, y_max: f64, exponent: f64) -> TaskConfig {
    let reward = RewardShape {
        cap,
        floor: 0.001,
        y_max,
        exponent,
    };
    TaskConfig {
        growth: Some(Growth::PrependAppend),
        ..TaskConfig::new(kind.name, reward)
    }
}

fn attachment(kind: &BlockKind, config: &TaskConfig) -> Result<Option<Vec<u8>>, TaskError> {
    let path = config.data.clone().unwrap_or_else(|| kind.default_path());
    read_file(kind, &path).map(Some).map_err(TaskError::DataFile)
}

/// How the bytes of a data file become scores and modes.
type Load<S> = fn(&[u8]) -> Result<(S, Modes), BlockDataError>;

fn build<S: Scorer + 'static>(
    kind: &BlockKind,
    load: Load<S>,
    config: &TaskConfig,
    attachment: Option<&[u8]>,
) -> Result<Task, TaskError> {
    let given = || config.data.clone().unwrap_or_else(|| kind.default_path());
    let bytes = attachment.ok_or_else(|| TaskError::NotGiven(given()))?;
    let (scorer, modes) = load(bytes).map_err(|source| TaskError::Data {
        task: kind.name,
        source,
    })?;
    Ok(Task {
        name: kind.name.into(),
        env: Arc::new(config.strings(kind.alphabet, kind.length..=kind.length)?),
        scorer: Arc::new(scorer),
        reward: config.reward,
        modes: Arc::new(modes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::States;
    use crate::task::import::imported;

    fn score(task: &Task, text: &str) -> f32 {
        let mut objects = States::new(task.env.state_width());
        objects.push(&task.env.parse_object(text).unwrap());
        task.scorer.score(&objects).unwrap()[0]
    }

    #[test]
    fn no_mode_is_better_than_the_best_y() {
        for kind in [&QM9STR, &SEHSTR] {
            let Some(bytes) = imported(kind.name) else { return };
            let task = Task::build(&kind.config(), Some(&bytes)).unwrap();
            assert!(kind.objects.contains(&format!("{} modes", task.modes.len())));
            let mut modes = task.modes.iter().map(|mode| score(&task, &task.env.format(mode)));
            assert!(modes.all(|y| 0.0 < y && y <= task.reward.y_max as f32), "{}", kind.name);
        }
    }

    #[test]
    fn the_best_of_qm9str_has_the_greatest_reward() {
        let Some(bytes) = imported("qm9str") else { return };
        let task = Task::build(&QM9STR.config(), Some(&bytes)).unwrap();
        let (objects, scores) = task.scorer.enumerate().unwrap();
        assert_eq!(objects.len(), 161_051);
        let best = scores.into_iter().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(best, 17.374775);
        assert_eq!(score(&task, "11111"), best, "it is no listed mode");
        assert!((task.reward.log_reward(best) - 100f32.ln()).abs() < 1e-5);
    }

    #[test]
    fn data_that_is_not_there_says_where_to_get_it() {
        for kind in [&QM9STR, &SEHSTR] {
            let config = TaskConfig {
                data: Some("no/such.safetensors".into()),
                ..kind.config()
            };
            let message = Task::load(&config).unwrap_err().to_string();
            for part in [
                kind.name,
                "no/such.safetensors",
                "https://",
                "thermoflow data import DIR",
            ] {
                assert!(message.contains(part), "{message}");
            }
            assert!(matches!(Task::build(&config, None), Err(TaskError::NotGiven(_))));
            let message = Task::build(&config, Some(b"nonsense")).unwrap_err().to_string();
            assert_eq!(message, format!("the data of task {:?} cannot be used", kind.name));
        }
    }
}
