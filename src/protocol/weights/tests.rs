//! Formats of weights on the wire, and who gets which.

use super::*;
use crate::config::WeightsFormat;
use crate::env::Sizes;
use crate::policy::{Conditioning, PolicySpec};
use crate::protocol::{Blob, ToActor, decode_to_actor};
use proptest::prelude::*;

const FORMATS: [WeightsFormat; 4] = [
    WeightsFormat::F32,
    WeightsFormat::Bf16,
    WeightsFormat::Zstd,
    WeightsFormat::Difference,
];

fn layout() -> Arc<Layout> {
    Layout::new(
        &PolicySpec::published(Conditioning::Logit),
        Sizes {
            features: 32,
            actions: 8,
        },
    )
}

fn forward(parameters: &Parameters) -> &[f32] {
    parameters.group(Group::Forward)
}

/// As after a small step of Adam.
fn next(parameters: &Parameters) -> Parameters {
    let step = |(number, value): (usize, &f32)| value + 1e-4 * (number as f32).sin();
    Parameters {
        layout: parameters.layout.clone(),
        values: parameters.values.iter().enumerate().map(step).collect(),
    }
}

#[test]
fn the_forward_policy_survives_and_anything_else_is_refused() {
    let layout = layout();
    let parameters = Parameters::initial(layout.clone(), 7);
    let bytes = to_bytes(&parameters);
    let back = from_bytes(&layout, &bytes).unwrap();
    assert_eq!(forward(&back), forward(&parameters));
    assert!(back.group(Group::Backward).iter().all(|&v| v == 0.0));

    let short = from_bytes(&layout, &bytes[1..]).unwrap_err();
    assert_eq!(
        short,
        WeightsError::Size {
            bytes: bytes.len() - 1,
            expected: bytes.len()
        }
    );
    let mut broken = bytes;
    broken[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(from_bytes(&layout, &broken).unwrap_err(), WeightsError::NotFinite(2));
}

#[test]
fn all_formats_but_bf16_keep_every_bit_and_bf16_eight() {
    let layout = layout();
    let parameters = Parameters::initial(layout.clone(), 7);
    let plain = to_bytes(&parameters);
    for format in FORMATS {
        let back = Packed::whole(format, &plain).unpack(&layout, None).unwrap();
        for (a, b) in forward(&back).iter().zip(forward(&parameters)) {
            let exact = format != WeightsFormat::Bf16;
            assert!(
                if exact {
                    a == b
                } else {
                    (a - b).abs() <= b.abs() / 256.0
                },
                "{a} {b}"
            );
        }
    }
    let tie = 1.0 + 1.0 / 256.0;
    let packed = Packed::whole(WeightsFormat::Bf16, &f32::to_le_bytes(tie));
    assert_eq!(packed, Packed::Bf16(Blob(vec![0x80, 0x3f])), "ties go to the even");
}

#[test]
fn versions_in_a_row_are_differences_for_who_holds_the_one_before() {
    let layout = layout();
    let first = Parameters::initial(layout.clone(), 7);
    let second = next(&first);
    let (a, b) = (PolicyVersion(4), PolicyVersion(9));
    let mut packer = Packer::new(WeightsFormat::Difference);
    assert!(packer.pack(a, 0.0, to_bytes(&first).into()).difference.is_none());
    let published = packer.pack(b, 0.5, to_bytes(&second).into());
    let (base, message) = published.difference.unwrap();
    assert_eq!(base, a);
    assert!(message.len() < published.whole.len() && published.whole.len() < to_bytes(&first).len());
    let ToActor::Weights { version, weights, .. } = decode_to_actor(&message).unwrap() else {
        panic!("weights")
    };
    assert_eq!((version, weights.base()), (b, Some(a)));
    assert_eq!(
        forward(&weights.unpack(&layout, Some((a, &first))).unwrap()),
        forward(&second)
    );
    let refused = |held| weights.unpack(&layout, held).unwrap_err();
    assert_eq!(refused(Some((b, &first))), WeightsError::Base(a));
    assert_eq!(refused(None), WeightsError::Base(a));
    let other = next(&second);
    let why = "an actor that holds something else under that number";
    assert_eq!(refused(Some((a, &other))), WeightsError::Checksum, "{why}");
}

#[test]
fn other_formats_publish_no_differences() {
    let parameters = Parameters::initial(layout(), 7);
    for format in [WeightsFormat::F32, WeightsFormat::Bf16, WeightsFormat::Zstd] {
        let mut packer = Packer::new(format);
        for version in 0..3 {
            let published = packer.pack(PolicyVersion(version), 0.0, to_bytes(&parameters).into());
            assert!(published.difference.is_none(), "{format:?}");
        }
    }
}

#[test]
fn what_claims_to_be_larger_is_not_decompressed() {
    let huge = zstd::bulk::compress(&vec![0; 1 << 24], 1).unwrap();
    let expected = plain_size(&layout());
    let refused = Packed::Zstd(Blob(huge)).unpack(&layout(), None).unwrap_err();
    assert_eq!(refused, WeightsError::Compressed { expected });
}

proptest! {
    #[test]
    fn any_bits_survive(values in proptest::collection::vec(any::<f32>(), 0..50), seed in any::<u64>()) {
        let layout = layout();
        let mut parameters = Parameters::initial(layout.clone(), seed);
        let start = layout.group(Group::Forward).start;
        parameters.values[start..start + values.len()].copy_from_slice(&values);
        let held = Parameters::initial(layout.clone(), seed.wrapping_add(1));
        let plain = to_bytes(&parameters);
        let version = PolicyVersion(1);
        let difference = Packed::difference(version, &to_bytes(&held), &plain);
        let bits = |unpacked: Result<Parameters, WeightsError>| unpacked.map(|it| to_bytes(&it));
        let expected = bits(from_bytes(&layout, &plain));
        prop_assert_eq!(bits(difference.unpack(&layout, Some((version, &held)))), expected.clone());
        prop_assert_eq!(bits(Packed::whole(WeightsFormat::Zstd, &plain).unpack(&layout, None)), expected);
    }
}
