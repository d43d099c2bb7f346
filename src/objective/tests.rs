//! Objectives by enumeration: all trajectories of small environments, against the formulas of METHOD.md written out, and
//! against exact flows, for which every objective is 0.

use super::*;
use crate::env::{Environment, GridEnv, Growth, Neighbours, SequenceEnv, States};
use crate::policy::{
    Backend, BackwardPolicy, Batch, Conditioning, Direction, Flows, Layout, LogProbs, NativeBackend, Parameters,
    PolicySpec,
};
use crate::rollout::Paths;
use std::collections::HashMap;
use std::sync::Arc;

const BETAS: [f32; 2] = [0.5, 2.0];

fn environments() -> Vec<Arc<dyn Environment>> {
    vec![
        Arc::new(SequenceEnv::new("AB", 3, Growth::PrependAppend)),
        Arc::new(SequenceEnv::new("AB", 3, Growth::AppendOnly)),
        Arc::new(SequenceEnv::variable("AB", 1..=3, Growth::PrependAppend)),
        Arc::new(GridEnv::new(2, 3)),
    ]
}

/// Neighbours of one state.
fn neighbours(env: &dyn Environment, direction: Direction, state: &[u8]) -> Vec<Vec<u8>> {
    let (mut states, mut out) = (States::new(env.state_width()), Neighbours::new(env.state_width()));
    states.push(state);
    direction.neighbours(env, &states, &mut out);
    out.states.iter().map(<[u8]>::to_vec).collect()
}

/// Every path from the initial state to a complete object, as states.
fn all_paths(env: &dyn Environment) -> Vec<Vec<Vec<u8>>> {
    let mut open = vec![vec![env.initial().to_vec()]];
    let mut complete = Vec::new();
    while let Some(path) = open.pop() {
        let children = neighbours(env, Direction::Forward, path.last().unwrap());
        if children.is_empty() {
            complete.push(path);
            continue;
        }
        open.extend(children.into_iter().map(|child| [path.clone(), vec![child]].concat()));
    }
    complete
}

/// Some log R of an object.
fn log_reward(object: &[u8]) -> f32 {
    let sum: f32 = object
        .iter()
        .zip(1u8..)
        .map(|(&b, place)| f32::from(b % 7) * f32::from(place))
        .sum();
    (sum * 0.7).sin()
}

/// Every path at every β, as a batch.
struct Everything {
    stop_is_implied: bool,
    paths: Vec<(Vec<Vec<u8>>, f32)>,
    batch: Batch,
    log_rewards: Vec<f32>,
}

impl Everything {
    fn new(env: Arc<dyn Environment>, spec: &PolicySpec) -> Self {
        let every = all_paths(&*env);
        let paths: Vec<_> = BETAS
            .iter()
            .flat_map(|&beta| every.iter().map(move |path| (path.clone(), beta)))
            .collect();
        let mut rows = Paths::new(env.state_width());
        for (path, _) in &paths {
            path.iter().for_each(|state| rows.visit(state));
            rows.finish();
        }
        let betas: Vec<f32> = paths.iter().map(|path| path.1).collect();
        let log_rewards = paths.iter().map(|(path, _)| log_reward(path.last().unwrap())).collect();
        let batch = Batch::new(&*env, spec, &rows, &betas);
        Self {
            stop_is_implied: env.stop_is_implied(),
            paths,
            batch,
            log_rewards,
        }
    }

    /// Log-probabilities and flows as these functions of (from, to, β), (state, β) and β say.
    fn log_probs(
        &self,
        log_p: impl Fn(Direction, &[u8], &[u8], f32) -> f64,
        log_flow: impl Fn(&[u8], f32) -> f64,
        log_z: impl Fn(f32) -> f64,
    ) -> LogProbs {
        let steps = |direction| -> Vec<f32> {
            let choices = self.batch.choices(direction);
            let places = choices.step_trajectory.iter().zip(&choices.step_place);
            let log_p = places.map(|(&trajectory, &place)| {
                let (path, beta) = &self.paths[trajectory as usize];
                let (from, to) = (&path[place as usize], &path[place as usize + 1]);
                match direction {
                    Direction::Forward => log_p(direction, from, to, *beta) as f32,
                    Direction::Backward => log_p(direction, to, from, *beta) as f32,
                }
            });
            log_p.collect()
        };
        let flows = self.batch.flows.as_ref().unwrap();
        let states =
            (0..flows.states.len()).flat_map(|s| (flows.offsets[s]..flows.offsets[s + 1]).map(move |row| (s, row)));
        let log_flow = states.map(|(state, row)| {
            let beta = self.batch.betas[flows.row_beta[row as usize] as usize];
            log_flow(flows.states.row(state), beta) as f32
        });
        LogProbs {
            forward: steps(Direction::Forward),
            backward: steps(Direction::Backward),
            log_z: self.batch.betas.iter().map(|&beta| log_z(beta) as f32).collect(),
            log_flow: log_flow.collect(),
        }
    }
}

fn spec_with_flow(conditioning: Conditioning) -> PolicySpec {
    PolicySpec {
        hidden: 7,
        embed: 5,
        beta_hidden: 3,
        thermometer_bins: 4,
        state_flow: true,
        ..PolicySpec::published(conditioning)
    }
}

/// log F of every state at `beta` for uniform P_B: the flow that trajectories to all objects send through it.
fn exact_flows(env: &dyn Environment, beta: f32) -> HashMap<Vec<u8>, f64> {
    let mut flows: HashMap<Vec<u8>, f64> = HashMap::new();
    for path in all_paths(env) {
        let parents = |state: &Vec<u8>| neighbours(env, Direction::Backward, state).len() as f64;
        let log_pb: f64 = path[1..].iter().map(|state| -parents(state).ln()).sum();
        let share = (f64::from(beta * log_reward(path.last().unwrap())) + log_pb).exp();
        for state in path {
            *flows.entry(state).or_default() += share;
        }
    }
    flows
}

#[test]
fn exact_flows_have_no_loss_and_no_gradient() {
    for env in environments() {
        let every = Everything::new(env.clone(), &spec_with_flow(Conditioning::Logit));
        let flows = BETAS.map(|beta| (beta, exact_flows(&*env, beta)));
        let at = |beta: f32| &flows.iter().find(|flow| flow.0 == beta).unwrap().1;
        // P_F(s'|s) = F(s → s')/F(s) with F(s → s') = F(s')·P_B(s|s').
        let log_pb = |state: &[u8]| -(neighbours(&*env, Direction::Backward, state).len() as f64).ln();
        let log_p = |direction, from: &[u8], to: &[u8], beta| match direction {
            Direction::Forward => at(beta)[to].ln() + log_pb(to) - at(beta)[from].ln(),
            Direction::Backward => log_pb(from),
        };
        let log_probs = every.log_probs(log_p, |s, beta| at(beta)[s].ln(), |beta| at(beta)[env.initial()].ln());
        let terms = Terms::new(&every.batch, &log_probs, &every.log_rewards);
        for kind in KINDS {
            let Loss { loss, gradient } = Objective(kind).loss(&terms, &Settings::default());
            assert!(loss < 1e-10, "{}: {loss}", kind.name);
            let steps = gradient
                .forward
                .iter()
                .chain(&gradient.backward)
                .chain(&gradient.log_flow);
            assert!(steps.chain(&gradient.log_z).all(|g| g.abs() < 1e-4), "{}", kind.name);
        }
    }
}

/// The loss of one trajectory as METHOD.md has it, from log P_F, log P_B and log F along it.
fn written_out(kind: &ObjectiveKind, pf: &[f64], pb: &[f64], flow: &[f64], log_z: f64, target: f64) -> f64 {
    let n = pf.len();
    let between = |i: usize, j: usize, start: f64| {
        let end = if j == n { target } else { flow[j] };
        let steps: f64 = (i..j).map(|t| pf[t] - pb[t]).sum();
        (start + steps - end).powi(2)
    };
    match kind.name {
        "tb" | "maxent" => between(0, n, log_z),
        "db" => (0..n).map(|t| between(t, t + 1, flow[t])).sum(),
        "subtb" => {
            let (mut sum, mut weights) = (0.0, 0.0);
            for (i, &flow) in flow.iter().enumerate() {
                for j in i + 1..=n {
                    let weight = 0.9f64.powi((j - i) as i32);
                    sum += weight * between(i, j, if i == 0 { log_z } else { flow });
                    weights += weight;
                }
            }
            sum / weights
        }
        other => panic!("no formula for {other}"),
    }
}

#[test]
fn losses_are_those_of_the_formulas_for_every_conditioning() {
    for conditioning in [
        Conditioning::Unconditional,
        Conditioning::Logit,
        Conditioning::Layer,
        Conditioning::LayerThermometer,
        Conditioning::LogitLayer,
    ] {
        for env in environments() {
            let spec = spec_with_flow(conditioning);
            let every = Everything::new(env.clone(), &spec);
            let mut parameters = Parameters::initial(Layout::new(&spec, env.sizes()), 3);
            parameters.values.iter_mut().for_each(|v| *v *= 2.0);
            let log_probs = NativeBackend::new(env, &parameters).forward(&every.batch).unwrap();
            let terms = Terms::new(&every.batch, &log_probs, &every.log_rewards);
            for kind in KINDS.iter().filter(|kind| kind.name != "vargrad") {
                let expected = mean_written_out(&every, &log_probs, kind);
                let found = Objective(kind).loss(&terms, &Settings::default()).loss;
                assert!(
                    (found - expected).abs() < 1e-5 * expected.max(1.0),
                    "{conditioning:?} {}",
                    kind.name
                );
            }
        }
    }
}

fn mean_written_out(every: &Everything, log_probs: &LogProbs, kind: &ObjectiveKind) -> f64 {
    let flows = every.batch.flows.as_ref().unwrap();
    let losses = every.paths.iter().enumerate().map(|(trajectory, (path, beta))| {
        let stop = usize::from(every.stop_is_implied);
        let steps = |direction, values: &[f32]| {
            let (choices, mut out) = (every.batch.choices(direction), vec![0.0; path.len() - 1 + stop]);
            for (step, value) in values.iter().enumerate() {
                if choices.step_trajectory[step] as usize == trajectory {
                    out[choices.step_place[step] as usize] = f64::from(*value);
                }
            }
            out
        };
        let visits = flows.visits[trajectory] as usize..flows.visits[trajectory + 1] as usize;
        let flow = flows.visit_row[visits].iter().filter(|&&row| row != Flows::STOPPED);
        let flow: Vec<f64> = flow.map(|&row| log_probs.log_flow[row as usize].into()).collect();
        let log_z = log_probs.log_z[every.batch.beta_of[trajectory] as usize];
        written_out(
            kind,
            &steps(Direction::Forward, &log_probs.forward),
            &steps(Direction::Backward, &log_probs.backward),
            &flow,
            log_z.into(),
            f64::from(*beta) * f64::from(every.log_rewards[trajectory]),
        )
    });
    losses.sum::<f64>() / every.paths.len() as f64
}

#[test]
fn var_grad_is_the_variance_around_each_betas_own_mean() {
    let env = environments().remove(0);
    let spec = spec_with_flow(Conditioning::Logit);
    let every = Everything::new(env.clone(), &spec);
    let parameters = Parameters::initial(Layout::new(&spec, env.sizes()), 3);
    let log_probs = NativeBackend::new(env, &parameters).forward(&every.batch).unwrap();
    let terms = Terms::new(&every.batch, &log_probs, &every.log_rewards);
    let mut expected = 0.0;
    for beta in 0..2 {
        let group: Vec<f64> = (0..terms.len())
            .filter(|&i| every.batch.beta_of[i] == beta)
            .map(|i| terms.excess(i))
            .collect();
        let mean = group.iter().sum::<f64>() / group.len() as f64;
        expected += group.iter().map(|e| (e - mean).powi(2)).sum::<f64>();
    }
    let found = Objective::find("vargrad").unwrap().loss(&terms, &Settings::default());
    assert!((found.loss - expected / terms.len() as f64).abs() < 1e-9);
    assert!(found.gradient.log_z.iter().all(|&g| g == 0.0), "log Z takes no part");
}

#[test]
fn a_uniform_backward_policy_has_no_tensors_and_no_gradient() {
    let spec = PolicySpec {
        backward: BackwardPolicy::Uniform,
        ..spec_with_flow(Conditioning::Logit)
    };
    let env = environments().remove(0);
    let every = Everything::new(env.clone(), &spec);
    let layout = Layout::new(&spec, env.sizes());
    assert!(layout.tensors.iter().all(|tensor| !tensor.name.starts_with("backward")));
    let log_probs = NativeBackend::new(env.clone(), &Parameters::initial(layout, 3))
        .forward(&every.batch)
        .unwrap();
    for (step, log_p) in log_probs.backward.iter().enumerate() {
        let row = every.batch.backward.row(every.batch.backward.step_row[step] as usize);
        assert!((log_p + (row.len() as f32).ln()).abs() < 1e-6);
    }
}

#[test]
fn names_are_found_and_mistakes_are_named() {
    assert_eq!(Objective::find("tb").unwrap(), Objective::TRAJECTORY_BALANCE);
    let message = Objective::find("sutb").unwrap_err().to_string();
    assert_eq!(
        message,
        "unknown objective \"sutb\" (did you mean \"subtb\"?), expected one of tb, db, subtb, vargrad, maxent"
    );
}
