//! Tests of policies, for every conditioning: against enumeration and finite differences. That both backends agree is
//! tested in `thermoflow-torch`, agreement with the published code (`golden/`) with the programs.

mod samples;

use super::*;
use crate::env::{GridEnv, Neighbours};
use crate::exact::{ExactPolicy, StateGraph};
use crate::objective::{Objective, Settings, Terms};
use crate::random::{Purpose, Stream};
use crate::rollout::Walker;
use samples::{CONDITIONINGS, env, every_spec, gradient_of, parameters, sampled, small_spec};

fn loss_with(backend: &mut dyn Backend, batch: &Batch, log_rewards: &[f32], objective: Objective) -> f64 {
    let log_probs = backend.forward(batch).unwrap();
    let terms = Terms::new(batch, &log_probs, log_rewards);
    objective.loss(&terms, &Settings::default()).loss
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

/// Invariant: more threads, the same results to the bit. Products of the published size are large enough to be split.
#[test]
fn more_threads_change_nothing() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let env = env(5);
    let published = PolicySpec::published(Conditioning::Logit);
    for (objective, spec) in every_spec()
        .into_iter()
        .chain([(Objective::TRAJECTORY_BALANCE, published)])
    {
        let at = parameters(&spec, &*env, 2.0);
        let mut one = NativeBackend::new(env.clone(), &at);
        let mut two = NativeBackend::new(env.clone(), &at);
        let (batch, log_rewards) = sampled(&mut one, &env, &spec, 32);
        let forward = pool.install(|| two.forward(&batch)).unwrap();
        assert_eq!(one.forward(&batch).unwrap(), forward);
        let of = |backend| gradient_of(backend, &batch, &log_rewards, objective, at.values.len());
        assert_eq!(of(&mut one), pool.install(|| of(&mut two)), "{objective} {spec:?}");
    }
}

/// What a roll-out projected serves the step on what was rolled out, and none after it.
#[test]
fn a_shared_backend_computes_what_two_do() {
    let env = env(5);
    let spec = PolicySpec {
        hidden: 512,
        embed: 300,
        ..small_spec(Conditioning::Logit)
    };
    let mut at = parameters(&spec, &*env, 2.0);
    let objective = Objective::TRAJECTORY_BALANCE;
    let [mut rolls, mut trains] = shared(env.clone(), &at);
    let mut alone = NativeBackend::new(env.clone(), &at);
    for _ in 0..2 {
        // The other one knows nothing of this roll-out.
        let (batch, log_rewards) = sampled(&mut *rolls, &env, &spec, 8);
        let step = |backend: &mut dyn Backend| {
            backend.load(&at).unwrap();
            let log_p = backend.forward(&batch).unwrap();
            let gradient = gradient_of(backend, &batch, &log_rewards, objective, at.values.len());
            (log_p, gradient)
        };
        let (shared, alone) = (step(&mut *trains), step(&mut alone));
        let pairs = shared.0.forward.iter().zip(&alone.0.forward);
        let mut pairs = pairs.chain(shared.1.iter().zip(&alone.1));
        assert!(pairs.all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(1.0)));
        at.values.iter_mut().for_each(|value| *value *= 0.9);
        rolls.load(&at).unwrap();
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
