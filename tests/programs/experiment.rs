//! `thermoflow experiment` with real runs: from nothing to a report, interrupted, gone on with, and refused.

use super::train::{rows, signal, wait_until};
use super::{assert_fails, assert_refused, output, thermoflow};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use thermoflow::exact::Enumerated;
use thermoflow::experiment::{Experiment, FinishedJob, Options};

/// `thermoflow experiment modes` into `out`, all runs at once.
fn modes(out: &Path, rounds: &str, seeds: &str) -> Command {
    let mut command = thermoflow();
    command
        .args([
            "experiment",
            "modes",
            "--json",
            "--jobs",
            "6",
            "--rounds",
            rounds,
            "--seeds",
            seeds,
            "--out",
        ])
        .arg(out)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// How long an experiment may take, which is several runs at once.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a whole experiment prints; it must succeed.
fn whole(command: &mut Command) -> serde_json::Value {
    let piped = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    summary(output::within(PATIENCE, piped.spawn().unwrap()))
}

fn summary(output: Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ends(summary: &serde_json::Value) -> Vec<&str> {
    let runs = summary["runs"].as_array().unwrap();
    runs.iter().map(|run| run["end"].as_str().unwrap_or("failed")).collect()
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Ctrl-C for the command alone, as a terminal would not do; it has to tell its runs.
fn interrupt(child: Child) -> serde_json::Value {
    signal("-INT", child.id());
    summary(output::of_child(child))
}

#[test]
fn an_experiment_leaves_numbers_pictures_and_a_report_and_repeats_no_finished_run() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("modes");
    let made = whole(&mut modes(&out, "20", "2"));
    assert_eq!(ends(&made), ["finished"; 6]);
    let csv = read(out.join("results.csv"));
    assert!(csv.starts_with("experiment,variant,seed,round,beta,metric,value\n"));
    for variant in ["logit", "layer", "unconditional"] {
        for seed in [0, 1] {
            assert!(
                csv.contains(&format!("\nmodes,tfbind8-{variant},{seed},20,,modes,")),
                "{variant} {seed}"
            );
        }
    }
    assert!(read(out.join("table.md")).contains("| unconditional | 2 |"));
    assert!(read(out.join("modes.svg")).contains("modes found"));
    assert_eq!(fs::read(out.join("modes.png")).unwrap()[..4], *b"\x89PNG");
    let page = read(out.join("report.html"));
    assert!(page.contains("<svg") && page.contains("thermoflow experiment modes --seeds 0,1 --rounds 20"));

    // What a run leaves can be asked by analyses.
    let job = Experiment::find("modes")
        .unwrap()
        .jobs(
            &Options {
                rounds: Some(20),
                ..Options::default()
            },
            &[0],
        )
        .unwrap()
        .remove(0);
    let run_dir = out.join("runs").join(job.name());
    let finished = FinishedJob::load(job, &run_dir).unwrap();
    assert_eq!(finished.rows.last().unwrap().round, 20);
    let mut trained = finished.trained().unwrap();
    let all = Enumerated::new(&trained.task).unwrap();
    let exact = trained.exact(&all, &[1.0, 2.0]).unwrap();
    assert!(exact.iter().all(|at| at.metrics.tv > 0.0 && at.metrics.tv < 1.0));
    assert_eq!(trained.sampler(0).sample(2.0, 0, 0..100).unwrap().y.len(), 100);

    // Again, with one seed less: nothing is run, and the other seed is not in the numbers.
    let logs = out.join("logs");
    fs::remove_dir_all(&logs).unwrap();
    let again = whole(&mut modes(&out, "20", "1"));
    assert_eq!(ends(&again), ["finished"; 3]);
    assert_eq!(fs::read_dir(&logs).unwrap().count(), 0, "no program was started");
    assert!(!read(out.join("results.csv")).contains("tfbind8-layer,1,"));
}

#[test]
fn an_interrupted_experiment_goes_on_and_ends_as_an_uninterrupted_one() {
    let dir = tempfile::tempdir().unwrap();
    let (undisturbed, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let child = modes(&parts, "150", "1").spawn().unwrap();
    let run = |variant: &str| parts.join(format!("runs/tfbind8-{variant}-s0"));
    let all = ["logit", "layer", "unconditional"];
    wait_until("the first rounds of all runs", || {
        all.iter().all(|variant| rows(&run(variant)).len() > 3)
    });
    let stopped = interrupt(child);
    assert_eq!(ends(&stopped), ["stopped"; 3]);
    assert!(
        !parts.join("results.csv").exists(),
        "nothing is made of what is not finished"
    );
    let begun: Vec<usize> = all.iter().map(|variant| rows(&run(variant)).len()).collect();
    assert!(begun.iter().all(|&count| count < 150), "{begun:?}");

    assert_eq!(ends(&whole(&mut modes(&parts, "150", "1"))), ["finished"; 3]);
    assert_eq!(ends(&whole(&mut modes(&undisturbed, "150", "1"))), ["finished"; 3]);
    // All but the times.
    let numbers = |out: &Path| {
        let csv = read(out.join("results.csv"));
        let lasting = csv.lines().filter(|line| !line.contains("second")).map(str::to_owned);
        lasting.collect::<Vec<_>>()
    };
    assert_eq!(numbers(&undisturbed), numbers(&parts));
}

/// Every experiment that measures policies after the runs, and what it must have measured.
const MEASURING: [(&str, &[&str], &[&str]); 4] = [
    (
        "gridworld",
        &["maps"],
        &[
            "gridworld-unconditional-b3,0,5,3.0,tv,",
            "gridworld-layer,0,5,5.0,modes_held,",
        ],
    ),
    (
        "offline",
        &["reward", "histograms-tfbind8"],
        &[
            "tfbind8-logit-improved,0,5,5000.0,mean_y,",
            "tfbind8-layer,0,5,1.0,share_above_data,",
        ],
    ),
    (
        "scale",
        &["distance"],
        &["gridworld-positive,0,5,0.5,tv,", "tfbind8-free,0,5,,mean_tv,"],
    ),
    (
        "ablation-k",
        &["bars"],
        &["tfbind8-k-8,0,5,,modes_at_end,", "tfbind8-k-1,0,5,3.0,tv,"],
    ),
];

#[test]
fn experiments_measure_what_their_runs_learned() {
    let dir = tempfile::tempdir().unwrap();
    for (name, figures, numbers) in MEASURING {
        let out = dir.path().join(name);
        let arguments = [
            "experiment",
            name,
            "--json",
            "--rounds",
            "5",
            "--seeds",
            "1",
            "--jobs",
            "4",
            "--out",
        ];
        let made = whole(thermoflow().args(arguments).arg(&out));
        assert!(ends(&made).iter().all(|&end| end == "finished"), "{made}");
        let csv = read(out.join("results.csv"));
        for number in numbers {
            let start = format!("\n{name},{number}");
            let value = csv
                .split_once(&start)
                .unwrap_or_else(|| panic!("{number} is not in {csv}"))
                .1;
            let value: f64 = value.lines().next().unwrap().parse().unwrap();
            assert!(value.is_finite());
        }
        for figure in figures {
            assert!(read(out.join(format!("{figure}.svg"))).starts_with("<svg"));
            assert_eq!(fs::read(out.join(format!("{figure}.png"))).unwrap()[..4], *b"\x89PNG");
        }
        assert!(read(out.join("table.md")).contains("| ---: |"));
        assert!(read(out.join("report.html")).contains("<figcaption>"));
    }
}

#[test]
fn a_task_is_one_of_the_experiments_own() {
    assert_refused(
        &["experiment", "gridworld", "--task", "tfbind8"],
        &["gridworld", "\"tfbind8\"", "its tasks are"],
    );
}

#[test]
fn folders_and_names_are_guarded() {
    let dir = tempfile::tempdir().unwrap();
    assert_refused(
        &["experiment", "mode"],
        &["\"mode\"", "did you mean \"modes\"", "stability"],
    );
    assert_refused(&["experiment", "modes", "--seeds", "1,1"], &["1,1", "different seeds"]);
    let out = dir.path().join("modes");
    whole(&mut modes(&out, "2", "1"));
    let text = out.to_str().unwrap();
    let small = ["--rounds", "2", "--seeds", "1", "--out", text];
    let refused = |name: &str, options: &[&str], expected: &[&str]| {
        assert_refused(&[&["experiment", name], options].concat(), expected);
    };
    refused("modes", &["--rounds", "3", "--out", text], &[text, "--rounds 2, not 3"]);
    refused("modes", &["--out", text], &[text, "--rounds 2, not those of the paper"]);
    refused("stability", &small, &[text, "\"modes\"", "\"stability\""]);

    let run = out.join("runs/tfbind8-layer-s0");
    let record = read(run.join("run.toml"));
    fs::write(run.join("run.toml"), record.replace("batch = 32", "batch = 16")).unwrap();
    refused(
        "modes",
        &small,
        &["tfbind8-layer-s0", "actor.batch is 16 in the run, 32 here"],
    );
    fs::write(run.join("run.toml"), "seed = ").unwrap();
    refused("modes", &small, &["tfbind8-layer-s0/run.toml is damaged"]);
    fs::write(run.join("run.toml"), &record).unwrap();
    fs::write(run.join("finished.json"), "{").unwrap();
    refused("modes", &small, &["finished.json is damaged"]);
    fs::write(out.join("experiment.toml"), "experiment = 1").unwrap();
    refused("modes", &small, &["experiment.toml is damaged"]);

    let foreign = dir.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter.txt"), "dear").unwrap();
    refused(
        "modes",
        &["--out", foreign.to_str().unwrap()],
        &["foreign", "letter.txt"],
    );
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1, "nothing was written there");
}

#[test]
fn a_run_that_fails_is_named_with_its_log_and_stops_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("modes");
    // Somebody else's directory where a run belongs.
    let taken = out.join("runs/tfbind8-logit-s0");
    whole(&mut modes(&out, "2", "1"));
    fs::remove_dir_all(&taken).unwrap();
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("letter.txt"), "dear").unwrap();
    let arguments = [
        "experiment",
        "modes",
        "--rounds",
        "2",
        "--seeds",
        "2",
        "--out",
        out.to_str().unwrap(),
    ];
    assert_fails(
        &arguments,
        1,
        &[
            "1 of 6 runs failed",
            "tfbind8-logit-s0",
            "letter.txt",
            "logs/tfbind8-logit-s0.log",
        ],
    );
    let page = read(out.join("report.html"));
    assert!(page.contains("1 of 6 runs failed and are missing here"));
    assert!(read(out.join("logs/tfbind8-logit-s0.log")).contains("letter.txt"));
}

#[test]
fn the_list_says_what_each_costs() {
    let list = summary(output::of(thermoflow().args(["experiment", "--list", "--json"])));
    let list = list.as_array().unwrap();
    assert!(
        list.iter()
            .any(|experiment| experiment["name"] == "modes" && experiment["runs"] == 9)
    );
    assert!(
        list.iter()
            .all(|experiment| !experiment["cost"].as_str().unwrap().is_empty())
    );
}
