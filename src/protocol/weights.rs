//! Weights as actors get them: the forward policy only, little-endian f32. Nothing else is needed to roll out.

use crate::policy::{Group, Layout, Parameters};
use std::sync::Arc;

/// Why bytes are no weights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Not the number of bytes that the policy needs.
    #[error("the weights have {bytes} bytes, this policy has {expected}")]
    Size {
        /// What came.
        bytes: usize,
        /// What was expected.
        expected: usize,
    },
    /// Not a number.
    #[error("weight {0} is not finite")]
    NotFinite(usize),
}

/// The forward policy's numbers as bytes.
pub fn to_bytes(parameters: &Parameters) -> Vec<u8> {
    parameters
        .group(Group::Forward)
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Parameters whose forward policy is `bytes`; the other groups are zero.
///
/// # Errors
/// When length or values do not fit.
pub fn from_bytes(layout: &Arc<Layout>, bytes: &[u8]) -> Result<Parameters, WeightsError> {
    let range = layout.group(Group::Forward);
    let expected = range.len() * size_of::<f32>();
    if bytes.len() != expected {
        return Err(WeightsError::Size {
            bytes: bytes.len(),
            expected,
        });
    }
    let mut values = vec![0.0; layout.len()];
    let chunks = bytes.chunks_exact(size_of::<f32>());
    for (number, (value, chunk)) in values[range].iter_mut().zip(chunks).enumerate() {
        *value = f32::from_le_bytes(chunk.try_into().expect("chunks have four bytes"));
        if !value.is_finite() {
            return Err(WeightsError::NotFinite(number));
        }
    }
    Ok(Parameters {
        layout: layout.clone(),
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Sizes;
    use crate::policy::{Conditioning, PolicySpec};

    #[test]
    fn the_forward_policy_survives_and_anything_else_is_refused() {
        let layout = Layout::new(
            &PolicySpec::published(Conditioning::Logit),
            Sizes {
                features: 32,
                actions: 8,
            },
        );
        let parameters = Parameters::initial(layout.clone(), 7);
        let bytes = to_bytes(&parameters);
        let back = from_bytes(&layout, &bytes).unwrap();
        assert_eq!(back.group(Group::Forward), parameters.group(Group::Forward));
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
}
