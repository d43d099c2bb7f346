//! The small commands on good input: `tasks`, `reward`, `config check`.

use super::{assert_refused, output, run, thermoflow};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Output, Stdio};
use thermoflow::task::eight_mers::{COUNT, reverse_complement};

fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = piped(arguments);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    output::of_child(child)
}

fn piped(arguments: &[&str]) -> Child {
    let mut command = thermoflow();
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn tasks_are_listed_for_people_and_for_scripts() {
    let tasks: serde_json::Value = serde_json::from_str(&stdout(&["tasks", "--json"])).unwrap();
    let task = tasks
        .as_array()
        .unwrap()
        .iter()
        .find(|task| task["name"] == "tfbind8")
        .unwrap();
    assert_eq!(
        (&task["defaults"]["growth"], &task["reward"]["exponent"]),
        (&"prepend-append".into(), &3.0.into())
    );
    let text = stdout(&["tasks"]);
    for part in [
        "tfbind8: ",
        "65536",
        "328 modes",
        "rna4: ",
        "sehstr: ",
        "task.side = 32",
        "task.oracle",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let one = stdout(&["tasks", "gridworld"]);
    assert!(one.starts_with("gridworld: ") && !one.contains("tfbind8"), "{one}");
    assert_refused(&["tasks", "gridwrld"], &["did you mean \"gridworld\"?"]);
}

#[test]
fn rewards_are_printed_as_csv_or_as_json_lines() {
    let csv = with_input(&["reward", "--task", "tfbind8"], "GATTACAA\n 00000000 \n");
    assert_eq!(
        String::from_utf8(csv.stdout).unwrap(),
        "x,y\nGATTACAA,0.5309034\n00000000,0.5247495\n"
    );
    assert!(csv.status.success());
    let json = with_input(&["reward", "--task", "tfbind8", "--json", "--input", "-"], "AAAAAAAA\n");
    assert_eq!(
        String::from_utf8(json.stdout).unwrap(),
        "{\"x\":\"AAAAAAAA\",\"y\":0.5247495}\n"
    );
    let nothing = with_input(&["reward", "--task", "tfbind8"], "");
    assert_eq!(nothing.stdout, b"x,y\n");
}

#[test]
fn a_bad_line_ends_the_output_after_the_lines_before_it() {
    let output = with_input(&["reward", "--task", "tfbind8"], "GATTACAA\nAAAAAAAA\nACGU\nGATTACAA\n");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "x,y\nGATTACAA,0.5309034\nAAAAAAAA,0.5247495\n"
    );
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("error: standard input, line 3: \"ACGU\"") && error.contains("'U'"),
        "{error}"
    );
}

#[test]
fn a_reader_that_leaves_ends_the_command_quietly() {
    for format in [&[][..], &["--json"]] {
        let mut child = piped(&[&["reward", "--task", "tfbind8"], format].concat());
        let mut input = child.stdin.take().unwrap();
        // Ends when the command does.
        let feeder = std::thread::spawn(move || while input.write_all(b"GATTACAA\n").is_ok() {});
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let output = output::of_child(child);
        feeder.join().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn scores_come_from_the_table_that_is_given() {
    let text = |rank: usize| -> String {
        (0..8)
            .rev()
            .map(|place| char::from(b"ACGT"[rank >> (2 * place) & 3]))
            .collect()
    };
    let mut table = String::from("8-mer\t8-mer\tE-score\n");
    for rank in (0..COUNT).filter(|&rank| rank <= reverse_complement(rank)) {
        table += &format!("{}\t{}\t{rank}\n", text(rank), text(reverse_complement(rank)));
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("table.txt");
    std::fs::write(&path, &table).unwrap();
    let path = path.to_str().unwrap();
    let arguments = ["reward", "--task", "tfbind8", "--table", path, "TTTTAAAA", "TTTTTTTT"];
    assert_eq!(stdout(&arguments), "x,y\nTTTTAAAA,1.0\nTTTTTTTT,0.0\n");

    std::fs::write(
        path,
        table.replace("AAAAAAAC\tGTTTTTTT\t1\n", "AAAAAAAC\tGTTTTTTT\tmuch\n"),
    )
    .unwrap();
    assert_refused(&arguments, &["table.txt", "line 3", "much", "AAAAAAAC"]);
    std::fs::write(path, table.replace("AAAAAAAC\tGTTTTTTT\t1\n", "")).unwrap();
    assert_refused(&arguments, &["table.txt", "2 of 65536", "AAAAAAAC"]);
    assert_refused(
        &["reward", "--task", "tfbind8", "--table", "no/such/table", "GATTACAA"],
        &["no/such/table"],
    );
}

#[test]
fn a_checked_configuration_is_whole_and_checks_again() {
    let dir = tempfile::tempdir().unwrap();
    let short = dir.path().join("short.toml");
    std::fs::write(&short, "[task]\nname = \"tfbind8\"\n").unwrap();
    let sets = ["--set", "train.rounds=50", "--set", "train.mode=async"];
    let whole = stdout(&[&["config", "check", short.to_str().unwrap()], &sets[..]].concat());
    assert!(whole.contains("rounds = 50") && whole.contains("mode = \"async\"") && whole.contains("log_z_lr = 0.01"));
    let path = dir.path().join("whole.toml");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(stdout(&["config", "check", path.to_str().unwrap()]), whole);
}

#[test]
fn mistakes_in_a_configuration_are_named_with_place_value_and_range() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text, expected) in [
        (
            "a.toml",
            "[train.beta]\nkind = \"uniform\"\nmin = 3\nmax = 1",
            "a.toml:5: train.beta.min = 3 is not allowed: at most train.beta.max = 1",
        ),
        (
            "b.toml",
            "[train]\nexplore = { kind = \"constant\", value = 0 }",
            "b.toml:4: train.explore.value = 0 is not allowed: a finite number above 0",
        ),
        (
            "c.toml",
            "[policy]\ncondition = \"logit\"",
            "c.toml:4: there is no key \"policy.condition\" (did you mean \"policy.conditioning\"?)",
        ),
        (
            "d.toml",
            "[policy]\nconditioning = \"unconditional\"\n[train.beta]\nkind = \"uniform\"\nmin = 1\nmax = 3",
            "d.toml:5: train.beta = β from 1 to 3 is not allowed",
        ),
        (
            "e.toml",
            "[policy]\nthermometer_range = [3, 1]",
            "e.toml:4: policy.thermometer_range = [3, 1] is not allowed",
        ),
        (
            "f.toml",
            "[learner]\ndevice = \"gpu\"",
            "f.toml:4: learner.device = \"gpu\" is not allowed",
        ),
        ("g.toml", "table = \"scores.txt\"", "scores.txt cannot be opened"),
        ("h.toml", "[train\n", "h.toml:3: "),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("[task]\nname = \"tfbind8\"\n{text}\n")).unwrap();
        assert_refused(&["config", "check", path.to_str().unwrap()], &[expected]);
    }
}

#[test]
fn a_log_filter_that_is_none_is_refused() {
    let output = output::of(thermoflow().arg("tasks").env("RUST_LOG", "thermoflow=loud"));
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("error: RUST_LOG is \"thermoflow=loud\""), "{error}");
}
