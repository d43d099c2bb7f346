//! Both backends against each other, for every objective and conditioning.
//!
//! `THERMOFLOW_TEST_DEVICE` names the device of this one (default `cpu-torch`).

#[path = "../../src/policy/tests/samples.rs"]
mod samples;

use samples::{env, every_spec, gradient_of, parameters, sampled};
use std::sync::Arc;
use thermoflow::env::Environment;
use thermoflow::objective::Objective;
use thermoflow::policy::{Backend, Direction, NativeBackend, Parity, PolicySpec, backend};

fn other_device() -> String {
    crate::install();
    let device = std::env::var("THERMOFLOW_TEST_DEVICE").unwrap_or_else(|_| "cpu-torch".into());
    eprintln!("backends: cpu (native) against {device}");
    device
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
