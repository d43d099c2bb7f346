//! Experiments are set up, and findings made of reports, without any run.

use super::measured::Measured;
use super::*;
use crate::metrics::MetricsRow;

fn short() -> Options {
    Options {
        rounds: Some(40),
        tasks: Vec::new(),
    }
}

/// Reports as a run would make them: the loss falls, modes are found.
fn pretend(job: Job) -> FinishedJob {
    let row = |round: u64| MetricsRow {
        round,
        modes: round / (2 + job.seed),
        loss_online: Some(100.0 / round as f64 + job.seed as f64),
        ..MetricsRow::default()
    };
    let rows = (1..=job.variant.config.train.rounds).map(row).collect();
    FinishedJob {
        job,
        run_dir: "nowhere".into(),
        rows,
    }
}

fn finished(experiment: &Experiment) -> Vec<FinishedJob> {
    let jobs = experiment.jobs(&short(), &[0, 1]).unwrap();
    jobs.into_iter().map(pretend).collect()
}

#[test]
fn every_experiment_has_runs_that_can_be_told_apart_and_makes_figures_of_them() {
    for experiment in EXPERIMENTS {
        let full = experiment.jobs(&Options::default(), &[0, 1, 2]).unwrap();
        assert!(!experiment.summary.is_empty() && !experiment.cost.is_empty() && experiment.seeds >= 3);
        let mut names: Vec<String> = full.iter().map(Job::name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), full.len(), "{}", experiment.name);
        for job in &full {
            job.variant.config.check().unwrap();
            assert_eq!(job.seed, job.variant.config.seed);
            let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
            assert!(job.name().chars().all(plain), "{}", job.name());
        }
        assert!(
            experiment
                .jobs(&short(), &[0])
                .unwrap()
                .iter()
                .all(|job| job.variant.config.train.rounds == 40)
        );
    }
}

/// (name, label or setting) of the runs with one seed.
fn names(experiment: &str) -> Vec<(String, String)> {
    let jobs = Experiment::find(experiment)
        .unwrap()
        .jobs(&Options::default(), &[0])
        .unwrap();
    let text = |job: Job| {
        (
            job.variant.name,
            format!("{}|{}", job.variant.setting, job.variant.label),
        )
    };
    jobs.into_iter().map(text).collect()
}

#[test]
fn variants_are_what_the_experiments_say() {
    let count = |name: &str| names(name).len();
    let counts = [
        "gridworld",
        "offline",
        "scale",
        "ablation-objective",
        "ablation-beta",
        "ablation-k",
    ]
    .map(count);
    assert_eq!(counts, [9, 7, 8, 10, 13, 4]);
    assert_eq!(["ablation-thermometer", "ablation-layer"].map(count), [8, 4]);
    assert_eq!(names("ablation-k")[1], ("tfbind8-k-2".into(), "K = 2|".into()));
    assert!(names("ablation-beta").contains(&("tfbind8-annealing-training".into(), "annealing|training".into())));
    let fixed = names("gridworld")
        .into_iter()
        .filter(|(_, label)| label == "|unconditional");
    assert!(
        fixed
            .map(|(name, _)| name)
            .eq((1..=5).map(|beta| format!("gridworld-unconditional-b{beta}")))
    );
}

#[test]
fn tasks_are_chosen_among_those_of_the_experiment() {
    let on = |experiment: &str, task: &str| {
        let options = Options {
            tasks: vec![task.into()],
            ..Options::default()
        };
        Experiment::find(experiment).unwrap().jobs(&options, &[0])
    };
    let jobs = on("stability", "rna1").unwrap();
    assert!(
        jobs.iter()
            .all(|job| job.variant.config.task.name == "rna1" && job.variant.config.train.rounds == 5000)
    );
    assert!(
        on("scale", "gridworld")
            .unwrap()
            .iter()
            .all(|job| job.name().starts_with("gridworld-"))
    );
    let error = on("gridworld", "tfbind8").unwrap_err().to_string();
    assert!(error.contains("\"tfbind8\"") && error.contains("gridworld"), "{error}");
}

#[test]
fn figures_and_tables_hold_every_variant() {
    for experiment in [&modes::EXPERIMENT, &stability::EXPERIMENT] {
        let findings = (experiment.analyse)(&finished(experiment)).unwrap();
        for figure in &findings.figures {
            let svg = figure.figure.svg().unwrap();
            assert!(
                ["logit", "layer", "unconditional"]
                    .iter()
                    .all(|label| svg.contains(label))
            );
        }
        assert!(
            findings
                .tables
                .iter()
                .all(|table| table.rows.iter().all(|row| row.len() == table.header.len()))
        );
        assert!(findings.tables.iter().any(|table| table.rows.len() == 3));
    }
}

#[test]
fn the_csv_has_every_number_of_every_run() {
    let jobs = finished(&stability::EXPERIMENT);
    let more = (stability::EXPERIMENT.analyse)(&jobs).unwrap().records;
    let mut text = Vec::new();
    write_csv("stability", &jobs, &more, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("experiment,variant,seed,round,beta,metric,value\n"));
    assert!(
        text.contains("\nstability,tfbind8-layer,1,40,,loss_online,3.5\n"),
        "{text}"
    );
    assert_eq!(text.matches(",loss_online,").count(), 6 * 40);
    assert_eq!(text.matches(",loss_online_last_tenth,").count(), 6);
}

#[test]
fn an_unknown_experiment_names_the_nearest() {
    let error = Experiment::find("mode").unwrap_err().to_string();
    assert!(error.contains("\"mode\"") && error.contains("did you mean \"modes\"") && error.contains("stability"));
}

#[test]
fn means_over_seeds_and_rounds() {
    let curves = [vec![(1.0, 1.0), (2.0, 4.0)], vec![(1.0, 3.0), (2.0, 6.0), (3.0, 9.0)]];
    let points = spread_by_x(&curves);
    assert_eq!(
        points
            .iter()
            .map(|point| [point.x, point.y, point.low, point.high])
            .collect::<Vec<_>>(),
        [[1.0, 2.0, 1.0, 3.0], [2.0, 5.0, 4.0, 6.0]]
    );
    assert_eq!(
        mean_of_last(2, &[(1.0, 1.0), (2.0, 3.0), (3.0, 7.0)]),
        [(1.0, 1.0), (2.0, 2.0), (3.0, 5.0)]
    );
    assert_eq!(spread([f64::NAN]), None);
    assert_eq!(format!("{:.1}", spread([1.0, 2.0]).unwrap()), "1.5 (1.0 … 2.0)");
}

#[test]
fn measured_numbers_become_tables_curves_and_bars() {
    let jobs = finished(&stability::EXPERIMENT);
    let mut all: Vec<Measured> = jobs.iter().map(Measured::new).collect();
    for one in all.iter_mut().filter(|one| one.job.label() != "unconditional") {
        let offset = if one.job.label() == "layer" { 0.5 } else { 0.0 };
        one.add(Some(2.0), "tv", offset + 0.1 * one.job.job.seed as f64);
    }
    let all: Vec<&Measured> = all.iter().collect();
    let table = measured::table_over_beta("title".into(), &all, "tv", &[2.0, 3.0], 2);
    assert_eq!(table.header, ["", "β = 2", "β = 3"]);
    assert_eq!(table.rows[0], ["logit", "0.05 (0.00 … 0.10)", "–"]);
    assert_eq!(table.rows[2], ["unconditional", "–", "–"]);
    let curves = measured::curves(&all, "tv", &[2.0, 3.0]);
    let point = curves[1].points[0];
    assert_eq!((curves[1].name.as_str(), curves[1].points.len()), ("layer", 1));
    assert_eq!([point.x, point.low, point.high], [2.0, 0.5, 0.6]);
    let [logit, none] = ["logit", "unconditional"].map(|label| {
        let of = |one: &&&Measured| one.job.label() == label;
        measured::bar(&all.iter().filter(of).copied().collect::<Vec<_>>(), "tv", Some(2.0))
    });
    assert_eq!([logit.value, logit.low, logit.high], [0.05, 0.0, 0.1]);
    assert!(none.value.is_nan());
}
