//! Weights made smaller for the wire, and back.
//!
//! Weights look random below their first bits, so bytes are put together by significance (all first bytes, then all
//! second ones …) before they are compressed, and what changes little from version to version is XORed away.

use super::{WeightsError, from_bytes, from_values, plain_size, sized, to_bytes};
use crate::config::WeightsFormat;
use crate::policy::{Layout, Parameters};
use crate::protocol::encode;
use crate::protocol::messages::{Blob, ToActor};
use crate::units::PolicyVersion;
use half::bf16;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Of zstd: higher ones take several times as long and gain a hundredth (`thermoflow bench weights`).
const LEVEL: i32 = 1;

/// Bytes of a weight in f32.
const PLANES: usize = size_of::<f32>();

/// Weights as they travel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Packed {
    /// Little-endian f32.
    F32(Blob),
    /// Little-endian bf16, rounded to the nearest, ties to even.
    Bf16(Blob),
    /// The bytes of the f32 by significance, compressed.
    Zstd(Blob),
    /// As `Zstd`, of the f32 XOR those of another version.
    Difference {
        /// Which other version.
        base: PolicyVersion,
        /// CRC-32C of the f32 that result.
        checksum: u32,
        /// The compressed bytes.
        data: Blob,
    },
}

impl Packed {
    /// Weights that stand for themselves; `plain` is as of [`to_bytes`].
    pub fn whole(format: WeightsFormat, plain: &[u8]) -> Self {
        match format {
            WeightsFormat::F32 => Self::F32(Blob(plain.to_vec())),
            WeightsFormat::Bf16 => Self::Bf16(Blob(
                values(plain)
                    .flat_map(|value| bf16::from_f32(value).to_le_bytes())
                    .collect(),
            )),
            WeightsFormat::Zstd | WeightsFormat::Difference => Self::Zstd(compress(&to_planes(plain))),
        }
    }

    /// Weights for who holds version `base`; both are as of [`to_bytes`] and equally long.
    pub fn difference(base: PolicyVersion, held: &[u8], plain: &[u8]) -> Self {
        Self::Difference {
            base,
            checksum: crc32c::crc32c(plain),
            data: compress(&to_planes(&xor(held, plain))),
        }
    }

    /// The version that these are a difference to.
    pub fn base(&self) -> Option<PolicyVersion> {
        match self {
            Self::Difference { base, .. } => Some(*base),
            _ => None,
        }
    }

    /// The weights; `held` are those that were unpacked before these.
    ///
    /// # Errors
    /// When they do not fit the policy or what is held.
    pub fn unpack(
        &self,
        layout: &Arc<Layout>,
        held: Option<(PolicyVersion, &Parameters)>,
    ) -> Result<Parameters, WeightsError> {
        let size = plain_size(layout);
        match self {
            Self::F32(Blob(bytes)) => from_bytes(layout, bytes),
            Self::Bf16(Blob(bytes)) => {
                sized(bytes, size / 2)?;
                let pairs = bytes.chunks_exact(2);
                from_values(
                    layout,
                    pairs.map(|pair| bf16::from_le_bytes([pair[0], pair[1]]).to_f32()),
                )
            }
            Self::Zstd(blob) => from_bytes(layout, &from_planes(&decompress(blob, size)?)),
            Self::Difference { base, checksum, data } => {
                let held = held.filter(|(version, _)| version == base);
                let (_, held) = held.ok_or(WeightsError::Base(*base))?;
                let plain = xor(&to_bytes(held), &from_planes(&decompress(data, size)?));
                if crc32c::crc32c(&plain) != *checksum {
                    return Err(WeightsError::Checksum);
                }
                from_bytes(layout, &plain)
            }
        }
    }
}

/// A version as messages for actors.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Which.
    pub version: PolicyVersion,
    /// For anybody, encoded.
    pub whole: Vec<u8>,
    /// For who holds that version, encoded; where it is shorter.
    pub difference: Option<(PolicyVersion, Vec<u8>)>,
}

/// Packs version after version.
#[derive(Debug)]
pub struct Packer {
    format: WeightsFormat,
    /// What was packed last, where it is needed.
    before: Option<(PolicyVersion, Arc<Vec<u8>>)>,
}

impl Packer {
    /// For weights in this format.
    pub fn new(format: WeightsFormat) -> Self {
        Self { format, before: None }
    }

    /// Packs the next version; `plain` is as of [`to_bytes`].
    pub fn pack(&mut self, version: PolicyVersion, progress: f32, plain: Arc<Vec<u8>>) -> Published {
        let message = |weights| {
            encode(&ToActor::Weights {
                version,
                progress,
                weights,
            })
        };
        let whole = message(Packed::whole(self.format, &plain));
        let before = self.before.as_ref().filter(|(_, held)| held.len() == plain.len());
        let difference = before
            .map(|(base, held)| (*base, message(Packed::difference(*base, held, &plain))))
            .filter(|(_, difference)| difference.len() < whole.len());
        if self.format == WeightsFormat::Difference {
            self.before = Some((version, plain));
        }
        Published {
            version,
            whole,
            difference,
        }
    }
}

fn values(plain: &[u8]) -> impl Iterator<Item = f32> {
    let value = |chunk: &[u8]| f32::from_le_bytes(chunk.try_into().expect("chunks have four bytes"));
    plain.chunks_exact(PLANES).map(value)
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// All first bytes of the numbers, then all second ones …
fn to_planes(plain: &[u8]) -> Vec<u8> {
    let plane = |place| plain.iter().skip(place).step_by(PLANES).copied();
    (0..PLANES).flat_map(plane).collect()
}

fn from_planes(planes: &[u8]) -> Vec<u8> {
    let count = planes.len() / PLANES;
    (0..count)
        .flat_map(|number| (0..PLANES).map(move |place| planes[place * count + number]))
        .collect()
}

fn compress(bytes: &[u8]) -> Blob {
    Blob(zstd::bulk::compress(bytes, LEVEL).expect("zstd compresses any bytes"))
}

/// Never allocates more than `size` bytes, whatever is claimed.
fn decompress(Blob(bytes): &Blob, size: usize) -> Result<Vec<u8>, WeightsError> {
    match zstd::bulk::decompress(bytes, size) {
        Ok(plain) if plain.len() == size => Ok(plain),
        _ => Err(WeightsError::Compressed { expected: size }),
    }
}
