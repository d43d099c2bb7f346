//! Tests of tensor files.

use super::*;
use crate::policy::Conditioning;
use std::path::PathBuf;

fn golden(name: &str) -> (PathBuf, Vec<u8>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}_s1.safetensors"));
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

const GOLDEN: [(&str, Conditioning); 6] = [
    ("unconditional_tb", Conditioning::Unconditional),
    ("logit_tb", Conditioning::Logit),
    ("logit_db", Conditioning::Logit),
    ("layer_tb", Conditioning::Layer),
    ("layer-thermometer_tb", Conditioning::LayerThermometer),
    ("logit-layer_tb", Conditioning::LogitLayer),
];

const SIZES: Sizes = Sizes {
    features: 8,
    actions: 4,
};

fn small() -> Parameters {
    let spec = PolicySpec {
        hidden: 6,
        embed: 4,
        beta_hidden: 3,
        ..PolicySpec::published(Conditioning::Logit)
    };
    Parameters::initial(Layout::new(&spec, SIZES), 1)
}

/// A file with one tensor changed, added or (None) removed.
fn changed(name: &str, tensor: Option<(Dtype, Vec<usize>, Vec<u8>)>) -> Vec<u8> {
    let bytes = encode_policy(&small(), "tfbind8", PolicyVersion(3)).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let kept = file.tensors().into_iter().filter(|(other, _)| other != name);
    let mut all: Vec<_> = kept
        .map(|(n, v)| (n, (v.dtype(), v.shape().to_vec(), v.data().to_vec())))
        .collect();
    all.extend(tensor.map(|tensor| (name.to_owned(), tensor)));
    let views = all
        .iter()
        .map(|(n, (d, s, b))| (n.as_str(), TensorView::new(*d, s.clone(), b).unwrap()));
    safetensors::serialize(views, header.metadata().clone()).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    decode_policy(bytes, Path::new("p.safetensors"), None)
        .unwrap_err()
        .to_string()
}

#[test]
fn every_golden_file_is_recognised_and_read() {
    for (name, conditioning) in GOLDEN {
        let (path, bytes) = golden(name);
        let guessed = decode_policy(&bytes, &path, None).unwrap();
        let expected = PolicySpec {
            state_flow: name == "logit_db",
            ..PolicySpec::published(conditioning)
        };
        assert_eq!(
            (
                &guessed.parameters.layout.spec,
                guessed.parameters.layout.sizes.features
            ),
            (&expected, 32),
            "{name}"
        );
        assert_eq!(guessed.meta, None);
        let told = Sizes {
            features: 32,
            actions: 0,
        };
        let told = decode_policy(&bytes, &path, Some((&expected, told))).unwrap();
        assert_eq!(told.parameters.values, guessed.parameters.values);
    }
}

#[test]
fn what_is_written_has_the_names_shapes_and_bytes_of_the_golden_file() {
    for (name, _) in GOLDEN.into_iter().filter(|(name, _)| *name != "logit_db") {
        let (path, bytes) = golden(name);
        let loaded = decode_policy(&bytes, &path, None).unwrap();
        let written = encode_policy(&loaded.parameters, "tfbind8", PolicyVersion(12)).unwrap();
        let (ours, theirs) = (
            SafeTensors::deserialize(&written).unwrap(),
            SafeTensors::deserialize(&bytes).unwrap(),
        );
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (tensor, view) in theirs.iter() {
            assert_eq!(ours.tensor(tensor).unwrap(), view, "{name}: {tensor}");
        }
        let again = decode_policy(&written, &path, None).unwrap();
        let meta = again.meta.unwrap();
        assert_eq!(
            (meta.task.as_str(), meta.sizes.features, meta.policy_version),
            ("tfbind8", 32, PolicyVersion(12))
        );
        assert_eq!(meta.spec, loaded.parameters.layout.spec);
    }
}

#[test]
fn optimiser_state_comes_back() {
    let parameters = small();
    let layout = &parameters.layout;
    let second = parameters.values.iter().map(|v| v * v).collect();
    let state = AdamState {
        step: 77,
        first: parameters.values.clone(),
        second,
    };
    let bytes = encode_optimizer(&state, layout).unwrap();
    assert_eq!(decode_optimizer(&bytes, Path::new("o"), layout).unwrap(), state);
    let names = SafeTensors::deserialize(&bytes).unwrap().names().len();
    assert_eq!(names, 2 * layout.tensors.len());
    let error = decode_policy(&bytes, Path::new("o"), Some((&layout.spec, SIZES)))
        .unwrap_err()
        .to_string();
    assert!(error.contains("exp_avg"), "{error}");
    let no_step = encode_policy(&parameters, "t", PolicyVersion(0)).unwrap();
    assert!(decode_optimizer(&no_step, Path::new("o"), layout).is_err());
}

#[test]
fn a_wrong_tensor_is_named() {
    let name = "backward.scorer.0.weight";
    for (bytes, expected) in [
        (
            changed(name, None),
            "has no tensor backward.scorer.0.weight, which this policy needs with shape [6, 8]",
        ),
        (
            changed(name, Some((Dtype::F32, vec![8, 6], vec![0; 192]))),
            "scorer.0.weight of p.safetensors has shape [8, 6]",
        ),
        (
            changed(name, Some((Dtype::F16, vec![6, 8], vec![0; 96]))),
            "scorer.0.weight of p.safetensors holds F16",
        ),
        (
            changed("forward.scorer.9.bias", Some((Dtype::F32, vec![1], vec![0; 4]))),
            "forward.scorer.9.bias that a logit",
        ),
        (
            changed(
                "log_z.4.bias",
                Some((Dtype::F32, vec![1], f32::NAN.to_le_bytes().into())),
            ),
            "0 of tensor log_z.4.bias",
        ),
    ] {
        let message = refusal(&bytes);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_file_that_is_no_policy_is_refused() {
    let good = encode_policy(&small(), "tfbind8", PolicyVersion(3)).unwrap();
    assert!(refusal(b"").contains("not a safetensors file"));
    assert!(refusal(&[0xff; 100]).contains("not a safetensors file"));
    assert!(refusal(&good[..good.len() - 1]).contains("not a safetensors file"));
    let view = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
    let other = safetensors::serialize([("w", view)], None).unwrap();
    assert!(refusal(&other).contains("there is no forward.encoder.0.weight"));
    let text = String::from_utf8_lossy(&good).into_owned();
    assert!(text.contains("\\\"hidden\\\":6"));
    let at = good.windows(12).position(|w| w == b"conditioning").unwrap();
    let mut broken = good.clone();
    broken[at] = b'X';
    assert!(refusal(&broken).contains("spec ="), "{}", refusal(&broken));
}

#[test]
fn another_spec_than_the_files_is_refused_by_the_first_tensor_that_differs() {
    let bytes = encode_policy(&small(), "tfbind8", PolicyVersion(3)).unwrap();
    let spec = PolicySpec {
        embed: 5,
        ..small().layout.spec.clone()
    };
    let message = decode_policy(&bytes, Path::new("p"), Some((&spec, SIZES)))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("forward.encoder.2.weight") && message.contains("needs [5, 6]"),
        "{message}"
    );
    let huge = PolicySpec {
        hidden: usize::MAX,
        ..spec
    };
    assert!(decode_policy(&bytes, Path::new("p"), Some((&huge, SIZES))).is_err());
}

#[test]
fn a_policy_that_scores_actions_is_read_as_it_was_written() {
    let spec = PolicySpec {
        parameterization: Parameterization::StateAction,
        layers: 3,
        ..small().layout.spec.clone()
    };
    let written = Parameters::initial(Layout::new(&spec, SIZES), 1);
    assert_eq!(written.layout.tensor("forward.head.weight").shape, [SIZES.actions, 6]);
    let bytes = encode_policy(&written, "t", PolicyVersion(0)).unwrap();
    let read = decode_policy(&bytes, Path::new("p"), None).unwrap();
    assert_eq!(
        (&read.parameters.values, &read.parameters.layout),
        (&written.values, &written.layout)
    );
    let other = Sizes { actions: 5, ..SIZES };
    let message = decode_policy(&bytes, Path::new("p"), Some((&spec, other)))
        .unwrap_err()
        .to_string();
    assert!(message.contains("forward.head.weight"), "{message}");
}

#[test]
fn numbers_that_are_not_finite_are_never_written() {
    let mut parameters = small();
    let place = parameters.layout.tensor("backward.encoder.0.bias").offset + 2;
    parameters.values[place] = f32::INFINITY;
    let message = encode_policy(&parameters, "t", PolicyVersion(0))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("element 2 of tensor backward.encoder.0.bias is inf"),
        "{message}"
    );
    let short = Parameters {
        values: vec![0.0; 3],
        ..parameters
    };
    assert!(matches!(
        encode_policy(&short, "t", PolicyVersion(0)),
        Err(CheckpointError::Length { found: 3, .. })
    ));
}
