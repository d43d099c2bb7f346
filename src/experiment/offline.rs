//! `offline`: policies that were trained on the worse half of a data set are asked for more and more by raising β.

use super::grouping::by_task;
use super::measured::{Measured, by_label, curves, over, records, table_over_beta};
use super::settings::{CONDITIONINGS, constant, name_of, settings};
use super::statistics::dash;
use super::{Experiment, ExperimentError, Findings, FinishedJob, NamedFigure, Options, Variant, spread};
use crate::config::{Mode, RawConfig};
use crate::offline::data_set;
use crate::plot::{Axis, Figure, HistogramPanel, Histograms, LinePanel, LinePlot, Reference, Sample};
use crate::policy::{Conditioning, LogitScale, Parity};
use crate::report::Table;
use crate::task::Task;

/// See the module.
pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "offline",
    summary: "Offline training on low rewards: reward against query β up to 5000, and what the samples are worth",
    cost: "1000 rounds each on TFBind8, about half a minute of one core",
    seeds: 3,
    tasks: &["tfbind8"],
    more_tasks: &["rna1", "qm9str", "sehstr"],
    variants,
    analyse,
};

/// Query β (METHOD.md); training sees β from 10 to 50.
const BETAS: [f32; 8] = [1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0];
/// Query β of the histograms.
const SHOWN: [f32; 2] = [50.0, 1000.0];
/// Samples at each query β, the same for every variant.
const SAMPLES: u64 = 2048;
/// β of unconditional policies: the ends of what the others are trained on.
const FIXED: [f32; 2] = [10.0, 50.0];
/// Published.
const ROUNDS: u64 = 1000;
const REPORTS: u64 = 100;
/// Bins of the histograms.
const BINS: usize = 40;

fn variants(task: &str, options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    let variant = |name: &str, label: &str, change: &dyn Fn(&mut RawConfig)| {
        let config = settings(task, options, REPORTS, |raw| {
            raw.train.mode = Some(Mode::Offline);
            raw.train.rounds = Some(ROUNDS);
            change(raw);
        })?;
        Ok(Variant::new(name, label, config))
    };
    let mut variants = Vec::new();
    for conditioning in CONDITIONINGS {
        let name = name_of(conditioning);
        if conditioning.is_conditional() {
            variants.push(variant(&name, &name, &|raw| {
                raw.policy.conditioning = Some(conditioning)
            }));
            continue;
        }
        for beta in FIXED {
            let (short, label) = (format!("{name}-b{beta}"), format!("{name}, β = {beta}"));
            variants.push(variant(&short, &label, &|raw| {
                raw.policy.conditioning = Some(conditioning);
                (raw.train.explore, raw.train.beta) = (constant(beta), constant(beta));
            }));
        }
    }
    variants.push(variant("logit-improved", "logit, improved", &improved));
    variants.into_iter().collect()
}

/// The best settings found for this experiment: no clamp, and a scale that stays what it was at the largest trained β.
fn improved(raw: &mut RawConfig) {
    raw.policy.conditioning = Some(Conditioning::Logit);
    raw.policy.parity = Some(Parity::Improved);
    raw.policy.logit_scale = Some(LogitScale::Positive);
    raw.optimizer.policy_lr = Some(1e-3);
    raw.optimizer.final_lr = Some(0.0);
    raw.replay.batch = Some(128);
}

/// What is made of a task.
struct OfTask<'a> {
    name: &'a str,
    /// Highest score of the data.
    best: f64,
    measured: Vec<Measured<'a>>,
    /// Scores of the samples at [`SHOWN`], of all seeds: `[SHOWN]` of a sample for each label.
    shown: [Vec<Sample>; 2],
}

fn analyse(jobs: &[FinishedJob]) -> Result<Findings, ExperimentError> {
    let tasks = by_task(jobs).into_iter().map(|(task, jobs)| OfTask::new(task, &jobs));
    let tasks = tasks.collect::<Result<Vec<_>, _>>()?;
    let mut findings = Findings {
        notes: notes(jobs),
        ..Findings::default()
    };
    findings.figures.push(NamedFigure {
        name: "reward".into(),
        caption: format!(
            "Mean score y of {SAMPLES} samples at each query β: the mean over the seeds, and the range from the lowest \
             to the highest seed. Training saw β from 10 to 50 and no y above the dashed line."
        ),
        figure: Figure::Lines(LinePlot {
            panels: tasks.iter().map(OfTask::panel).collect(),
        }),
    });
    for task in tasks {
        findings.tables.extend(task.tables());
        findings.records.extend(records(&task.measured));
        findings.figures.push(task.histograms());
    }
    Ok(findings)
}

fn notes(jobs: &[FinishedJob]) -> Vec<String> {
    let text = [
        "All variants but one have the published settings, with their clamp at ±20: logits that reach it on several \
         neighbours at once are ties, which is why the reward may fall as β grows. \"logit, improved\" has no clamp; \
         its scale is positive, a function of log β, and kept at what it is at β = 50 beyond; policy rate 1e-3 falling \
         to 0, 128 objects a step.",
        "An unconditional policy knows no β: one each is trained at the ends of the range that the others are trained \
         on, and its samples are the same at every query but for chance. The published code drew 128 of them and 2048 \
         of the others; here every variant gets the same number, and none is chosen among its samples.",
    ];
    text.map(String::from)
        .into_iter()
        .chain(EXPERIMENT.left_out(jobs))
        .collect()
}

impl<'a> OfTask<'a> {
    fn new(name: &'a str, jobs: &[&'a FinishedJob]) -> Result<Self, ExperimentError> {
        let config = &jobs[0].job.variant.config;
        let (_, scores) = data_set(&Task::load(&config.task)?, &config.offline)?;
        let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut all = Self {
            name,
            best: best.into(),
            measured: Vec::new(),
            shown: Default::default(),
        };
        jobs.iter().try_for_each(|job| all.sample(job))?;
        Ok(all)
    }

    fn sample(&mut self, job: &'a FinishedJob) -> Result<(), ExperimentError> {
        let mut measured = Measured::new(job);
        let mut trained = job.trained()?;
        let mut sampler = trained.sampler(job.job.seed);
        for (call, &beta) in BETAS.iter().enumerate() {
            let drawn = sampler.sample(beta, call as u64, 0..SAMPLES)?.y;
            let y: Vec<f64> = drawn.into_iter().map(f64::from).filter(|y| y.is_finite()).collect();
            let share = |count: usize| count as f64 / y.len() as f64;
            let at = Some(f64::from(beta));
            measured.add(at, "mean_y", y.iter().sum::<f64>() / y.len() as f64);
            measured.add(at, "max_y", y.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            measured.add(
                at,
                "share_above_data",
                share(y.iter().filter(|&&y| y > self.best).count()),
            );
            if let Some(place) = SHOWN.iter().position(|&shown| shown == beta) {
                add_sample(&mut self.shown[place], job.label(), y);
            }
        }
        self.measured.push(measured);
        Ok(())
    }

    fn line(&self, vertical: bool) -> Vec<Reference> {
        vec![Reference {
            label: "best y of the data".into(),
            at: self.best,
            vertical,
        }]
    }

    fn panel(&self) -> LinePanel {
        let all: Vec<&Measured> = self.measured.iter().collect();
        LinePanel {
            title: self.name.into(),
            x: Axis::log("query β"),
            y: Axis::linear("mean y of the samples"),
            series: curves(&all, "mean_y", &BETAS.map(f64::from)),
            references: self.line(false),
        }
    }

    fn histograms(&self) -> NamedFigure {
        let panels = SHOWN.iter().zip(&self.shown).map(|(beta, samples)| HistogramPanel {
            title: format!("{}, β = {beta}", self.name),
            samples: samples.clone(),
            references: self.line(true),
        });
        NamedFigure {
            name: format!("histograms-{}", self.name),
            caption: format!("Scores of the {SAMPLES} samples of each seed at two query β."),
            figure: Figure::Histograms(Histograms {
                x: Axis::linear("y"),
                bins: BINS,
                panels: panels.collect(),
            }),
        }
    }

    fn tables(&self) -> [Table; 3] {
        let all: Vec<&Measured> = self.measured.iter().collect();
        let betas = BETAS.map(f64::from);
        let title = |what: &str| format!("{}: {what}, mean (lowest … highest seed)", self.name);
        [
            table_over_beta(
                title(&format!("mean y of the samples (best of the data: {:.3})", self.best)),
                &all,
                "mean_y",
                &betas,
                3,
            ),
            table_over_beta(
                title("share of samples better than the data"),
                &all,
                "share_above_data",
                &betas,
                2,
            ),
            self.fall(&all),
        ]
    }

    /// What the experiment is about, in two numbers.
    fn fall(&self, all: &[&Measured]) -> Table {
        let far = || {
            BETAS
                .iter()
                .filter(|&&beta| beta >= SHOWN[0])
                .map(|&beta| Some(f64::from(beta)))
        };
        let line = |(label, members): (&str, Vec<&Measured>)| {
            let falls = members.iter().map(|one| {
                let means: Vec<f64> = far().filter_map(|beta| one.value("mean_y", beta)).collect();
                let best = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                best - means.iter().copied().fold(f64::INFINITY, f64::min)
            });
            let highest = far().filter_map(|beta| over(&members, "max_y", beta)).map(|s| s.high);
            vec![
                label.to_owned(),
                dash(spread(falls), 3),
                dash(spread(highest.reduce(f64::max)), 3),
            ]
        };
        Table {
            title: format!("{}: from β = {} on", self.name, SHOWN[0]),
            header: ["", "best less worst mean y", "highest y of all samples"]
                .map(String::from)
                .to_vec(),
            rows: by_label(all.iter().copied()).into_iter().map(line).collect(),
        }
    }
}

fn add_sample(samples: &mut Vec<Sample>, label: &str, mut values: Vec<f64>) {
    match samples.iter_mut().find(|sample| sample.name == label) {
        Some(sample) => sample.values.append(&mut values),
        None => samples.push(Sample {
            name: label.into(),
            values,
        }),
    }
}
