//! Agreement with the values that the published code computed (`tests/golden/`), through the command line.

use super::thermoflow;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Relative tolerances, of max(|value|, 1).
const VALUE: f64 = 1e-4;
const GRADIENT: f64 = 1e-3;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

/// Runs on the device under test, and on libtorch's CPU as well.
fn run_on(device: &str, arguments: &[&str]) -> Value {
    eprintln!("golden values on {device}");
    let output = thermoflow()
        .args(arguments)
        .args(["--json", "--device", device])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn devices() -> [String; 2] {
    let other = std::env::var("THERMOFLOW_TEST_DEVICE").unwrap_or_else(|_| "cpu-torch".into());
    ["cpu".into(), other]
}

fn assert_close(found: &Value, expected: &Value, tolerance: f64, what: &str) {
    let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
    assert!(
        (found - expected).abs() <= tolerance * expected.abs().max(1.0),
        "{what}: {found}, published {expected}"
    );
}

fn assert_all_close(found: &Value, expected: &Value, what: &str) {
    let (found, expected) = (found.as_array().unwrap(), expected.as_array().unwrap());
    assert_eq!(found.len(), expected.len(), "{what}");
    found
        .iter()
        .zip(expected)
        .for_each(|(f, e)| assert_close(f, e, VALUE, what));
}

fn scores_agree(name: &str) {
    let (weights, input) = (golden(&format!("{name}.safetensors")), golden(&format!("{name}.json")));
    let (weights, input) = (weights.to_str().unwrap(), input.to_str().unwrap());
    let expected = read(&format!("{name}.json"));
    for device in devices() {
        let found = run_on(
            &device,
            &["score", "--checkpoint", weights, "--input", input, "--gradients"],
        );
        for key in ["log_z", "log_pf", "log_pb"] {
            assert_all_close(&found[key], &expected[key], key);
        }
        assert_close(&found["loss"], &expected["loss"], VALUE, "loss");
        assert_close(
            &found["loss_after_one_step"],
            &expected["loss_after_one_step"],
            GRADIENT,
            "loss after one step",
        );
        let (norms, published) = (
            found["grad_norm"].as_object().unwrap(),
            expected["grad_norm"].as_object().unwrap(),
        );
        assert_eq!(norms.len(), published.len());
        for (tensor, norm) in published {
            assert_close(&norms[tensor], norm, GRADIENT, tensor);
        }
    }
}

#[test]
fn unconditional_agrees() {
    scores_agree("unconditional_tb_s1");
}

#[test]
fn logit_agrees() {
    scores_agree("logit_tb_s1");
}

#[test]
fn detailed_balance_agrees() {
    scores_agree("logit_db_s1");
}

#[test]
fn layer_agrees() {
    scores_agree("layer_tb_s1");
}

#[test]
fn layer_thermometer_agrees() {
    scores_agree("layer-thermometer_tb_s1");
}

#[test]
fn logit_layer_agrees() {
    scores_agree("logit-layer_tb_s1");
}

#[test]
fn exact_metrics_agree() {
    for name in ["logit_tb_s1", "layer_tb_s1"] {
        let expected = read(&format!("{name}.exact.json"));
        let expected = expected["results"].as_array().unwrap();
        let betas: Vec<String> = expected.iter().map(|row| row["beta"].to_string()).collect();
        let weights = golden(&format!("{name}.safetensors"));
        let arguments = [
            "evaluate",
            "--checkpoint",
            weights.to_str().unwrap(),
            "--exact",
            "--beta",
            &betas.join(","),
        ];
        for device in devices() {
            let found = run_on(&device, &arguments);
            for (found, expected) in found["results"].as_array().unwrap().iter().zip(expected) {
                for (key, value) in expected.as_object().unwrap() {
                    assert_close(&found[key], value, VALUE, key);
                }
            }
        }
    }
}
