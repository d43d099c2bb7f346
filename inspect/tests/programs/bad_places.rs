//! What is given as RUN is no replay, or none that can be read: every question says so and changes nothing.

use super::example::{Example, QUESTIONS, SOME, files};
use std::fs;

fn assert_refused(example: &Example, expected: &[&str]) {
    for question in SOME {
        example.assert_refused(question, 2, expected);
    }
}

#[test]
fn what_is_not_there_and_what_is_no_run() {
    let mut example = Example::new(1);
    fs::create_dir(example.beside("empty")).unwrap();
    let places = [
        ("nothing", "it does not exist", &QUESTIONS[..]),
        ("empty", "neither a run directory", &SOME),
    ];
    for (name, expected, questions) in places {
        example.run = example.beside(name);
        for question in questions {
            let output = example.ask(question);
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{question}: {stderr}");
            assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{stderr}");
            assert!(
                stderr.contains(name) && stderr.contains(expected),
                "{question}: {stderr}"
            );
            assert!(stderr.contains("a replay.sqlite"), "{question}: {stderr}");
        }
    }
    assert!(!example.beside("nothing").exists());
    assert_eq!(fs::read_dir(example.beside("empty")).unwrap().count(), 0);
}

#[test]
fn another_file_and_another_database() {
    let example = Example::new(1);
    let text = "not a database, but long enough to be looked at as one would be: ".repeat(100);
    fs::write(example.replay(), text).unwrap();
    assert_refused(
        &example,
        &["replay.sqlite is not the replay of a run", "no SQLite database"],
    );
    fs::write(example.replay(), "").unwrap();
    assert_refused(&example, &["replay.sqlite is not the replay of a run", "it is empty"]);
    let example = Example::changed("PRAGMA application_id = 7");
    assert_refused(
        &example,
        &["replay.sqlite is not the replay of a run", "application id 7"],
    );
}

#[test]
fn a_newer_schema() {
    let example = Example::changed("PRAGMA user_version = 2");
    for question in QUESTIONS {
        example.assert_refused(question, 2, &["schema 2", "schemas up to 1", "use the newer program"]);
    }
}

#[test]
fn an_older_schema_is_read_as_it_is_or_refused_but_never_destroyed() {
    let today = Example::new(4);
    let older = Example::changed("PRAGMA user_version = 0");
    let before = files(&older.run);
    for question in QUESTIONS.iter().filter(|question| !question.starts_with("compact")) {
        let answer = |example: &Example| {
            let answer = example.answer(question);
            answer.replace(example.run.parent().unwrap().to_str().unwrap(), "")
        };
        assert_eq!(answer(&older), answer(&today), "{question}");
        older.clean();
        today.clean();
    }
    assert!(files(&older.run) == before);
    for question in ["compact RUN", "compact RUN --out OUT.sqlite"] {
        older.assert_refused(
            question,
            2,
            &["replay.sqlite has an older schema", "merged into a new one"],
        );
    }
    let lacking =
        Example::changed("DROP VIEW replay; ALTER TABLE batches DROP COLUMN staleness; PRAGMA user_version = 0");
    assert_refused(&lacking, &["older schema", "it lacks batches.staleness"]);
}

#[test]
fn damage() {
    let example = Example::new(200);
    let whole = fs::read(example.replay()).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..].fill(0xa5);
    fs::write(example.replay(), damaged).unwrap();
    assert_damaged(&example, &QUESTIONS);
    // The first pages, with the tables' names, are there.
    fs::write(example.replay(), &whole[..whole.len() / 2]).unwrap();
    assert_damaged(
        &example,
        &[
            "summary RUN",
            "timeline RUN",
            "export RUN --out OUT.parquet",
            "compact RUN",
        ],
    );
}

fn assert_damaged(example: &Example, questions: &[&str]) {
    let expected = ["replay.sqlite is damaged (", "sqlite3 ", ".recover"];
    // A stream has begun with its header when it meets the damage, and verify answers what it found.
    let others =
        |question: &str| question.starts_with("verify") || question.starts_with("query") || question == "export RUN";
    let refused = |question: &&&str| !others(question);
    for question in questions.iter().filter(refused) {
        example.assert_refused(question, 2, &expected);
    }
    let before = files(&example.run);
    let verdict = example.ask("verify RUN --rescore 0");
    let stderr = String::from_utf8(verdict.stderr).unwrap();
    assert_eq!(verdict.status.code(), Some(1), "{stderr}");
    assert!(String::from_utf8(verdict.stdout).unwrap().contains("malformed"));
    assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{stderr}");
    assert!(stderr.contains("is not as it should be: database"), "{stderr}");
    assert!(files(&example.run) == before);
}

#[test]
fn a_run_toml_that_cannot_be_read() {
    let example = Example::new(1);
    fs::write(example.run.join("run.toml"), "seed = ").unwrap();
    assert_refused(&example, &["run.toml"]);
}
