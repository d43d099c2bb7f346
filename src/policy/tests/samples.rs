//! Small policies and batches, for tests of backends here and in `thermoflow-torch`.

use std::sync::Arc;
use thermoflow::env::{Environment, Growth, SequenceEnv};
use thermoflow::objective::{KINDS, Objective, Settings};
use thermoflow::policy::{
    Backend, BackwardPolicy, Batch, Conditioning, Direction, Layout, LogitScale, Parameterization, Parameters,
    PolicySpec,
};
use thermoflow::random::{Purpose, Stream};
use thermoflow::rollout::{Paths, Walker};

pub const CONDITIONINGS: [Conditioning; 5] = [
    Conditioning::Unconditional,
    Conditioning::Logit,
    Conditioning::Layer,
    Conditioning::LayerThermometer,
    Conditioning::LogitLayer,
];

/// H and E with which weights are folded never, always, and for targets of P_F alone (`native/projection.rs`). Odd sizes, so
/// that the kernels' remainders are tested too.
const SIZES: [(usize, usize); 3] = [(21, 9), (21, 17), (31, 16)];

/// Of the first sizes.
pub fn small_spec(conditioning: Conditioning) -> PolicySpec {
    PolicySpec {
        hidden: SIZES[0].0,
        embed: SIZES[0].1,
        beta_hidden: 5,
        thermometer_bins: 4,
        ..PolicySpec::published(conditioning)
    }
}

/// Words are among the features, which changes nothing for shorter strings.
pub fn env(length: usize) -> Arc<dyn Environment> {
    Arc::new(SequenceEnv::new("ACG", length, Growth::PrependAppend).with_words(2))
}

pub fn parameters(spec: &PolicySpec, env: &dyn Environment, scale: f32) -> Parameters {
    let mut parameters = Parameters::initial(Layout::new(spec, env.sizes()), 7);
    parameters.values.iter_mut().for_each(|v| *v *= scale);
    parameters
}

/// Random walks with their β and made-up rewards.
pub fn sampled(
    backend: &mut dyn Backend,
    env: &Arc<dyn Environment>,
    spec: &PolicySpec,
    n: usize,
) -> (Batch, Vec<f32>) {
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
    let mut starts = thermoflow::env::States::new(env.state_width());
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

pub fn gradient_of(
    backend: &mut dyn Backend,
    batch: &Batch,
    log_rewards: &[f32],
    objective: Objective,
    len: usize,
) -> Vec<f32> {
    let mut gradient = vec![0.0; len];
    let objective = (objective, &Settings::default());
    thermoflow::trainer::loss_and_gradient(backend, batch, log_rewards, objective, &mut gradient).unwrap();
    gradient
}

/// Every objective with every conditioning, both kinds of scale where there is one, and scores of edges and of actions.
pub fn every_spec() -> Vec<(Objective, PolicySpec)> {
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
                let of_edges = SIZES.map(|(hidden, embed)| PolicySpec {
                    hidden,
                    embed,
                    ..of_edges.clone()
                });
                let all = of_edges.into_iter().chain([of_actions]);
                specs.extend(all.map(|spec| (Objective::find(kind.name).unwrap(), spec)));
            }
        }
    }
    specs
}
