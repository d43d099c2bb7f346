//! Tests of the run directory.

use super::*;
use crate::small_disk::SmallDisk;

fn record() -> RunRecord {
    let config = RunConfig::published("tfbind8").unwrap();
    let versions = BTreeMap::from([("thermoflow".to_owned(), "0.1.0".to_owned())]);
    RunRecord {
        run_id: "r1".into(),
        created: 1_700_000_000,
        versions,
        config,
    }
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_run_is_begun_resumed_and_looked_at() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("runs/a");
    let run = RunDir::create(&path, record()).unwrap();
    assert_eq!(
        (run.record(), names(&path)),
        (&record(), vec!["lock".to_owned(), "run.toml".to_owned()])
    );
    assert_eq!(RunRecord::read(&path).unwrap(), record(), "looking needs no lock");
    drop(run);
    assert_eq!(RunDir::resume(&path, &record().config).unwrap().record(), &record());
    assert!(matches!(RunDir::create(&path, record()), Err(RunDirError::Exists(_))));
}

#[test]
fn what_may_change_changes_and_the_rest_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    drop(RunDir::create(scratch.path(), record()).unwrap());
    let mut config = record().config;
    config.train.rounds += 1000;
    config.learner.report_every += 1;
    drop(RunDir::resume(scratch.path(), &config).unwrap());
    assert_eq!(RunRecord::read(scratch.path()).unwrap().config, config);
    let mut other = config.clone();
    other.seed += 1;
    other.train.epsilon = 0.5;
    other.task.table = Some("t.csv".into());
    let message = RunDir::resume(scratch.path(), &other).unwrap_err().to_string();
    for part in [
        "seed is 0 in the run, 1 here",
        "train.epsilon is",
        "task.table is not set in the run, \"t.csv\" here",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    other.policy.hidden += 1;
    let message = RunDir::resume(scratch.path(), &other).unwrap_err().to_string();
    assert!(message.contains("and 1 more"), "{message}");
    assert_eq!(
        RunRecord::read(scratch.path()).unwrap().config,
        config,
        "a refused resume changes nothing"
    );
}

#[test]
fn every_key_that_may_change_exists() {
    let text = record().config.to_toml();
    let table: toml::Table = text.parse().unwrap();
    for key in MAY_CHANGE {
        let (section, key) = key.split_once('.').unwrap();
        assert!(table[section].get(key).is_some(), "{section}.{key}");
    }
}

#[test]
fn a_second_learner_is_told_who_has_the_directory() {
    let scratch = tempfile::tempdir().unwrap();
    let _run = RunDir::create(scratch.path(), record()).unwrap();
    let message = RunDir::resume(scratch.path(), &record().config)
        .unwrap_err()
        .to_string();
    let holder = format!("in use by process {}", std::process::id());
    assert!(message.contains(&holder), "{message}");
    assert!(
        fs::read_to_string(scratch.path().join(LOCK))
            .unwrap()
            .contains("process"),
        "the note stays whole"
    );
}

#[test]
fn a_directory_of_others_is_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("thesis.tex"), "x").unwrap();
    let message = RunDir::create(scratch.path(), record()).unwrap_err().to_string();
    assert!(message.contains("\"thesis.tex\", 1 entries"), "{message}");
    assert!(matches!(
        RunDir::resume(scratch.path(), &record().config),
        Err(RunDirError::NotARun(_))
    ));
    assert_eq!(names(scratch.path()), ["thesis.tex"]);
    let nowhere = scratch.path().join("nowhere");
    assert!(matches!(RunRecord::read(&nowhere), Err(RunDirError::NotARun(_))));
    assert!(!nowhere.exists());
}

#[test]
fn a_beginning_cut_short_can_be_begun_again() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join(LOCK), "process 1 on gone\n").unwrap();
    fs::write(scratch.path().join("run.toml.part"), "run_id = ").unwrap();
    RunDir::create(scratch.path(), record()).unwrap();
    assert_eq!(names(scratch.path()), ["lock", "run.toml"]);
}

#[test]
fn a_damaged_record_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    drop(RunDir::create(scratch.path(), record()).unwrap());
    let file = scratch.path().join("run.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    assert!(matches!(
        RunRecord::read(scratch.path()),
        Err(RunDirError::Record { .. })
    ));
    let rounds = format!("rounds = {}", record().config.train.rounds);
    assert!(text.contains(&rounds));
    fs::write(&file, text.replace(&rounds, "rounds = 0")).unwrap();
    assert!(matches!(
        RunRecord::read(scratch.path()),
        Err(RunDirError::Config { .. })
    ));
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "").unwrap();
    let error = RunDir::create(&file.join("run"), record()).unwrap_err();
    assert!(
        matches!(error, RunDirError::NotWritable { .. }) && error.to_string().contains("file/run"),
        "{error}"
    );
    // Root may write anywhere except on a read-only file system.
    let Some(disk) = SmallDisk::mount(1) else { return };
    drop(RunDir::create(&disk.path().join("a"), record()).unwrap());
    disk.make_read_only();
    for refused in [
        RunDir::create(&disk.path().join("b"), record()),
        RunDir::resume(&disk.path().join("a"), &record().config),
    ] {
        assert!(matches!(refused, Err(RunDirError::NotWritable { .. })), "{refused:?}");
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_no_half_record() {
    let Some(disk) = SmallDisk::mount(1) else { return };
    let path = disk.path().join("a");
    fs::create_dir(&path).unwrap();
    let ballast = disk.path().join("ballast");
    let _ = fs::write(&ballast, vec![0; 2 << 20]);
    let error = RunDir::create(&path, record()).unwrap_err();
    assert!(matches!(error, RunDirError::Io { .. }), "{error}");
    assert!(!path.join("run.toml").exists());
    fs::remove_file(&ballast).unwrap();
    RunDir::create(&path, record()).unwrap();
}
