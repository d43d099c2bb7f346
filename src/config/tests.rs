//! Tests of the way from a file to a resolved configuration.

mod training;

use super::*;
use crate::beta::BetaDistribution;
use crate::env::Growth;
use crate::policy::Conditioning;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const TASK: &str = "[task]\nname = \"tfbind8\"\n";

fn read(text: &str, sets: &[&str]) -> Result<RunConfig, ConfigError> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    from_text(Path::new("dir/x.toml"), text, &sets, &RawConfig::default())
}

fn refusal(text: &str, sets: &[&str]) -> String {
    read(text, sets).unwrap_err().to_string()
}

fn configs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    files
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect()
}

#[test]
fn every_file_in_configs_loads_and_survives_the_round_trip() {
    let files = configs();
    assert!(files.len() >= 16, "{files:?}");
    for file in files {
        let config = load(&file, &[], &RawConfig::default()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read(&config.to_toml(), &[]).unwrap(), config, "{}", file.display());
        assert_eq!(toml::from_str::<RunConfig>(&config.to_toml()).unwrap(), config);
        for bytes in [
            rmp_serde::to_vec(&config).unwrap(),
            rmp_serde::to_vec_named(&config).unwrap(),
        ] {
            assert_eq!(
                rmp_serde::from_slice::<RunConfig>(&bytes).unwrap(),
                config,
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn files_of_published_tasks_hold_the_defaults() {
    for task in ["tfbind8", "rna1", "qm9str", "sehstr"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("configs/{task}.toml"));
        let config = load(&file, &[], &RawConfig::default()).unwrap();
        assert_eq!(config, RunConfig::published(task).unwrap(), "{task}");
    }
}

#[test]
fn the_defaults_are_the_published_settings() {
    let config = read(TASK, &[]).unwrap();
    let beta = BetaDistribution::Uniform { min: 1.0, max: 3.0 };
    assert_eq!((config.train.explore, config.train.beta), (beta, beta));
    assert_eq!(
        (config.train.rounds, config.train.batch, config.train.steps),
        (2000, 32, 1)
    );
    assert_eq!(
        (config.policy.hidden, config.policy.embed, config.policy.beta_hidden),
        (128, 128, 32)
    );
    assert_eq!(config.policy.conditioning, Conditioning::Logit);
    assert_eq!(
        (config.task.growth, config.task.reward.exponent),
        (Some(Growth::PrependAppend), 3.0)
    );
    assert_eq!(
        (config.replay.samples_per_insert, config.replay.error_band),
        (2.0, 256.0)
    );
}

#[test]
fn defaults_follow_what_they_depend_on() {
    let config = read(
        TASK,
        &[
            "policy.hidden=64",
            "train.steps=4",
            "train.beta.max=5",
            "replay.batch=0",
        ],
    )
    .unwrap();
    assert_eq!(config.policy.embed, 64);
    assert_eq!(config.policy.thermometer_range, [1.0, 5.0]);
    assert_eq!(
        config.replay.samples_per_insert, 4.0,
        "four steps online, none replayed"
    );
    let config = read(TASK, &["policy.conditioning=unconditional"]).unwrap();
    assert_eq!(config.train.beta, BetaDistribution::Constant { value: 1.0 });
    assert_eq!(config.policy.thermometer_range, [1.0, 3.0]);
}

#[test]
fn flags_win_over_sets_and_sets_over_the_file() {
    let text = format!("{TASK}[train]\nrounds = 1\nbatch = 1\nsteps = 1\n");
    let sets = ["train.rounds=2", "train.batch = 2", "train.batch=3"].map(str::to_owned);
    let mut flags = RawConfig::default();
    flags.train.rounds = Some(4);
    flags.optimizer.policy_lr = Some(0.1);
    let config = from_text(Path::new("x.toml"), &text, &sets, &flags).unwrap();
    assert_eq!((config.train.rounds, config.train.batch, config.train.steps), (4, 3, 1));
    assert_eq!(config.optimizer.policy_lr, 0.1, "not a neighbour of 0.1");
}

#[test]
fn a_set_takes_toml_values_and_bare_words() {
    let sets = [
        "train.mode=async",
        "actor.device=\"cuda:0\"",
        "policy.thermometer_range=[1, 9]",
        "replay.prioritized=false",
    ];
    let config = read(TASK, &sets).unwrap();
    assert_eq!(
        (config.train.mode, config.actor.device.as_str()),
        (Mode::Async, "cuda:0")
    );
    assert_eq!(
        (config.policy.thermometer_range, config.replay.prioritized),
        ([1.0, 9.0], false)
    );
}

#[test]
fn a_distribution_of_another_kind_replaces_the_whole() {
    let text = format!("{TASK}[train.beta]\nkind = \"uniform\"\nmin = 1\nmax = 3\n");
    let config = read(&text, &["train.beta={ kind = \"constant\", value = 2 }"]).unwrap();
    assert_eq!(config.train.beta, BetaDistribution::Constant { value: 2.0 });
    let config = read(&text, &["train.beta.min=2"]).unwrap();
    assert_eq!(config.train.beta, BetaDistribution::Uniform { min: 2.0, max: 3.0 });
    let config = read(
        &text,
        &["train.beta.kind=log-uniform", "train.beta.min=2", "train.beta.max=4"],
    )
    .unwrap();
    assert_eq!(config.train.beta, BetaDistribution::LogUniform { min: 2.0, max: 4.0 });
}

#[test]
fn a_distribution_takes_the_numbers_of_its_kind() {
    let with = |beta: &str| refusal(&format!("{TASK}[train]\nbeta = {beta}\n"), &[]);
    assert_eq!(
        with("{ kind = \"uniform\", min = 1 }"),
        "dir/x.toml: train.beta.max is missing: kind uniform needs it"
    );
    let expected = "dir/x.toml:4: train.beta.min = 1 is not allowed: kind constant takes value";
    assert_eq!(with("{ kind = \"constant\", value = 1, min = 1 }"), expected);
    assert!(with("{ value = 2 }").contains("train.beta.value = 2 is not allowed: kind uniform takes min and max"));
    assert!(with("{ kind = \"gauss\" }").contains(":4: train.beta.kind: unknown variant `gauss`, expected one of"));
}

#[test]
fn a_table_is_relative_to_the_file_that_names_it() {
    let config = read(&format!("{TASK}table = \"a/b.txt\"\n"), &[]).unwrap();
    assert_eq!(config.task.table, Some("dir/a/b.txt".into()));
    let config = read(TASK, &["task.table=b.txt"]).unwrap();
    assert_eq!(config.task.table, Some("b.txt".into()));
}

#[test]
fn mistakes_in_a_file_are_named_with_their_line() {
    for (text, expected) in [
        (
            "[train]\n\nronds = 3",
            "dir/x.toml:3: there is no key \"train.ronds\" (did you mean \"train.rounds\"?)",
        ),
        (
            "[trian]\nrounds = 3",
            "dir/x.toml:1: there is no key \"trian\" (did you mean \"train\"?)",
        ),
        (
            "[train.beta]\nmaxx = 3",
            "dir/x.toml:2: there is no key \"train.beta.maxx\" (did you mean \"train.beta.max\"?)",
        ),
        ("zzzzzz = 3", "dir/x.toml:1: there is no key \"zzzzzz\""),
        (
            "[train]\nrounds = \"many\"",
            "dir/x.toml:2: train.rounds: invalid type: string \"many\", expected u64",
        ),
        (
            "[train]\nbatch = -1",
            "dir/x.toml:2: train.batch: invalid value: integer `-1`, expected usize",
        ),
        (
            "[train]\nmode = \"fast\"",
            "dir/x.toml:2: train.mode: unknown variant `fast`, expected one of `sync`, `async`, `offline`",
        ),
        ("[train]\nepsilon = 0.01\nepsilon = 2", "dir/x.toml:3: duplicate key"),
        ("[train]\nepsilon == 1", "dir/x.toml:2: "),
        ("seed = 1", "dir/x.toml: task.name is missing: one of tfbind8"),
        (
            "[task]\nname = \"tfbind8\"\n[policy]\nconditioning = \"unconditional\"\n[train]\nbeta.min = 2\nbeta.kind = \"uniform\"\nbeta.max = 3",
            "dir/x.toml:6: train.beta = β from 2 to 3 is not allowed",
        ),
        (
            "[task]\nname = \"tfbind9\"",
            "dir/x.toml:2: task \"tfbind9\" is not known (did you mean \"tfbind8\"?)",
        ),
        (
            "[task]\nname = \"tfbind8\"\n[train]\nepsilon = 2",
            "dir/x.toml:4: train.epsilon = 2 is not allowed: 0 to 1",
        ),
    ] {
        let message = refusal(text, &[]);
        assert!(message.starts_with(expected) && !message.contains('\n'), "{message}");
    }
}

#[test]
fn mistakes_in_a_set_are_named_with_the_set() {
    for (set, expected) in [
        (
            "train.ronds=3",
            "--set train.ronds=3: there is no key \"train.ronds\" (did you mean \"train.rounds\"?)",
        ),
        (
            "train.rounds=3O",
            "--set train.rounds=3O: invalid type: string \"3O\", expected u64",
        ),
        (
            "train.rounds=3\nseed=4",
            "--set train.rounds=3\nseed=4: invalid type: string",
        ),
        ("train.rounds", "--set train.rounds: it must be key=value"),
        ("train.=3", "--set train.=3: the key must be a dotted path"),
        (
            "train.rounds=0",
            "--set train.rounds=0: train.rounds = 0 is not allowed: 1 to",
        ),
        (
            "train.beta.min=9",
            "--set train.beta.min=9: train.beta.min = 9 is not allowed: at most train.beta.max = 3",
        ),
    ] {
        let message = refusal(TASK, &[set]);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn mistakes_in_a_flag_are_named_as_such() {
    let mut flags = RawConfig::default();
    flags.train.rounds = Some(0);
    let message = from_text(Path::new("x.toml"), TASK, &[], &flags)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("command line: train.rounds = 0 is not allowed"),
        "{message}"
    );
    let message = load(Path::new("missing/x.toml"), &[], &flags).unwrap_err().to_string();
    assert!(message.contains("missing/x.toml"), "{message}");
}

/// Nothing but this test ties the raw structs to the resolved ones.
#[test]
fn raw_and_resolved_have_the_same_keys() {
    fn keys(value: &serde_json::Value, prefix: &str, into: &mut BTreeSet<String>) {
        match value.as_object() {
            // What a distribution holds depends on its kind.
            Some(object) if !object.contains_key("kind") => {
                object
                    .iter()
                    .for_each(|(name, inner)| keys(inner, &format!("{prefix}.{name}"), into));
            }
            _ => drop(into.insert(prefix.to_owned())),
        }
    }
    let mut resolved = RunConfig::published("tfbind8").unwrap();
    resolved.task.oracle = Some(Default::default());
    let mut sets = [BTreeSet::new(), BTreeSet::new()];
    keys(&serde_json::to_value(RawConfig::default()).unwrap(), "", &mut sets[0]);
    keys(&serde_json::to_value(&resolved).unwrap(), "", &mut sets[1]);
    // What is asked of a scheduler is no part of a run (config::launch).
    sets[0].retain(|key| !key.starts_with(".launch."));
    assert!(sets[0].len() > 40);
    assert_eq!(sets[0], sets[1]);
}
