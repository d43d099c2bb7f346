//! Tests of the store.

use super::super::open::{APPLICATION_ID, SCHEMA_VERSION};
use super::*;
use crate::env::{Environment, Growth, SequenceEnv};
use crate::random::{Purpose, Stream};
use crate::small_disk::SmallDisk;
use crate::units::PolicyVersion;
use proptest::prelude::*;
use tempfile::TempDir;

pub(super) fn scratch() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("replay.sqlite");
    (dir, path)
}

/// A trajectory of TFBind8's shape, a function of its arguments.
fn received(incarnation: u64, seq: u64, round: u64) -> Received {
    let env = SequenceEnv::new("ACGT", 8, Growth::PrependAppend);
    let mut stream = Stream::new(incarnation, Purpose::Bench, round, seq);
    let actions: Vec<u16> = (0..8).map(|_| stream.below(8) as u16).collect();
    let object = env.format(&env.object_of(&actions).unwrap());
    // A function of the object, as a reward is.
    let y = object.bytes().map(f32::from).sum::<f32>() / 1e3;
    let trajectory = Trajectory {
        beta: stream.uniform(1.0, 3.0) as f32,
        actions,
        y,
        log_reward: 3.0 * y.ln(),
        log_pf: -10.0 * stream.unit() as f32,
        policy_version: PolicyVersion(round * 2),
        round,
        index: (seq % 32) as u32,
    };
    Received {
        incarnation: Incarnation(incarnation),
        actor_name: format!("actor-{incarnation}").into(),
        seq: Seq(seq),
        staleness: round % 3,
        received_us: 1_700_000_000_000_000 + round,
        trainable: !round.is_multiple_of(5),
        trajectory,
        object,
    }
}

pub(super) fn run(incarnation: u64, seqs: std::ops::Range<u64>) -> Vec<Received> {
    seqs.map(|seq| received(incarnation, seq, seq / 32)).collect()
}

pub(super) fn all(store: &Store, before_round: Option<u64>) -> Vec<Received> {
    let mut found = Vec::new();
    let visit = |stored| {
        found.push(stored);
        Ok::<_, StoreError>(())
    };
    store.scan(before_round, visit).unwrap();
    found
}

#[test]
fn what_is_committed_comes_back_in_order_of_commit() {
    let (_dir, path) = scratch();
    // Actor 9 commits before actor 3: the order is that of commits, not of names or numbers.
    let batches = [run(9, 0..70), run(3, 0..10), run(9, 70..90), run(u64::MAX, 0..5)];
    let mut store = Store::open(&path).unwrap();
    for batch in &batches {
        let report = store.commit(batch).unwrap();
        assert_eq!((report.inserted, report.duplicates), (batch.len(), vec![]));
    }
    let expected = batches.concat();
    assert_eq!(all(&store, None), expected);
    drop(store);
    let reopened = Store::open(&path).unwrap();
    assert_eq!(all(&reopened, None), expected);
    assert_eq!(
        all(&reopened, Some(2)),
        expected
            .iter()
            .filter(|r| r.trajectory.round < 2)
            .cloned()
            .collect::<Vec<_>>()
    );
    assert_eq!(reopened.counts().unwrap().trajectories, 105);
    assert_eq!(reopened.verify().unwrap(), [""; 0]);
}

#[test]
fn what_is_sent_again_changes_nothing() {
    let (_dir, path) = scratch();
    let mut store = Store::open(&path).unwrap();
    store.commit(&run(1, 0..40)).unwrap();
    let before = (all(&store, None), store.counts().unwrap());
    let report = store.commit(&run(1, 0..40)).unwrap();
    assert_eq!(
        (report.inserted, report.new_objects, report.duplicates),
        (0, 0, (0..40).collect())
    );
    assert_eq!((all(&store, None), store.counts().unwrap()), before);
    // After a restart too, mixed with new ones, with other content under a known name, and twice in one commit.
    let mut store = Store::open(&path).unwrap();
    let mut again = run(1, 30..50);
    again[0].trajectory.beta = 9.0;
    again.extend(run(1, 45..52));
    let report = store.commit(&again).unwrap();
    assert_eq!(
        (report.inserted, report.duplicates),
        (12, (0..10).chain(20..25).collect())
    );
    assert_eq!(all(&store, None), run(1, 0..52));
    assert_eq!(store.verify().unwrap(), [""; 0]);
}

#[test]
fn the_highest_committed_seq_is_known_after_a_restart() {
    let (_dir, path) = scratch();
    let mut store = Store::open(&path).unwrap();
    assert_eq!(store.committed_through(Incarnation(1)).unwrap(), None);
    store.commit(&[run(1, 0..3), run(2, 0..1)].concat()).unwrap();
    for store in [&store, &Store::open_read_only(&path).unwrap()] {
        assert_eq!(store.committed_through(Incarnation(1)).unwrap(), Some(Seq(2)));
        assert_eq!(store.committed_through(Incarnation(2)).unwrap(), Some(Seq(0)));
        assert_eq!(store.committed_through(Incarnation(3)).unwrap(), None);
    }
}

#[test]
fn a_round_is_found_by_index() {
    let (_dir, path) = scratch();
    let mut store = Store::open(&path).unwrap();
    let mut round: Vec<_> = (0..64).map(|seq| received(1 + seq % 2, seq / 2, 7)).collect();
    round
        .iter_mut()
        .enumerate()
        .for_each(|(place, r)| r.trajectory.index = 63 - place as u32);
    store.commit(&run(5, 0..100)).unwrap();
    store.commit(&round).unwrap();
    round.reverse();
    assert_eq!(store.round_trajectories(7).unwrap(), round);
    assert_eq!(store.round_trajectories(99).unwrap(), []);
    assert_eq!(
        store.trajectory(Incarnation(1), Seq(3)).unwrap(),
        Some(round[57].clone())
    );
    assert_eq!(store.trajectory(Incarnation(1), Seq(99)).unwrap(), None);
    assert_eq!(store.trajectory(Incarnation(77), Seq(0)).unwrap(), None);
}

#[test]
fn scans_stream_and_rounds_use_their_index() {
    let (_dir, path) = scratch();
    let store = Store::open(&path).unwrap();
    let plan = |sql: &str| -> String {
        let mut statement = store
            .connection()
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let steps = statement.query_map([0], |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let scan = plan(&format!(
        "{} {}",
        super::super::read::SELECT,
        super::super::read::IN_ORDER
    ));
    assert!(
        !scan.contains("TEMP B-TREE"),
        "a sort would hold the whole replay in memory: {scan}"
    );
    let round = plan(&format!(
        "{} {}",
        super::super::read::SELECT,
        super::super::read::BY_ROUND
    ));
    assert!(round.contains("batches_by_round"), "{round}");
}

#[test]
fn objects_are_distinct_and_keep_their_first_scores() {
    let (_dir, path) = scratch();
    let mut store = Store::open(&path).unwrap();
    let mut batch = run(4, 0..3);
    for (place, item) in batch.iter_mut().enumerate() {
        item.object = "ACGTACGT".into();
        item.trajectory.y = 1.0 + place as f32 / 3.0;
    }
    let report = store.commit(&batch).unwrap();
    assert_eq!((report.new_objects, store.counts().unwrap().objects), (1, 1));
    assert_eq!(
        all(&store, None),
        batch,
        "a score that differs from the object's is the trajectory's own"
    );
    let row = |sql| {
        store
            .connection()
            .query_row(sql, [], |r| Ok((r.get::<_, f64>(0)?, r.get::<_, i64>(1)?)))
            .unwrap()
    };
    assert_eq!(row("SELECT y, seen FROM objects"), (1.0, 3));
    assert_eq!(
        row("SELECT sum(y), count(*) FROM replay WHERE x = 'ACGTACGT' AND actor = 'actor-4'").1,
        3
    );
}

#[test]
fn a_value_that_cannot_be_stored_refuses_the_whole_commit() {
    let (_dir, path) = scratch();
    let mut store = Store::open(&path).unwrap();
    let mut batch = run(1, 0..3);
    batch[2].trajectory.log_pf = f32::NAN;
    let message = store.commit(&batch).unwrap_err().to_string();
    assert!(
        message.contains("#2") && message.contains("log P_F is NaN"),
        "{message}"
    );
    batch[2] = received(1, u64::MAX, 0);
    let message = store.commit(&batch).unwrap_err().to_string();
    assert!(
        message.contains("seq is 18446744073709551615, it must be below 2^63"),
        "{message}"
    );
    assert_eq!(store.counts().unwrap().trajectories, 0);
}

#[test]
fn a_commit_that_fails_on_the_way_keeps_nothing_and_can_be_tried_again() {
    let (_dir, path) = scratch();
    let mut store = Store::open(&path).unwrap();
    store.commit(&run(1, 0..3)).unwrap();
    store
        .connection()
        .execute_batch(
            "CREATE TEMP TRIGGER stop BEFORE INSERT ON trajectories WHEN new.seq = 7
             BEGIN SELECT raise(FAIL, 'stopped'); END",
        )
        .unwrap();
    let batch = [run(2, 0..5), run(1, 3..9)].concat();
    assert!(matches!(store.commit(&batch), Err(StoreError::Sqlite { .. })));
    assert_eq!(all(&store, None), run(1, 0..3));
    assert_eq!(
        store.committed_through(Incarnation(2)).unwrap(),
        None,
        "a forgotten actor is not remembered"
    );
    store.connection().execute_batch("DROP TRIGGER stop").unwrap();
    assert_eq!(store.commit(&batch).unwrap().inserted, 11);
    assert_eq!(store.verify().unwrap(), [""; 0]);
}

#[test]
fn a_reader_sees_commits_while_the_writer_is_open() {
    let (_dir, path) = scratch();
    let mut store = Store::open(&path).unwrap();
    let mut reader = Store::open_read_only(&path).unwrap();
    store.commit(&run(1, 0..3)).unwrap();
    assert_eq!(all(&reader, None), run(1, 0..3));
    assert!(matches!(
        reader.commit(&run(1, 3..4)),
        Err(StoreError::NotWritable { .. })
    ));
}

#[test]
fn facts_about_the_run_are_kept() {
    let (_dir, path) = scratch();
    let mut store = Store::open(&path).unwrap();
    store.set_meta("task", "tfbind8").unwrap();
    store.set_meta("task", "rna1").unwrap();
    let reader = Store::open_read_only(&path).unwrap();
    assert_eq!(
        (reader.meta("task").unwrap().as_deref(), reader.meta("run").unwrap()),
        (Some("rna1"), None)
    );
}

#[test]
fn files_that_are_no_replay_are_named_and_left_alone() {
    let (dir, path) = scratch();
    assert!(matches!(Store::open_read_only(&path), Err(StoreError::Missing(_))));
    assert!(!path.exists());
    let text = dir.path().join("notes.txt");
    std::fs::write(&text, "x".repeat(5000)).unwrap();
    for error in [
        Store::open(&text).unwrap_err(),
        Store::open_read_only(&text).unwrap_err(),
    ] {
        assert!(
            matches!(error, StoreError::Foreign { .. }) && error.to_string().contains("notes.txt"),
            "{error}"
        );
    }
    assert_eq!(std::fs::read(&text).unwrap(), "x".repeat(5000).as_bytes());
    let other = dir.path().join("other.sqlite");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE t (a)")
        .unwrap();
    let message = Store::open(&other).unwrap_err().to_string();
    assert!(
        message.contains(&format!("application id 0, not {APPLICATION_ID}")),
        "{message}"
    );
}

#[test]
fn a_newer_schema_is_refused_by_number() {
    let (_dir, path) = scratch();
    Store::open(&path)
        .unwrap()
        .connection()
        .pragma_update(None, "user_version", SCHEMA_VERSION + 1)
        .unwrap();
    for error in [
        Store::open(&path).unwrap_err(),
        Store::open_read_only(&path).unwrap_err(),
    ] {
        assert!(
            error
                .to_string()
                .contains("has schema 2, this program knows schemas up to 1"),
            "{error}"
        );
    }
}

#[test]
fn damage_is_reported_as_damage() {
    let (_dir, path) = scratch();
    Store::open(&path).unwrap().commit(&run(1, 0..2000)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let truncated = Store::open(&path).unwrap_err();
    assert!(matches!(truncated, StoreError::Damaged { .. }), "{truncated}");
    let mut scrambled = whole.clone();
    scrambled[8192..].iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(&path, &scrambled).unwrap();
    let error = Store::open(&path)
        .and_then(|store| store.scan(None, |_| Ok(())))
        .unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn a_creation_cut_short_is_taken_up_again() {
    let (_dir, path) = scratch();
    std::fs::write(&path, "").unwrap();
    Store::open(&path).unwrap().commit(&run(1, 0..2)).unwrap();
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA journal_mode = WAL")
        .unwrap();
    Store::open(&path).unwrap().commit(&run(1, 0..2)).unwrap();
    assert_eq!(all(&Store::open_read_only(&path).unwrap(), None), run(1, 0..2));
}

#[test]
fn a_full_disk_keeps_what_was_committed_and_commits_again_once_there_is_space() {
    let Some(disk) = SmallDisk::mount(2) else { return };
    let path = disk.path().join("replay.sqlite");
    let ballast = disk.path().join("ballast");
    let mut store = Store::open(&path).unwrap();
    std::fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let mut committed = 0;
    let error = loop {
        match store.commit(&run(1, committed..committed + 500)) {
            Ok(_) => committed += 500,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(error, StoreError::Full { .. }) && error.to_string().contains("nothing of this commit"),
        "{error}"
    );
    assert!(committed > 0);
    assert_eq!(all(&store, None), run(1, 0..committed));
    assert_eq!(
        store.committed_through(Incarnation(1)).unwrap(),
        Some(Seq(committed - 1))
    );
    std::fs::remove_file(&ballast).unwrap();
    store.commit(&run(1, committed..committed + 500)).unwrap();
    assert_eq!(all(&store, None), run(1, 0..committed + 500));
    assert_eq!(store.verify().unwrap(), [""; 0]);
}

#[test]
fn a_disk_full_from_the_start_is_named() {
    let Some(disk) = SmallDisk::mount(1) else { return };
    // Fills the disk to the last page.
    let _ = std::fs::write(disk.path().join("ballast"), vec![0; 2 << 20]);
    let error = Store::open(&disk.path().join("replay.sqlite")).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
}

#[test]
fn a_read_only_disk_can_be_read_but_not_written() {
    let Some(disk) = SmallDisk::mount(2) else { return };
    let path = disk.path().join("a replay?.sqlite");
    Store::open(&path).unwrap().commit(&run(1, 0..5)).unwrap();
    disk.make_read_only();
    assert_eq!(all(&Store::open_read_only(&path).unwrap(), None), run(1, 0..5));
    assert!(matches!(Store::open(&path), Err(StoreError::NotWritable { .. })));
    assert!(matches!(
        Store::open(&disk.path().join("new")),
        Err(StoreError::NotWritable { .. })
    ));
}

#[test]
fn a_trajectory_takes_about_a_hundred_bytes() {
    let (_dir, path) = scratch();
    let mut store = Store::open(&path).unwrap();
    // 64,000 trajectories of four actors in small commits, 41,000 distinct objects: more than in training.
    let mut commits: Vec<Vec<Received>> = Vec::new();
    for round in 0..2000 {
        commits.extend((0..4).map(|actor| (0..8).map(|i| received(actor, round * 8 + i, round)).collect()));
    }
    for group in commits.chunks(16) {
        store.commit(&group.concat()).unwrap();
    }
    let counts = store.counts().unwrap();
    drop(store);
    let bytes = std::fs::metadata(&path).unwrap().len() as f64 / counts.trajectories as f64;
    eprintln!("{bytes:.1} bytes a trajectory ({counts:?})");
    assert!(bytes < 105.0, "{bytes} bytes a trajectory");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Batches of three actors, sent again and again from anywhere, committed in groups of any size.
    #[test]
    fn every_trajectory_is_there_once(sends in proptest::collection::vec((0u64..3, 0u64..20, 1u64..9, any::<bool>()), 1..40)) {
        let (_dir, path) = scratch();
        let mut store = Store::open(&path).unwrap();
        let mut next = [0u64; 3];
        let mut group = Vec::new();
        let mut expected = Vec::new();
        for (actor, back, count, flush) in sends {
            let start = next[actor as usize].saturating_sub(back);
            let end = start + count;
            expected.extend(run(actor, next[actor as usize].max(start)..end));
            group.extend(run(actor, start..end));
            next[actor as usize] = next[actor as usize].max(end);
            if flush {
                store.commit(&std::mem::take(&mut group)).unwrap();
            }
        }
        store.commit(&group).unwrap();
        prop_assert_eq!(all(&store, None), expected);
        prop_assert_eq!(store.verify().unwrap(), [""; 0]);
    }
}
