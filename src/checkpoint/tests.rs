//! Tests of checkpoints.

use super::*;
use crate::env::Sizes;
use crate::policy::{Conditioning, Layout};
use crate::small_disk::SmallDisk;
use tempfile::TempDir;

fn checkpoint(step: u64) -> Checkpoint {
    let spec = PolicySpec {
        hidden: 6,
        embed: 4,
        ..PolicySpec::published(Conditioning::Unconditional)
    };
    let policy = Parameters::initial(
        Layout::new(
            &spec,
            Sizes {
                features: 8,
                actions: 4,
            },
        ),
        step,
    );
    let optimizer = AdamState {
        step,
        first: policy.values.clone(),
        second: vec![0.5; policy.values.len()],
    };
    let trainer = TrainerState {
        run_id: "r".into(),
        round: step / 2,
        gradient_steps: step,
        policy_version: PolicyVersion(step),
        limiter: LimiterState {
            inserted: 5,
            sampled: 10,
            skipped: 1,
        },
        seconds: 0.1,
        counters: BTreeMap::from([("rejected".into(), 3)]),
        ..TrainerState::default()
    };
    Checkpoint {
        task: "tfbind8".into(),
        policy,
        optimizer,
        trainer,
    }
}

fn run_with(steps: &[u64]) -> TempDir {
    let run = tempfile::tempdir().unwrap();
    for &step in steps {
        checkpoint(step).write(run.path()).unwrap();
    }
    run
}

fn assert_same(a: &Checkpoint, b: &Checkpoint) {
    assert_eq!((&a.task, &a.trainer, &a.optimizer), (&b.task, &b.trainer, &b.optimizer));
    assert_eq!(
        (&a.policy.values, &a.policy.layout),
        (&b.policy.values, &b.policy.layout)
    );
}

fn names(run: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(run.path().join(DIRECTORY)).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_newest_checkpoint_comes_back_whole() {
    let run = run_with(&[9, 10, 100]);
    let found = latest(run.path()).unwrap().unwrap();
    assert_eq!(found.path, run.path().join("checkpoints/100"));
    assert!(found.skipped.is_empty());
    assert_same(&found.checkpoint, &checkpoint(100));
    assert!(latest(tempfile::tempdir().unwrap().path()).unwrap().is_none());
}

#[test]
fn damaged_checkpoints_are_passed_over_and_named() {
    let run = run_with(&[1, 2, 3, 4, 5]);
    let file = |step: u64, name| run.path().join(DIRECTORY).join(step.to_string()).join(name);
    fs::remove_file(file(5, seal::DONE)).unwrap();
    flip_a_bit(&file(4, POLICY));
    fs::remove_file(file(3, OPTIMIZER)).unwrap();
    let found = latest(run.path()).unwrap().unwrap();
    assert_same(&found.checkpoint, &checkpoint(2));
    let reasons: Vec<_> = found.skipped.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(reasons.len(), 3);
    assert!(reasons[0].contains("DONE is missing"), "{reasons:?}");
    assert!(
        reasons[1].contains("4/policy.safetensors is damaged: its SHA-256"),
        "{reasons:?}"
    );
    assert!(reasons[2].contains("optimizer.safetensors is missing"), "{reasons:?}");
    fs::write(file(2, TRAINER), "{}").unwrap();
    flip_a_bit(&file(1, OPTIMIZER));
    let error = latest(run.path()).unwrap_err();
    assert!(
        matches!(error, CheckpointError::AllDamaged { count: 5, .. }),
        "never silently from scratch: {error}"
    );
}

#[test]
fn writing_cut_short_anywhere_leaves_the_previous_checkpoint() {
    let files = checkpoint(2).encode().unwrap();
    for written in 0..=files.len() {
        let run = run_with(&[1]);
        let part = run.path().join("checkpoints/2.part");
        build(&part, &files[..written]).unwrap();
        assert_same(&latest(run.path()).unwrap().unwrap().checkpoint, &checkpoint(1));
        checkpoint(2).write(run.path()).unwrap();
        assert_same(&latest(run.path()).unwrap().unwrap().checkpoint, &checkpoint(2));
        assert_eq!(names(&run), ["1", "2"]);
    }
}

#[test]
fn a_step_written_again_replaces_the_old_one_and_never_loses_both() {
    let run = run_with(&[7]);
    let mut again = checkpoint(7);
    again.trainer.trajectories = 99;
    again.write(run.path()).unwrap();
    assert_same(&latest(run.path()).unwrap().unwrap().checkpoint, &again);
    assert_eq!(names(&run), ["7"]);
    // Cut short between the two renames.
    let dir = run.path().join(DIRECTORY);
    fs::rename(dir.join("7"), dir.join("7.old")).unwrap();
    assert_same(&latest(run.path()).unwrap().unwrap().checkpoint, &again);
    checkpoint(7).write(run.path()).unwrap();
    assert_same(&latest(run.path()).unwrap().unwrap().checkpoint, &checkpoint(7));
    assert_eq!(names(&run), ["7"]);
}

#[test]
fn bad_numbers_leave_nothing_behind() {
    let run = run_with(&[1]);
    let mut bad = checkpoint(2);
    bad.optimizer.second[3] = f32::NAN;
    assert!(matches!(bad.write(run.path()), Err(CheckpointError::NotFinite { .. })));
    bad = checkpoint(2);
    bad.optimizer.first.pop();
    assert!(matches!(bad.write(run.path()), Err(CheckpointError::Length { .. })));
    assert_eq!(names(&run), ["1"]);
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let run = run_with(&[1]);
    // A file in the way of the directory.
    fs::write(run.path().join("checkpoints/2"), "").unwrap();
    fs::create_dir(run.path().join("checkpoints/2.old")).unwrap();
    fs::write(run.path().join("checkpoints/2.part"), "").unwrap();
    let error = checkpoint(2).write(run.path()).unwrap_err();
    assert!(error.to_string().contains("checkpoints/2"), "{error}");
    assert_same(&latest(run.path()).unwrap().unwrap().checkpoint, &checkpoint(1));
}

#[test]
fn old_checkpoints_are_deleted_but_never_the_last_good_one() {
    let run = run_with(&[1, 2, 3, 4]);
    assert_eq!(prune(run.path(), 2).unwrap().len(), 2);
    assert_eq!(names(&run), ["3", "4"]);
    let run = run_with(&[1, 2, 3, 4]);
    for step in [3, 4] {
        flip_a_bit(&run.path().join(DIRECTORY).join(step.to_string()).join(POLICY));
    }
    prune(run.path(), 0).unwrap();
    assert_eq!(
        names(&run),
        ["2", "3", "4"],
        "the newest good one outlives a count of newer, damaged ones"
    );
}

#[test]
fn a_trainer_state_of_another_version_is_read() {
    let state: TrainerState = serde_json::from_str(r#"{"round": 3, "of_the_future": [1]}"#).unwrap();
    assert_eq!(
        state,
        TrainerState {
            round: 3,
            ..TrainerState::default()
        }
    );
}

#[test]
fn weights_are_found_by_file_checkpoint_or_run() {
    let run = run_with(&[1, 2, 3]);
    let dir = run.path().join(DIRECTORY);
    flip_a_bit(&dir.join("3").join(POLICY));
    let weights = |path: &Path| load_policy(path, None).map(|found| found.policy.parameters.values);
    assert_eq!(
        weights(&dir.join("1").join(POLICY)).unwrap(),
        checkpoint(1).policy.values
    );
    assert_eq!(weights(&dir.join("1")).unwrap(), checkpoint(1).policy.values);
    let found = load_policy(run.path(), None).unwrap();
    assert_eq!((found.path, found.skipped.len()), (dir.join("2"), 1));
    assert_eq!(found.policy.parameters.values, checkpoint(2).policy.values);
    assert!(weights(&dir.join("3")).unwrap_err().to_string().contains("damaged"));
    for nowhere in [run.path().join("nothing"), tempfile::tempdir().unwrap().path().into()] {
        assert!(matches!(weights(&nowhere), Err(CheckpointError::NotFound { .. })));
    }
    fs::remove_file(dir.join("1").join(seal::DONE)).unwrap();
    assert!(
        weights(&dir.join("1"))
            .unwrap_err()
            .to_string()
            .contains("incomplete: DONE is missing")
    );
}

#[test]
fn a_full_disk_leaves_the_previous_checkpoint_and_nothing_else() {
    let Some(disk) = SmallDisk::mount(1) else { return };
    checkpoint(1).write(disk.path()).unwrap();
    let ballast = disk.path().join("ballast");
    let _ = fs::write(&ballast, vec![0; 2 << 20]);
    for _ in 0..2 {
        let error = checkpoint(2).write(disk.path()).unwrap_err();
        assert!(matches!(error, CheckpointError::Io { .. }), "{error}");
        assert_eq!(list(disk.path()).unwrap(), [disk.path().join("checkpoints/1")]);
        assert_eq!(fs::read_dir(disk.path().join(DIRECTORY)).unwrap().count(), 1);
    }
    assert_same(&latest(disk.path()).unwrap().unwrap().checkpoint, &checkpoint(1));
    fs::remove_file(&ballast).unwrap();
    checkpoint(2).write(disk.path()).unwrap();
    assert_same(&latest(disk.path()).unwrap().unwrap().checkpoint, &checkpoint(2));
}

/// Each file cut at every class of length, and with a bit flipped in many places.
fn damages(whole: &[u8]) -> Vec<Vec<u8>> {
    let length = whole.len();
    let cut = [0, 1, 8, length / 2, length - 2, length - 1];
    let flips = (0..length).step_by(length.div_ceil(20)).chain([length - 1]);
    let flipped = flips.map(|place| {
        let mut bad = whole.to_vec();
        bad[place] ^= 1 << (place % 8);
        bad
    });
    cut.iter().map(|&at| whole[..at].to_vec()).chain(flipped).collect()
}

#[test]
fn damage_to_any_file_falls_back_to_the_checkpoint_before_and_says_so() {
    let run = run_with(&[1, 2]);
    for name in [POLICY, OPTIMIZER, TRAINER, seal::DONE] {
        let file = run.path().join(DIRECTORY).join("2").join(name);
        let whole = fs::read(&file).unwrap();
        for bad in damages(&whole) {
            fs::write(&file, &bad).unwrap();
            let found = latest(run.path()).unwrap().unwrap();
            if found.skipped.is_empty() {
                // DONE is text: white space, or the last line's end, can be other bytes and say the same.
                assert!(name == seal::DONE, "{name} was changed and read");
                assert_same(&found.checkpoint, &checkpoint(2));
            } else {
                assert_same(&found.checkpoint, &checkpoint(1));
                assert!(
                    found.skipped[0].1.to_string().contains("checkpoints/2"),
                    "{:?}",
                    found.skipped
                );
            }
        }
        fs::write(&file, &whole).unwrap();
    }
}
