//! `gridworld`: what policies of each conditioning learn of a 32×32 grid with four modes, as maps of the exact
//! probability of every cell, beside the target.

use super::measured::{Measured, by_label, measure_all, over, records, table_over_beta};
use super::settings::{CONDITIONINGS, between, constant, name_of, settings};
use super::statistics::dash;
use super::{AtBeta, Experiment, ExperimentError, Findings, FinishedJob, NamedFigure, Options, Trained, Variant};
use crate::config::{BetaKind, RawConfig, TaskConfig};
use crate::env::{GridEnv, States};
use crate::exact::Enumerated;
use crate::plot::{Figure, Grid, Heatmaps, Shared};
use crate::policy::{Conditioning, LogitScale, Parity};
use crate::report::Table;
use crate::task::gridworld::{GridReward, GridScorer};

/// See the module.
pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "gridworld",
    summary: "Heat maps of a 32×32 grid: the target and what each conditioning learned, β 1 to 5",
    cost: "4000 rounds each, about a minute of one core",
    seeds: 3,
    tasks: &["gridworld"],
    more_tasks: &[],
    variants,
    analyse,
};

/// β of the maps; unconditional policies are trained at one of them each.
const BETAS: [f32; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];
/// The β at which modes are weighed.
const SHARPEST: f32 = 5.0;
/// A mode with this share of the samples counts as held. The target has a quarter on each.
const HELD: f64 = 0.15;
/// Samples at [`SHARPEST`].
const SAMPLES: u64 = 4096;
/// Rounds unless told: the paper's settings for this figure are not published.
const ROUNDS: u64 = 4000;
/// Trajectories rolled out, and replayed, per round.
const BATCH: usize = 128;
/// Training goes below the smallest β of the maps, where the trained range would end.
const TRAINED: [f32; 2] = [0.7, SHARPEST];
const REPORTS: u64 = 200;

fn variants(task: &str, options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    let mut variants = Vec::new();
    for conditioning in CONDITIONINGS {
        let label = name_of(conditioning);
        let mut add = |name: &str, change: &dyn Fn(&mut RawConfig)| -> Result<(), ExperimentError> {
            let config = settings(task, options, REPORTS, |raw| {
                trained_well(raw);
                raw.policy.conditioning = Some(conditioning);
                change(raw);
            })?;
            variants.push(Variant::new(name, &label, config));
            Ok(())
        };
        if conditioning == Conditioning::Unconditional {
            for beta in BETAS {
                add(&format!("{label}-b{beta}"), &|raw| {
                    (raw.train.explore, raw.train.beta) = (constant(beta), constant(beta));
                })?;
            }
        } else {
            add(&label, &|raw| {
                let beta = between(BetaKind::LogUniform, TRAINED);
                (raw.train.explore, raw.train.beta) = (beta.clone(), beta);
            })?;
        }
    }
    Ok(variants)
}

/// What all gridworld runs have in common. With the rates of the string tasks nothing reaches the far modes.
pub(super) fn trained_well(raw: &mut RawConfig) {
    raw.train.rounds = Some(ROUNDS);
    (raw.train.batch, raw.replay.batch) = (Some(BATCH), Some(BATCH));
    raw.policy.parity = Some(Parity::Improved);
    raw.policy.logit_scale = Some(LogitScale::Positive);
    raw.policy.edge_offset = Some(true);
    raw.optimizer.policy_lr = Some(1e-3);
    raw.optimizer.final_lr = Some(0.0);
}

/// The map of one run at one β.
struct Map<'a> {
    job: &'a FinishedJob,
    beta: f32,
    grid: Grid,
}

fn analyse(jobs: &[FinishedJob]) -> Result<Findings, ExperimentError> {
    let (mut maps, mut truth) = (Vec::new(), Vec::new());
    let measured = measure_all(jobs, |measured, trained, all| {
        let (job, objects) = (measured.job, all.graph.objects());
        let (scorer, side) = scorer(&job.job.variant.config.task);
        for (at, beta) in trained.exact(all, &betas_of(job))?.iter().zip(betas_of(job)) {
            measured.add_exact(&at.metrics);
            maps.push(Map {
                job,
                beta,
                grid: map(&objects, &at.log_p, side),
            });
            if beta == SHARPEST {
                weigh_modes(measured, trained, at, &objects, &scorer)?;
            }
        }
        if truth.is_empty() {
            truth = BETAS.map(|beta| target(all, &objects, beta, side)).into();
        }
        Ok(())
    })?;
    let all: Vec<&Measured> = measured.iter().collect();
    let figure = NamedFigure {
        name: "maps".into(),
        caption:
            "Probability of every cell: the target R^β / Z(β), and what the policies with the first seed give, by \
                  enumeration. A column has one colour scale. The unconditional row is five policies, one for each β."
                .into(),
        figure: Figure::Heatmaps(heatmaps(truth, maps)),
    };
    let title = "Exact total variation to the target, mean (lowest … highest seed)";
    Ok(Findings {
        figures: vec![figure],
        tables: vec![
            table_over_beta(title.into(), &all, "tv", &BETAS.map(f64::from), 3),
            modes_table(&all),
        ],
        notes: notes(),
        records: records(&measured),
    })
}

fn notes() -> Vec<String> {
    vec![
        "The paper does not publish its settings for this figure. Here all policies have the same: trajectory balance, \
         β log-uniform from 0.7 to 5 for exploring and training (unconditional: that one β), 128 trajectories rolled out \
         and 128 replayed a round, policy rate 1e-3 falling to 0, no clamp on logits; logit policies have a positive \
         scale of log β and an offset beside their scores; the rest as for TFBind8. They were chosen on this grid by \
         single runs, judged by the same total variation."
            .into(),
        "An unconditional policy spends all its rounds on one β, the others theirs on all β; the five together take \
         five times the training of another conditioning."
            .into(),
        format!(
            "Modes are the blocks of highest reward, 3×3 cells each. A mode counts as held when its block has at least \
             {:.0} % of the exact probability at β = {SHARPEST}; the samples are {SAMPLES} of the same policy.",
            100.0 * HELD
        ),
    ]
}

/// At which β a run is measured.
fn betas_of(job: &FinishedJob) -> Vec<f32> {
    let [low, high] = job.job.variant.config.train.beta.range();
    BETAS.into_iter().filter(|beta| (low..=high).contains(beta)).collect()
}

/// What knows the modes, and the side of the grid.
fn scorer(task: &TaskConfig) -> (GridScorer, usize) {
    let env = GridEnv::new(task.dimensions.unwrap_or(2), task.side.unwrap_or(32));
    let side = env.side();
    (GridScorer::new(env, GridReward::default()), side)
}

/// Probabilities by place; the first coordinate goes to the right.
fn map(objects: &States, log_p: &[f64], side: usize) -> Grid {
    let mut values = vec![0.0; side * side];
    for (cell, log_p) in objects.iter().zip(log_p) {
        values[usize::from(cell[1]) * side + usize::from(cell[0])] = log_p.exp();
    }
    Grid { width: side, values }
}

fn target(all: &Enumerated, objects: &States, beta: f32, side: usize) -> Grid {
    let weights: Vec<f64> = all
        .log_rewards
        .iter()
        .map(|&r| f64::from(beta) * f64::from(r))
        .collect();
    let log_z = weights.iter().map(|weight| weight.exp()).sum::<f64>().ln();
    let log_p: Vec<f64> = weights.iter().map(|weight| weight - log_z).collect();
    map(objects, &log_p, side)
}

/// Adds what each mode holds, exactly and in samples, and how many are held.
fn weigh_modes(
    measured: &mut Measured,
    trained: &mut Trained,
    at: &AtBeta,
    objects: &States,
    scorer: &GridScorer,
) -> Result<(), ExperimentError> {
    let exact = shares(scorer, objects.iter().zip(at.log_p.iter().map(|log_p| log_p.exp())));
    let samples = trained.sampler(0).sample(SHARPEST, 0, 0..SAMPLES)?;
    let each = 1.0 / SAMPLES as f64;
    let sampled = shares(scorer, samples.objects.iter().map(|object| (object, each)));
    let beta = Some(f64::from(SHARPEST));
    for (mode, (exact, sampled)) in exact.iter().zip(&sampled).enumerate() {
        measured.add(beta, format!("mode{mode}_probability"), *exact);
        measured.add(beta, format!("mode{mode}_samples"), *sampled);
    }
    let held = |shares: &[f64]| shares.iter().filter(|&&share| share >= HELD).count() as f64;
    measured.add(beta, "modes_held", held(&exact));
    measured.add(beta, "modes_held_by_samples", held(&sampled));
    Ok(())
}

/// The weight in each mode's block.
fn shares<'a>(scorer: &GridScorer, weighted: impl Iterator<Item = (&'a [u8], f64)>) -> Vec<f64> {
    let mut shares = vec![0.0; scorer.modes().len()];
    for (cell, weight) in weighted {
        if let Some(mode) = scorer.mode_of(cell) {
            shares[mode] += weight;
        }
    }
    shares
}

/// The target above the policies of the first seed; a row for each label.
fn heatmaps(truth: Vec<Grid>, maps: Vec<Map>) -> Heatmaps {
    let seed = maps[0].job.job.seed;
    let (mut rows, mut panels) = (vec!["target".to_owned()], vec![truth]);
    for map in maps.into_iter().filter(|map| map.job.job.seed == seed) {
        if rows.last().is_none_or(|row| row != map.job.label()) {
            rows.push(map.job.label().into());
            // White where a run is missing.
            panels.push(vec![
                Grid {
                    width: 1,
                    values: vec![f64::NAN]
                };
                BETAS.len()
            ]);
        }
        let column = BETAS
            .iter()
            .position(|&beta| beta == map.beta)
            .expect("measured at these β");
        panels.last_mut().expect("begun above")[column] = map.grid;
    }
    Heatmaps {
        columns: BETAS.iter().map(|beta| format!("β = {beta}")).collect(),
        rows,
        panels,
        shared: Shared::Column,
        label: "probability of a cell".into(),
    }
}

fn modes_table(measured: &[&Measured]) -> Table {
    let beta = Some(f64::from(SHARPEST));
    let line = |(label, members): (&str, Vec<&Measured>)| {
        let cell = |metric: &str, digits| dash(over(&members, metric, beta), digits);
        let modes = (0..4).map(|mode| cell(&format!("mode{mode}_probability"), 3));
        let held = [cell("modes_held", 1), cell("modes_held_by_samples", 1)];
        std::iter::once(label.to_owned()).chain(modes).chain(held).collect()
    };
    Table {
        title: format!("Probability of each mode's block at β = {SHARPEST}, mean (lowest … highest seed)"),
        header: [
            "",
            "lower left",
            "lower right",
            "upper left",
            "upper right",
            "modes held",
            "held, by samples",
        ]
        .map(String::from)
        .to_vec(),
        rows: by_label(measured.iter().copied()).into_iter().map(line).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Task, TaskKind};

    #[test]
    fn the_target_has_a_quarter_on_each_mode_and_lies_as_on_a_map() {
        let config = TaskKind::find("gridworld").unwrap().config();
        let all = Enumerated::new(&Task::load(&config).unwrap()).unwrap();
        let (scorer, side) = scorer(&config);
        let objects = all.graph.objects();
        let mut map = target(&all, &objects, SHARPEST, side);
        let total: f64 = map.values.iter().sum();
        assert!((total - 1.0).abs() < 1e-6, "{total}");
        let weights = objects
            .iter()
            .map(|cell| (cell, map.values[usize::from(cell[1]) * side + usize::from(cell[0])]));
        let shares = shares(&scorer, weights);
        assert!(shares.iter().all(|share| (share - 0.25).abs() < 0.01), "{shares:?}");
        // A cell at the right end of the lowest row.
        let log_p: Vec<f64> = objects
            .iter()
            .map(|cell| if cell[..2] == [31, 0] { 0.0 } else { -1e9 })
            .collect();
        map = super::map(&objects, &log_p, side);
        assert_eq!(map.values.iter().position(|&value| value == 1.0), Some(31));
    }
}
