//! Every `thermoflow bench` for a moment: what it says, never how fast it is.

use super::{assert_refused, output, run, thermoflow};
use serde_json::Value;

fn stdout(arguments: &[&str]) -> Vec<u8> {
    let output = run(&[&["bench"], arguments].concat());
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_slice(&stdout(&[arguments, &["--json"]].concat())).unwrap()
}

fn text(arguments: &[&str]) -> String {
    String::from_utf8(stdout(arguments)).unwrap()
}

/// Expects these numbers, above 0.
fn assert_positive(report: &Value, keys: &[&str]) {
    for key in keys {
        assert!(
            report[key].as_f64().is_some_and(|value| value > 0.0),
            "{key} in {report}"
        );
    }
}

const SPEED: [&str; 6] = [
    "trajectories_per_second",
    "milliseconds_per_repetition",
    "flops_per_trajectory",
    "gflops",
    "machine_gflops",
    "share_of_machine",
];

#[test]
fn computing_reports_a_rate_and_what_of_the_machine_it_used() {
    for work in ["rollout", "train", "round"] {
        for config in ["tfbind8", "tfbind8-gfnx"] {
            let config = format!("configs/bench/{config}.toml");
            let report = json(&[work, "--seconds", "0.2", "--config", &config]);
            assert_positive(&report, &SPEED);
            #[cfg(target_os = "linux")]
            assert_positive(&report, &["peak_memory_bytes"]);
        }
    }
    let lines = text(&["round", "--seconds", "0.1"]);
    for part in ["round, cpu, Logit: ", "MFLOP a trajectory", "GFLOP/s of a product"] {
        assert!(lines.contains(part), "{part:?} is not in {lines}");
    }
}

#[test]
fn repetitions_are_the_same_work_every_time() {
    let once = || json(&["round", "--repetitions", "3"]);
    let report = once();
    assert_eq!(
        (report["repetitions"].as_u64(), report["trajectories"].as_u64()),
        (Some(3), Some(3 * 64))
    );
    assert_eq!(report["flops_per_trajectory"], once()["flops_per_trajectory"]);
    assert_eq!(report["machine_gflops"], Value::Null, "measured by a clock");
    assert_refused(
        &["bench", "round", "--repetitions", "3", "--seconds", "1"],
        &["cannot be used with"],
    );
}

#[test]
fn configurations_of_the_bench_are_known_without_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let bench = |config: &str| {
        let arguments = [
            "bench",
            "rollout",
            "--repetitions",
            "1",
            "--batch",
            "8",
            "--config",
            config,
        ];
        output::of(thermoflow().current_dir(&dir).args(arguments))
    };
    assert!(bench("configs/bench/tfbind8-gfnx.toml").status.success());
    let unknown = bench("configs/bench/other.toml");
    assert_eq!(unknown.status.code(), Some(2));
    // A file that is there wins.
    std::fs::create_dir_all(dir.path().join("configs/bench")).unwrap();
    std::fs::write(
        dir.path().join("configs/bench/tfbind8-gfnx.toml"),
        "[task]\nname = \"none\"\n",
    )
    .unwrap();
    assert_eq!(bench("configs/bench/tfbind8-gfnx.toml").status.code(), Some(2));
}

#[test]
fn a_comparison_is_a_table_that_can_be_kept_and_set_beside_another() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept.json");
    let kept = kept.to_str().unwrap();
    let brief = ["compare", "--seconds", "0.1", "--only", "gfnx-16"];
    let comparison = json(&[&brief[..], &["--save", kept]].concat());
    let row = &comparison["here"]["rows"][0];
    assert_positive(row, &["here", "ratio", "corrected"]);
    assert_eq!(row["reference"], 1860.0);
    let (here, ratio) = (row["here"].as_f64().unwrap(), row["ratio"].as_f64().unwrap());
    assert!((ratio / (here / 1860.0) - 1.0).abs() < 1e-9, "{row}");
    let correction = 63.0 / comparison["here"]["gflops"].as_f64().unwrap();
    let corrected = row["corrected"].as_f64().unwrap();
    assert!((corrected / (ratio * correction) - 1.0).abs() < 1e-9, "{row}");

    let table = text(&[&brief[..], &["--with", kept]].concat());
    let (first, rest) = table.split_once('\n').unwrap();
    assert!(
        first.starts_with("Calibration: ") && first.contains("GFLOP/s"),
        "{first}"
    );
    assert!(rest.contains(&format!("| {here:.0}/s | {corrected:.2} × |")), "{rest}");
    assert!(rest.contains("gfnx 1860/s") && rest.contains("--batch 16`"), "{rest}");

    std::fs::write(kept, "{}").unwrap();
    assert_refused(
        &["bench", "compare", "--with", kept],
        &["kept.json", "bench compare --save"],
    );
    assert_refused(&["bench", "compare", "--only", "gfnx"], &["gfnx-16", "sehstr-round"]);
}

#[test]
fn what_needs_data_that_is_not_here_is_shown_and_not_measured() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "bench",
        "compare",
        "--seconds",
        "0.1",
        "--only",
        "sehstr-round",
        "qm9str-round",
    ];
    let mut command = thermoflow();
    let output = output::of(command.args(arguments).env("THERMOFLOW_DATA", dir.path()));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(table.matches("| needs data |").count(), 2, "{table}");
    assert!(
        table.contains("sehstr-round needs data: ") && table.contains("thermoflow data import"),
        "{table}"
    );
}

#[test]
fn the_published_arithmetic_is_more_than_ours_for_the_same_round() {
    let published = json(&["published", "--seconds", "0.1"]);
    assert_positive(&published, &SPEED);
    let ours = json(&["round", "--repetitions", "3"]);
    let each = |report: &Value| report["flops_per_trajectory"].as_f64().unwrap();
    // States that trajectories share are worked off once.
    assert!(each(&published) > 2.0 * each(&ours), "{published} {ours}");
    assert_refused(
        &["bench", "published", "--config", "configs/bench/tfbind8-gfnx.toml"],
        &["policy.parameterization", "replay.batch"],
    );
}

#[test]
fn growth_is_a_table_and_a_picture() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let [svg, png] = ["a.svg", "a.png"].map(place);
    let brief = ["growth", "--seconds", "0.1", "--over"];
    let batches = json(&[&brief[..], &["batch", "--values", "16,32", "--out", &svg]].concat());
    for (point, value) in batches["points"].as_array().unwrap().iter().zip([16, 32]) {
        assert_eq!((&point["value"], &point["batch"]), (&value.into(), &value.into()));
        assert_eq!(point["trajectories"].as_u64().unwrap() % (2 * value), 0, "{point}");
        assert_positive(point, &SPEED);
    }
    assert!(std::fs::read_to_string(&svg).unwrap().contains("trajectories a second"));
    let lengths = [
        "length",
        "--of",
        "rollout",
        "--values",
        "4,6",
        "--set",
        "policy.hidden=16",
        "--out",
        &png,
    ];
    let table = text(&[&brief[..], &lengths].concat());
    assert!(
        table.contains("| letters |") && table.contains("\n| 6 | ") && table.contains('▇'),
        "{table}"
    );
    assert!(std::fs::read(&png).unwrap().starts_with(b"\x89PNG"));
    let hidden = json(&[&brief[..], &["hidden", "--of", "train", "--values", "8,256"]].concat());
    let flops = |place: usize| hidden["points"][place]["flops_per_trajectory"].as_f64().unwrap();
    assert!(flops(1) > 3.0 * flops(0), "{hidden}");
}

/// A learner and an actor, held to one core: `growth`, `fleet` and `taskset` in one.
#[cfg(target_os = "linux")]
#[test]
fn processes_of_their_own_are_measured_and_held_to_their_cores() {
    let dir = tempfile::tempdir().unwrap();
    let place = format!("--values 1 --seconds 3 --config {}", config());
    let arguments: Vec<&str> = ["growth", "--over", "cores"]
        .into_iter()
        .chain(place.split(' '))
        .collect();
    let mut command = thermoflow();
    let output = output::of(command.current_dir(&dir).arg("bench").args(arguments).arg("--json"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let point = &report["points"][0];
    assert_eq!((&point["actors"], &point["cores"]), (&1.into(), &1.into()), "{point}");
    let (all, rolled) = (&point["trajectories_per_second"], &point["rolled_out_per_second"]);
    assert!(rolled.as_f64().unwrap() > 0.0, "{point}");
    assert_eq!(all.as_f64().unwrap(), 2.0 * rolled.as_f64().unwrap());
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "the run is gone");
}

#[cfg(target_os = "linux")]
fn config() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/configs/bench/tfbind8-async.toml")
}

#[test]
fn weights_and_ingest_report_bytes_and_rates() {
    let weights = json(&["weights", "--hidden", "16", "--versions", "2", "--warm-up", "1"]);
    let formats = weights.as_array().unwrap();
    assert_eq!(formats.len(), 4);
    formats
        .iter()
        .for_each(|format| assert_positive(format, &["bytes", "share"]));
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    let ingest = json(&[
        "ingest",
        "--actors",
        "2",
        "--batch",
        "16",
        "--seconds",
        "1",
        "--dir",
        place,
    ]);
    for part in ["store", "network"] {
        assert_positive(&ingest[part], &["trajectories_per_second"]);
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let refused = |arguments: &[&str], expected: &[&str]| {
        assert_refused(&[&["bench"], arguments].concat(), expected);
    };
    refused(&["round", "--seconds", "0"], &["--seconds is 0", "up to 3600"]);
    refused(
        &["growth", "--over", "actors", "--of", "train"],
        &["--of train", "one process"],
    );
    refused(
        &["growth", "--over", "batch", "--values", "16,0"],
        &["--values has a 0", "from 1 up"],
    );
    refused(
        &["growth", "--over", "batch", "--out", "a.pdf"],
        &["\"pdf\"", ".svg and .png"],
    );
    refused(
        &["growth", "--over", "hidden", "--values", "9999999"],
        &["thermoflow bench round", "policy.hidden=9999999"],
    );
    refused(
        &["fleet", "--set", "train.mode=\"offline\""],
        &["\"offline\"", "no actors"],
    );
    #[cfg(target_os = "linux")]
    refused(
        &["growth", "--over", "cores", "--values", "100000"],
        &["--values has 100000, which takes 100000 cores", "here are"],
    );
}

#[test]
fn bench_replay_measures_what_it_makes_and_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let bench = |arguments: &[&str]| {
        let output = run(&[&["bench", "replay"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let run = place("run");
    assert_eq!(bench(&["--make", "3000", "--out", &run]), b"");
    let brief = ["--runs", "1", "--seconds", "0.1", "--json", "--dir"];
    let brief = [&brief[..], &[dir.path().to_str().unwrap()]].concat();
    for what in [&[&*run][..], &["--make", "3000"]] {
        let report: serde_json::Value = serde_json::from_slice(&bench(&[&brief[..], what].concat())).unwrap();
        assert_eq!(report["trajectories"], 3000);
        let questions = report["questions"].as_array().unwrap();
        assert!(questions.iter().any(|one| one["question"] == "summary") && questions.len() > 5);
        for one in questions {
            assert!(one["seconds"].as_f64().unwrap() > 0.0 && one["peak_bytes"].as_u64().unwrap() > 1 << 20);
        }
        assert!(report["writer"]["alone"].as_f64().unwrap() > 0.0);
        assert_eq!(report["writer"]["beside"].as_array().unwrap().len(), 2);
    }
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["run"], "what was written for the time of the bench is gone");
    assert_refused(
        &["bench", "replay", &run, "--make", "5"],
        &["--make", "cannot be used with"],
    );
    assert_refused(&["bench", "replay", "--make", "5", "--out", &run], &["run"]);
}
