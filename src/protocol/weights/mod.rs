//! Weights as actors get them: the forward policy only, because nothing else is needed to roll out.
//!
//! [`to_bytes`] and [`from_bytes`] are the plain form, little-endian f32. [`Packed`] is what travels: that, or something
//! shorter (`pack`), as `learner.weights` says.

mod pack;

pub use pack::{Packed, Packer, Published};

use crate::policy::{Group, Layout, Parameters};
use crate::units::PolicyVersion;
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
    /// They do not decompress to the size that the policy needs.
    #[error("the weights do not decompress to {expected} bytes")]
    Compressed {
        /// What was expected.
        expected: usize,
    },
    /// A difference to weights that are not held here.
    #[error("these weights are a difference to version {0}, which is not held here")]
    Base(PolicyVersion),
    /// A difference whose sum is not what was meant.
    #[error("the weights do not have their checksum")]
    Checksum,
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
    sized(bytes, plain_size(layout))?;
    let chunks = bytes.chunks_exact(size_of::<f32>());
    let value = |chunk: &[u8]| f32::from_le_bytes(chunk.try_into().expect("chunks have four bytes"));
    from_values(layout, chunks.map(value))
}

/// Parameters whose forward policy is `values`, as many as there are places.
fn from_values(layout: &Arc<Layout>, from: impl Iterator<Item = f32>) -> Result<Parameters, WeightsError> {
    let mut values = vec![0.0; layout.len()];
    let places = values[layout.group(Group::Forward)].iter_mut();
    for (number, (place, value)) in places.zip(from).enumerate() {
        if !value.is_finite() {
            return Err(WeightsError::NotFinite(number));
        }
        *place = value;
    }
    Ok(Parameters {
        layout: layout.clone(),
        values,
    })
}

/// Bytes of the forward policy in f32.
fn plain_size(layout: &Layout) -> usize {
    layout.group(Group::Forward).len() * size_of::<f32>()
}

fn sized(bytes: &[u8], expected: usize) -> Result<(), WeightsError> {
    if bytes.len() == expected {
        return Ok(());
    }
    Err(WeightsError::Size {
        bytes: bytes.len(),
        expected,
    })
}

#[cfg(test)]
mod tests;
