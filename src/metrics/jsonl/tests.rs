//! Tests of metrics.jsonl.

use super::*;

fn row(round: u64) -> MetricsRow {
    MetricsRow {
        round,
        seconds: round as f64 / 3.0,
        ..MetricsRow::default()
    }
}

fn rounds(path: &Path) -> Vec<u64> {
    read(path).unwrap().iter().map(|row| row.round).collect()
}

/// A file of rounds 1 to 3, with `tail` behind.
fn file(tail: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metrics.jsonl");
    let (mut log, repair) = MetricsLog::open(&path).unwrap();
    assert_eq!(repair, Repair::None);
    (1..=3).for_each(|round| log.append(&row(round)).unwrap());
    log.file.append(tail.as_bytes()).unwrap();
    (dir, path)
}

#[test]
fn rows_come_back_and_reopening_appends() {
    let (_dir, path) = file("");
    let (mut log, repair) = MetricsLog::open(&path).unwrap();
    assert_eq!(repair, Repair::None);
    log.append(&row(4)).unwrap();
    assert_eq!(read(&path).unwrap(), (1..=4).map(row).collect::<Vec<_>>());
}

#[test]
fn a_torn_last_line_is_cut_off_and_a_whole_one_completed() {
    let line = serde_json::to_string(&row(4)).unwrap();
    for cut in 1..=line.len() {
        let (_dir, path) = file(&line[..cut]);
        assert_eq!(rounds(&path), [1, 2, 3], "a reader does not see the torn line");
        let (mut log, repair) = MetricsLog::open(&path).unwrap();
        log.append(&row(5)).unwrap();
        if cut < line.len() {
            assert_eq!((repair, rounds(&path)), (Repair::Cut(cut as u64), vec![1, 2, 3, 5]));
        } else {
            assert_eq!((repair, rounds(&path)), (Repair::Completed, vec![1, 2, 3, 4, 5]));
        }
    }
}

#[test]
fn a_resume_forgets_later_rounds_and_goes_on() {
    let (dir, path) = file("");
    let (mut log, _) = MetricsLog::open(&path).unwrap();
    assert_eq!(log.truncate_after(3).unwrap(), 0);
    assert_eq!(log.truncate_after(1).unwrap(), 2);
    log.append(&row(2)).unwrap();
    assert_eq!(rounds(&path), [1, 2]);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn a_line_that_is_no_report_is_named_and_nothing_is_lost() {
    let (_dir, path) = file("not json\n{\"round\": 9}\n");
    let before = fs::read(&path).unwrap();
    let (mut log, _) = MetricsLog::open(&path).unwrap();
    for error in [read(&path).unwrap_err(), log.truncate_after(1).unwrap_err()] {
        assert!(error.to_string().contains("line 4 of"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}
