//! Other programs that have the replay open. Files are not read here meanwhile: a process that closes a file gives up its
//! locks on it, also those of a connection.

use super::example::{COMPACT, Example, QUESTIONS, files};
use rusqlite::Connection;
use std::thread;

fn assert_told_of_the_lock(example: &Example, question: &str) {
    let output = example.ask(question);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{question}: {stderr}");
    assert!(output.stdout.is_empty(), "{question}");
    assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{stderr}");
    assert!(stderr.contains("replay.sqlite locked: stop it"), "{question}: {stderr}");
}

#[test]
fn a_lock_that_stays_is_waited_for_briefly_and_then_told() {
    let example = Example::new(2);
    let before = files(&example.run);
    let other = Connection::open(example.replay()).unwrap();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE objects SET seen = 2;")
        .unwrap();
    // Each waits for two seconds.
    thread::scope(|scope| {
        for question in QUESTIONS {
            let example = &example;
            scope.spawn(move || assert_told_of_the_lock(example, question));
        }
    });
    drop(other);
    assert!(files(&example.run) == before);
}

#[test]
fn a_writer_in_the_middle_of_a_commit_keeps_no_question_waiting() {
    let example = Example::new(2);
    let writer = Connection::open(example.replay()).unwrap();
    writer
        .execute_batch("BEGIN IMMEDIATE; UPDATE objects SET y = 7; DELETE FROM trajectories;")
        .unwrap();
    let count = "query RUN SELECT|count(*),max(y)|FROM|replay";
    assert_eq!(example.answer(count), "count(*),max(y)\n32,1.0\n");
    for question in ["summary RUN", "compact RUN --out OUT.sqlite"] {
        example.answer(question);
    }
    // It would take the file away from the writer.
    assert_told_of_the_lock(&example, COMPACT);
    drop(writer);
    example.answer(COMPACT);
}
