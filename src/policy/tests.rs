//! Tests of both backends, for every conditioning: against enumeration, finite differences, each other and `golden/`.
//!
//! `THERMOFLOW_TEST_DEVICE` names the device of the second backend (default `cpu-torch`).

use super::*;
use crate::env::{GridEnv, Growth, Neighbours, SequenceEnv};
use crate::exact::{ExactPolicy, StateGraph};
use crate::objective::{KINDS, Objective, Settings, Terms};
use crate::random::{Purpose, Stream};
use crate::rollout::{Paths, Walker};

const CONDITIONINGS: [Conditioning; 5] = [
    Conditioning::Unconditional,
    Conditioning::Logit,
    Conditioning::Layer,
    Conditioning::LayerThermometer,
    Conditioning::LogitLayer,
];

/// Odd sizes, so that the kernels' remainders are tested too.
fn small_spec(conditioning: Conditioning) -> PolicySpec {
    PolicySpec {
        hidden: 21,
        embed: 9,
        beta_hidden: 5,
        thermometer_bins: 4,
        ..PolicySpec::published(conditioning)
    }
}

/// Words are among the features, which changes nothing for shorter strings.
fn env(length: usize) -> Arc<dyn Environment> {
    Arc::new(SequenceEnv::new("ACG", length, Growth::PrependAppend).with_words(2))
}

fn parameters(spec: &PolicySpec, env: &dyn Environment, scale: f32) -> Parameters {
    let mut parameters = Parameters::initial(Layout::new(spec, env.sizes()), 7);
    parameters.values.iter_mut().for_each(|v| *v *= scale);
    parameters
}

fn other_device() -> String {
    let device = std::env::var("THERMOFLOW_TEST_DEVICE").unwrap_or_else(|_| "cpu-torch".into());
    eprintln!("backends: cpu (native) against {device}");
    device
}

/// Random walks with their β and made-up rewards.
fn sampled(backend: &mut dyn Backend, env: &Arc<dyn Environment>, spec: &PolicySpec, n: usize) -> (Batch, Vec<f32>) {
    let mut streams: Vec<Stream> = (0..n as u64).map(|i| Stream::new(3, Purpose::Explore, 0, i)).collect();
    // Some β are shared by several trajectories.
    let beta = |stream: &mut Stream| {
        if stream.unit() < 0.3 {
            2.0
        } else {
            stream.uniform(1.0, 3.0) as f32
        }
    };
    let betas: Vec<f32> = streams.iter_mut().map(beta).collect();
    let mut starts = crate::env::States::new(env.state_width());
    starts.extend(betas.iter().map(|_| env.initial()));
    let mut walker = Walker::new(env.clone(), spec, Direction::Forward);
    let walks = walker.walk(backend, &starts, &betas, 0.1, &mut streams).unwrap();
    let paths = Paths::from_actions(&**env, walks.iter().map(|w| &w.actions[..])).unwrap();
    let batch = Batch::new(&**env, spec, &paths, &betas);
    let log_p = batch
        .forward
        .sum_by_trajectory(&backend.forward(&batch).unwrap().forward, n);
    for (walk, log_p) in walks.iter().zip(&log_p) {
        assert!(
            (f64::from(walk.log_p) - log_p).abs() < 1e-4,
            "log P at sampling is that of training"
        );
    }
    let log_rewards = streams.iter_mut().map(|s| s.uniform(-2.0, 2.0) as f32).collect();
    (batch, log_rewards)
}

fn loss_with(backend: &mut dyn Backend, batch: &Batch, log_rewards: &[f32], objective: Objective) -> f64 {
    let log_probs = backend.forward(batch).unwrap();
    let terms = Terms::new(batch, &log_probs, log_rewards);
    objective.loss(&terms, &Settings::default()).loss
}

fn gradient_of(
    backend: &mut dyn Backend,
    batch: &Batch,
    log_rewards: &[f32],
    objective: Objective,
    len: usize,
) -> Vec<f32> {
    let mut gradient = vec![0.0; len];
    let objective = (objective, &Settings::default());
    crate::trainer::loss_and_gradient(backend, batch, log_rewards, objective, &mut gradient).unwrap();
    gradient
}

/// Every objective with every conditioning, both kinds of scale where there is one, and scores of edges and of actions.
fn every_spec() -> Vec<(Objective, PolicySpec)> {
    let mut specs = Vec::new();
    for conditioning in CONDITIONINGS {
        for kind in KINDS {
            for (logit_scale, edge_offset) in [
                (LogitScale::Free, false),
                (LogitScale::Positive, false),
                (LogitScale::Positive, true),
            ] {
                if logit_scale == LogitScale::Positive && !conditioning.scales_logits() {
                    continue;
                }
                let of_edges = PolicySpec {
                    logit_scale,
                    edge_offset,
                    state_flow: kind.needs_flow,
                    backward: if kind.uniform_backward {
                        BackwardPolicy::Uniform
                    } else {
                        BackwardPolicy::Learned
                    },
                    ..small_spec(conditioning)
                };
                let of_actions = PolicySpec {
                    parameterization: Parameterization::StateAction,
                    layers: if edge_offset { 1 } else { 3 },
                    ..of_edges.clone()
                };
                specs.extend([of_edges, of_actions].map(|spec| (Objective::find(kind.name).unwrap(), spec)));
            }
        }
    }
    specs
}

#[test]
fn gradients_agree_with_finite_differences() {
    for (objective, spec) in every_spec() {
        for env in [env(3), Arc::new(GridEnv::new(2, 3))] {
            gradient_agrees(objective, &spec, env);
        }
    }
}

fn gradient_agrees(objective: Objective, spec: &PolicySpec, env: Arc<dyn Environment>) {
    let mut at = parameters(spec, &*env, 1.5);
    let mut backend = NativeBackend::new(env.clone(), &at);
    let (batch, log_rewards) = sampled(&mut backend, &env, spec, 12);
    let gradient = gradient_of(&mut backend, &batch, &log_rewards, objective, at.values.len());
    let mut stream = Stream::new(11, Purpose::Bench, 0, 0);
    for tensor in at.layout.clone().tensors.iter() {
        // Along a random direction within one tensor: less rounding than one element at a time.
        let direction: Vec<f32> = tensor.range().map(|_| stream.uniform(-1.0, 1.0) as f32).collect();
        let step = 2e-3 / (direction.iter().map(|d| d * d).sum::<f32>()).sqrt();
        let mut losses = [0.0; 2];
        for (loss, sign) in losses.iter_mut().zip([1.0, -1.0]) {
            let saved = at.values.clone();
            let moved = at.values[tensor.range()].iter_mut().zip(&direction);
            moved.for_each(|(value, d)| *value += sign * step * d);
            backend.load(&at).unwrap();
            *loss = loss_with(&mut backend, &batch, &log_rewards, objective);
            at.values = saved;
        }
        let measured = (losses[0] - losses[1]) / (2.0 * f64::from(step));
        let computed: f64 = gradient[tensor.range()]
            .iter()
            .zip(&direction)
            .map(|(g, d)| f64::from(g * d))
            .sum();
        let tolerance = 0.02 * computed.abs().max(losses[0].max(1.0));
        assert!(
            (measured - computed).abs() < tolerance,
            "{objective} {spec:?} {}: measured {measured}, computed {computed}",
            tensor.name
        );
    }
}

#[test]
fn backends_agree() {
    let device = other_device();
    for parity in [Parity::Published, Parity::Improved] {
        for (objective, spec) in every_spec() {
            // A low clip, so that some logits are clamped.
            let spec = PolicySpec {
                parity,
                logit_clip: 0.4,
                ..spec
            };
            agrees_with(&device, objective, &spec, env(5));
        }
    }
}

fn agrees_with(device: &str, objective: Objective, spec: &PolicySpec, env: Arc<dyn Environment>) {
    let at = parameters(spec, &*env, 2.0);
    let mut native = NativeBackend::new(env.clone(), &at);
    let mut torch = backend(device, env.clone(), &at).unwrap();
    let (batch, log_rewards) = sampled(&mut native, &env, spec, 40);
    let (a, b) = (native.forward(&batch).unwrap(), torch.forward(&batch).unwrap());
    for (a, b) in [
        (&a.forward, &b.forward),
        (&a.backward, &b.backward),
        (&a.log_z, &b.log_z),
        (&a.log_flow, &b.log_flow),
    ] {
        assert_close(a, b, 1e-5, &format!("{objective} {spec:?} log-probabilities"));
    }
    let len = at.values.len();
    let a = gradient_of(&mut native, &batch, &log_rewards, objective, len);
    let b = gradient_of(&mut *torch, &batch, &log_rewards, objective, len);
    // Where everything is clamped there is no gradient at all.
    let size = b.iter().fold(f32::MIN_POSITIVE, |m, g| m.max(g.abs()));
    let scaled = |g: Vec<f32>| g.into_iter().map(|g| g / size).collect::<Vec<_>>();
    assert_close(&scaled(a), &scaled(b), 1e-5, &format!("{objective} {spec:?} gradients"));
    let choices = &batch.forward;
    let a = native.edge_scores(Direction::Forward, choices, &batch.betas).unwrap();
    let b = torch.edge_scores(Direction::Forward, choices, &batch.betas).unwrap();
    assert_close(&a.scores, &b.scores, 1e-5, "scores");
    assert_close(&a.offsets, &b.offsets, 1e-5, "offsets");
    assert_close(&a.scales, &b.scales, 1e-5, "scales");
}

fn assert_close(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (index, (a, b)) in a.iter().zip(b).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * b.abs().max(1.0),
            "{what}: {a} and {b} at {index}"
        );
    }
}

#[test]
fn probabilities_sum_to_one_over_distinct_neighbours() {
    let env = env(4);
    let graph = StateGraph::new(&*env);
    for conditioning in CONDITIONINGS {
        let spec = small_spec(conditioning);
        let mut backend = NativeBackend::new(env.clone(), &parameters(&spec, &*env, 2.0));
        for direction in [Direction::Forward, Direction::Backward] {
            let mut neighbours = Neighbours::new(env.state_width());
            direction.neighbours(&*env, &graph.states, &mut neighbours);
            for state in (0..graph.states.len()).filter(|&state| neighbours.list(state).len() > 1) {
                // One trajectory per neighbour, all making this one step.
                let mut choices = Choices::new(env.state_width());
                let row = choices.push_row(graph.states.row(state), 0, &neighbours, state);
                for edge in choices.row(row as usize) {
                    choices.step_row.push(row);
                    choices.step_edge.push(edge as u32);
                    choices.step_trajectory.push(edge as u32);
                    choices.step_place.push(0);
                }
                let n = choices.steps();
                let (mut forward, mut backward) = (Choices::new(env.state_width()), choices);
                if direction == Direction::Forward {
                    std::mem::swap(&mut forward, &mut backward);
                }
                let batch = Batch {
                    forward,
                    backward,
                    betas: vec![1.7],
                    beta_of: vec![0; n],
                    flows: None,
                };
                let out = backend.forward(&batch).unwrap();
                let sum: f32 = out.forward.iter().chain(&out.backward).map(|log_p| log_p.exp()).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{conditioning:?} {direction:?}: {sum}");
            }
        }
    }
}

#[test]
fn sampled_frequencies_agree_with_exact_probabilities() {
    let env = env(3);
    let graph = StateGraph::new(&*env);
    let samples = 20_000;
    for conditioning in CONDITIONINGS {
        let spec = small_spec(conditioning);
        let mut backend = NativeBackend::new(env.clone(), &parameters(&spec, &*env, 3.0));
        let beta = 2.5;
        let log_p = ExactPolicy::new(&graph, &spec)
            .log_probabilities(&*env, &mut backend, beta)
            .unwrap();
        let total: f64 = log_p.iter().map(|p| p.exp()).sum();
        assert!((total - 1.0).abs() < 1e-6, "P(x) sums to {total}");

        let mut streams: Vec<Stream> = (0..samples).map(|i| Stream::new(5, Purpose::Sample, 0, i)).collect();
        let mut starts = crate::env::States::new(env.state_width());
        starts.extend(streams.iter().map(|_| env.initial()));
        let mut walker = Walker::new(env.clone(), &spec, Direction::Forward);
        let betas = vec![beta; streams.len()];
        let walks = walker.walk(&mut backend, &starts, &betas, 0.0, &mut streams).unwrap();
        let mut counts = vec![0f64; graph.states.len()];
        let index: std::collections::HashMap<&[u8], usize> = graph.states.iter().zip(0..).collect();
        for walk in &walks {
            counts[index[&env.object_of(&walk.actions).unwrap()[..]]] += 1.0;
        }
        let expected = graph
            .complete
            .iter()
            .zip(&log_p)
            .map(|(&id, p)| (id, p.exp() * samples as f64));
        // χ² with 26 degrees of freedom exceeds 60 with probability 2e-4; the streams are fixed, so this cannot flake.
        let chi2: f64 = expected.map(|(id, e)| (counts[id as usize] - e).powi(2) / e).sum();
        assert!(chi2 < 60.0, "{conditioning:?}: χ² = {chi2}");
    }
}
