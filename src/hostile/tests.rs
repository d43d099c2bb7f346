//! Every input that is kept in `fuzz/seeds/`: real messages, and what once made a reader fail.

use super::seeds;
use std::fs;
use std::path::{Path, PathBuf};

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 12] = [
    ("to_learner", super::to_learner),
    ("to_actor", super::to_actor),
    ("from_relay", super::from_relay),
    ("to_relay", super::to_relay),
    ("secure", super::secure),
    ("weights", super::weights),
    ("replay_actions", super::replay_actions),
    ("checkpoint", super::checkpoint),
    ("pickle", super::pickle),
    ("config", super::config),
    ("oracle_line", super::oracle_line),
    ("table", super::table),
];

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
}

#[test]
fn every_seed_is_survived() {
    for (name, target) in TARGETS {
        let files: Vec<_> = fs::read_dir(folder(name))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            // Shown when it fails.
            eprintln!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}

/// Also short and changed ones: seeds are where the readers' paths are, so this covers them without cargo-fuzz.
#[test]
fn cut_and_changed_seeds_are_survived() {
    for (name, target) in TARGETS {
        for seed in seeds::all().into_iter().filter(|seed| seed.target == name) {
            let step = seed.bytes.len().div_ceil(100);
            for place in (0..seed.bytes.len()).step_by(step) {
                target(&seed.bytes[..place]);
                for change in [1, 0x80, 0xff] {
                    let mut changed = seed.bytes.clone();
                    changed[place] ^= change;
                    target(&changed);
                }
            }
        }
    }
}

/// A message that has changed must be in the seeds as it is now. Lengths: some hold random bytes.
#[test]
fn seeds_are_the_messages_of_today() {
    for seed in seeds::all() {
        let path = folder(seed.target).join(&seed.name);
        let kept = fs::read(&path).unwrap_or_default();
        let help = "make the seeds anew: cargo test --release -- --ignored write_the_seeds";
        assert_eq!(kept.len(), seed.bytes.len(), "{}: {help}", path.display());
    }
}

#[test]
#[ignore = "writes into the repository"]
fn write_the_seeds() {
    for seed in seeds::all() {
        let folder = folder(seed.target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(&seed.name), &seed.bytes).unwrap();
    }
}
