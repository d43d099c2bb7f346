//! Where answers go: pipes that close, disks that are full, no terminal, and files that are there or cannot be.

use super::example::{COMPACT, Example, QUESTIONS};
use super::output;
use parquet::basic::ColumnOrder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs;
use std::io::{BufRead, BufReader, pipe};
use std::process::Stdio;

/// Answers that are longer than a pipe.
const LONG: [&str; 4] = [
    "export RUN",
    "export RUN --format jsonl",
    "query RUN SELECT|*|FROM|replay",
    "query RUN SELECT|*|FROM|replay --json",
];

#[test]
fn a_reader_that_leaves_in_the_middle_is_no_failure() {
    let example = Example::new(500);
    for question in LONG {
        let mut command = example.command(question);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.ends_with('\n'), "{question}");
        let output = output::of_child(child);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{question}: {output:?}"
        );
    }
}

#[test]
fn a_reader_that_left_before_the_answer_is_no_failure() {
    let example = Example::new(2);
    for question in QUESTIONS
        .into_iter()
        .chain(["schema", "schema --json", "summary RUN --json"])
    {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut command = example.command(question);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let output = output::of_child(child);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{question}: {output:?}"
        );
        example.clean();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let example = Example::new(2);
    for question in [
        "summary RUN",
        "query RUN SELECT|x|FROM|replay",
        "export RUN",
        "schema --json",
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = example.command(question);
        command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
        let output = output::of_child(command.spawn().unwrap());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{question}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains("No space left"),
            "{question}: {stderr}"
        );
        example.clean();
    }
}

#[test]
fn without_a_terminal_there_are_no_escape_codes_and_no_progress() {
    let example = Example::new(200);
    for question in QUESTIONS
        .into_iter()
        .chain(["schema", "histogram RUN --by beta", "summary RUN --json"])
    {
        let mut command = example.command(question);
        let output = output::of(command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor"));
        assert!(output.status.success(), "{question}: {output:?}");
        assert!(
            !output.stdout.is_empty() && !output.stdout.contains(&0x1b),
            "{question}"
        );
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{question}");
        example.clean();
    }
}

#[test]
fn files_that_are_there_stay_and_a_replay_is_never_written_over() {
    let example = Example::new(2);
    fs::write(example.beside("out.sqlite"), "dear").unwrap();
    fs::write(example.beside("out.csv"), "dear").unwrap();
    for (question, advice) in [
        ("export RUN --out OUT.csv", "--force replaces it"),
        ("compact RUN --out OUT.sqlite", "--force replaces it"),
        ("merge RUN --out OUT.sqlite", "choose another name"),
        ("merge RUN --out RUN", "choose another name"),
    ] {
        example.assert_refused(question, 2, &["is there already", advice]);
    }
    assert_eq!(fs::read(example.beside("out.csv")).unwrap(), b"dear");
    let run = example.run.to_str().unwrap();
    for file in [
        "replay.sqlite",
        "./replay.sqlite",
        "replay.sqlite-wal",
        "replay.sqlite-shm",
    ] {
        for question in [
            "export RUN --force --format csv --out",
            "compact RUN --force --out",
            "merge RUN --out",
        ] {
            let question = format!("{question} {run}/{file}");
            example.assert_refused(&question, 2, &[file, "choose another name"]);
        }
    }
}

#[test]
fn files_that_cannot_be_written_or_are_of_no_known_kind() {
    let example = Example::new(2);
    for question in [
        "export RUN --out OUT/a.csv",
        "compact RUN --out OUT/a.sqlite",
        "merge RUN --out OUT/a.sqlite",
        "histogram RUN --out OUT/a.svg",
    ] {
        example.assert_refused(question, 1, &["out/a.", "cannot be written", "No such file"]);
    }
    for (question, expected) in [
        ("export RUN --out OUT.xlsx", ".parquet, .csv, .jsonl, .safetensors"),
        ("export RUN --format parquet", "needs --out FILE"),
        ("histogram RUN --out OUT.gif", "a figure ends in .svg or .png"),
        ("timeline RUN --out OUT.gif", "a figure ends in .svg or .png"),
        ("compare RUN RUN --out OUT.gif", "a figure ends in .svg or .png"),
    ] {
        example.assert_refused(question, 2, &[expected]);
    }
    example.answer(COMPACT);
}

/// A later order of floats (PARQUET-2249) makes readers from before 2026 refuse the file or leave its statistics aside.
#[test]
fn parquet_names_no_order_that_older_readers_do_not_know() {
    let example = Example::new(2);
    example.answer("export RUN --out OUT.parquet");
    let file = fs::File::open(example.beside("out.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let facts = reader.metadata().file_metadata();
    assert_eq!(facts.num_rows(), 32);
    for order in facts.column_orders().unwrap() {
        assert!(matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_)), "{order:?}");
    }
}
