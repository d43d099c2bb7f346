//! Questions that cannot be answered: one line says what is wrong and what there is instead.

use super::example::Example;

/// Every question with a condition.
const FILTERED: [&str; 7] = [
    "summary RUN --where",
    "top RUN --where",
    "histogram RUN --where",
    "timeline RUN --where",
    "compare RUN RUN --where",
    "export RUN --where",
    "export RUN --out OUT.parquet --where",
];

fn assert_conditions_refused(example: &Example, condition: &str, expected: &[&str]) {
    for question in FILTERED {
        let question = format!("{question} {}", condition.replace(' ', "|"));
        example.assert_refused(&question, 2, &[&["--where"], expected].concat());
    }
}

/// The message names it.
fn assert_condition_refused(example: &Example, question: &str, condition: &str) {
    let question = format!("{question} RUN --where={}", condition.replace(' ', "|"));
    example.assert_refused(&question, 2, &["--where", condition]);
}

#[test]
fn conditions_that_sqlite_does_not_understand() {
    let example = Example::new(2);
    assert_conditions_refused(
        &example,
        "yy > 1",
        &["no such column: yy", "did you mean y?", "log_reward"],
    );
    for condition in [
        "y >",
        "",
        "-- nothing",
        "y > 1;",
        "max(y) > 1",
        "y > ?1",
        "y > :a",
        "'open",
    ] {
        assert_condition_refused(&example, "summary", condition);
    }
}

#[test]
fn conditions_that_are_more_than_a_condition() {
    let example = Example::new(2);
    for condition in [
        "true) OR (true",
        "1) UNION SELECT (1",
        "true) --",
        "true) /*",
        "true) ORDER BY (1",
        "true) UNION SELECT name FROM actors --",
        "true) OR (true); --",
        "true); DELETE FROM objects; --",
    ] {
        assert_condition_refused(&example, "top", condition);
    }
}

#[test]
fn a_condition_that_cannot_be_computed_is_to_blame() {
    let example = Example::new(2);
    for question in FILTERED
        .iter()
        .filter(|question| !question.starts_with("export RUN --where"))
    {
        let question = format!("{question} abs(-9223372036854775807-seq)>0");
        example.assert_refused(&question, 2, &["--where", "abs(", "integer overflow"]);
    }
}

#[test]
fn columns_that_are_none() {
    let example = Example::new(1);
    for (columns, expected) in [
        ("x,log_rewart", "\"log_rewart\"; did you mean log_reward?"),
        ("zzzzzzzz", "\"zzzzzzzz\"; columns are actor, "),
        ("x,", "\"\"; columns are actor, "),
        ("1)|FROM|replay--", "\"1) FROM replay--\"; columns are"),
        ("y,y", "y is named twice"),
    ] {
        let question = format!("export RUN --columns {columns}");
        example.assert_refused(&question, 2, &["--columns", expected]);
    }
}

#[test]
fn questions_in_sql_that_are_none_and_that_would_write() {
    let example = Example::new(1);
    for (sql, expected) in [
        ("SELECT yy FROM replay", "no such column: yy; did you mean y?"),
        (
            "SELECT x FROM replays",
            "no such table: replays; `thermoflow replay schema`",
        ),
        ("SELEC x", "syntax error"),
        ("", "one SELECT is needed"),
        ("-- nothing", "one SELECT is needed"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("SELECT ?1", "stands for nothing"),
        ("DELETE FROM objects", "can only read"),
        ("UPDATE objects SET y = 1 RETURNING x", "can only read"),
        ("CREATE TEMP TABLE t (x)", "can only read"),
        ("ATTACH 'other.sqlite' AS other", "can only read"),
        ("VACUUM INTO 'other.sqlite'", "a SELECT is needed"),
        ("PRAGMA user_version = 9", "can only read"),
        ("PRAGMA journal_mode = DELETE", "can only read"),
        (
            "SELECT writefile('other', x) FROM replay",
            "no such function: writefile",
        ),
    ] {
        let question = format!("query RUN {}", sql.replace(' ', "|"));
        let question = if sql.is_empty() || sql.starts_with('-') {
            format!("query RUN -- {}", sql.replace(' ', "|"))
        } else {
            question
        };
        example.assert_refused(&question, 2, &["error: ", expected]);
    }
    example.assert_refused(
        "query RUN SELECT|1,|1 --json",
        2,
        &["two columns are called \"1\"", "AS"],
    );
}

#[test]
fn a_question_that_cannot_be_computed_ends_after_what_was_answered() {
    let example = Example::new(1);
    for (value, expected) in [
        ("abs(-9223372036854775807-seq)", "integer overflow"),
        ("load_extension('other')", "not authorized"),
    ] {
        let output = example.ask(&format!("query RUN SELECT|{value}|AS|s|FROM|replay|WHERE|seq=1"));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(output.stdout, b"s\n", "{stderr}");
        assert!(
            stderr.starts_with("error: the query ") && stderr.contains(expected),
            "{stderr}"
        );
    }
}

#[test]
fn trajectories_and_policies_that_are_not_there() {
    let example = Example::new(1);
    let missing = [
        "0000000000000000:16",
        "0000000000000009:0",
        "TTTTTTTT",
        "0000000000000000:-1",
    ];
    for id in missing {
        example.assert_refused(&format!("show RUN {id}"), 2, &[id, "there is no", "INCARNATION:SEQ"]);
    }
    let show = "show RUN 0000000000000000:0";
    for (options, expected) in [
        ("--checkpoint OUT", "out"),
        ("--checkpoint RUN", "run"),
        ("--task tfbnd8", "did you mean \"tfbind8\""),
    ] {
        example.assert_refused(&format!("{show} {options}"), 2, &[expected]);
    }
}
