//! Tests of the list of tasks, driven by it: a new task is tested without a line here.

use super::import::imported;
use super::oracle::OracleConfig;
use super::*;
use crate::env::{Growth, contract};

#[test]
fn an_unknown_task_names_the_nearest_and_the_list() {
    let mut config = tfbind8::KIND.config();
    config.name = "tfbnd8".into();
    let message = Task::build(&config, None).unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "task \"tfbnd8\" is not known (did you mean \"tfbind8\"?); tasks are: {}",
            names()
        )
    );
}

#[test]
fn a_named_table_is_never_silently_left_out() {
    let mut config = tfbind8::KIND.config();
    config.table = Some("missing/table.txt".into());
    assert!(matches!(Task::build(&config, None), Err(TaskError::NotGiven(_))));
    let message = Task::load(&config).unwrap_err().to_string();
    assert!(message.contains("missing/table.txt"), "{message}");
}

#[test]
fn tasks_take_what_their_defaults_set() {
    for kind in KINDS {
        let config = kind.config();
        assert_eq!(config.name, kind.name);
        for (key, set) in [
            ("growth", config.growth.is_some()),
            ("alphabet", config.alphabet.is_some()),
            ("length", config.length.is_some()),
            ("targets", config.targets.is_some()),
            ("side", config.side.is_some()),
        ] {
            assert!(!set || kind.takes.contains(&key), "{} sets {key}", kind.name);
        }
    }
}

/// Bytes for a task that cannot be built without; None where there are none to be had, which is said.
fn data_of(kind: &TaskKind) -> Option<Vec<u8>> {
    let data = imported(kind.name);
    if data.is_none() {
        eprintln!(
            "SKIPPED: the contract on the environment of {}, its data is not there",
            kind.name
        );
    }
    data
}

/// The task with its defaults; where they do not say what is needed, with this.
fn build(kind: &TaskKind, change: impl FnOnce(&mut TaskConfig)) -> Option<Task> {
    let mut config = kind.config();
    if kind.takes.contains(&"alphabet") {
        config.alphabet.get_or_insert_with(|| "ABC".into());
        config.length.get_or_insert(6);
    }
    if kind.takes.contains(&"oracle") {
        // Never started: environments score nothing.
        let command = vec!["no-program".into()];
        config.oracle = Some(OracleConfig {
            command,
            ..OracleConfig::default()
        });
    }
    change(&mut config);
    match Task::build(&config, None) {
        Err(TaskError::NotGiven(_)) => data_of(kind).map(|data| Task::build(&config, Some(&data)).unwrap()),
        built => Some(built.unwrap()),
    }
}

#[test]
fn small_instances_of_every_task_keep_the_contract() {
    for kind in KINDS
        .iter()
        .filter(|kind| ["length", "side"].iter().any(|key| kind.takes.contains(key)))
    {
        for growth in [Growth::PrependAppend, Growth::AppendOnly] {
            let task = build(kind, |config| {
                config.length = kind.takes.contains(&"length").then_some(3);
                config.side = kind.takes.contains(&"side").then_some(4);
                config.growth = kind.takes.contains(&"growth").then_some(growth);
                config.words = kind.takes.contains(&"words").then_some(2);
                config.min_length = kind.takes.contains(&"min_length").then_some(1);
            });
            assert!(contract::check(&*task.unwrap().env) > 15, "{}", kind.name);
        }
    }
}

#[test]
fn words_that_strings_do_not_have_are_refused() {
    let with = |words| {
        let config = TaskConfig {
            words: Some(words),
            ..tfbind8::KIND.config()
        };
        Task::build(&config, None)
    };
    // 8·4 + 7·16 features.
    assert_eq!(with(2).unwrap().env.feature_count(), 144);
    assert_eq!(with(8).unwrap().env.feature_count(), 116_496);
    for words in [0, 9, usize::MAX] {
        let message = with(words).unwrap_err().to_string();
        assert!(message.contains("words of 1 to 8 letters here"), "{message}");
    }
}

#[test]
fn published_instances_of_every_task_keep_the_contract_along_walks() {
    for kind in KINDS {
        if let Some(task) = build(kind, |_| ()) {
            assert_eq!(task.name, kind.name);
            contract::check_along_walks(&*task.env, 100);
        }
    }
}
