//! A replay on a medium that nobody can write to. Mounting one takes root.

use super::example::{COMPACT, Example, SOME};
use super::small_disk::SmallDisk;
use rusqlite::Connection;
use std::fs;

#[test]
fn a_replay_that_was_closed_is_read_as_anywhere() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    let mut example = Example::new(4);
    let questions = [
        "top RUN --json",
        "export RUN",
        "verify RUN --rescore 0",
        "compact RUN --out OUT.sqlite",
    ];
    let answers = |example: &Example| {
        example.clean();
        questions.map(|question| example.answer(question))
    };
    let elsewhere = answers(&example);
    fs::copy(example.replay(), disk.path().join("replay.sqlite")).unwrap();
    disk.make_read_only();
    example.run = disk.path().into();
    assert_eq!(answers(&example), elsewhere);
    example.assert_refused(COMPACT, 2, &["replay.sqlite cannot be written"]);
}

#[test]
fn commits_in_a_log_that_cannot_be_opened_are_told_not_left_out() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    let mut example = Example::new(4);
    // Copied from under a learner: its last commits are in the log.
    let writer = Connection::open(example.replay()).unwrap();
    writer.execute_batch("UPDATE objects SET seen = 5").unwrap();
    for name in ["replay.sqlite", "replay.sqlite-wal"] {
        fs::copy(example.run.join(name), disk.path().join(name)).unwrap();
    }
    disk.make_read_only();
    example.run = disk.path().into();
    for question in SOME {
        example.assert_refused(question, 2, &["replay.sqlite-wal", "copy both"]);
    }
}
