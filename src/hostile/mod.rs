//! Everything that reads bytes of others, as functions of bytes: what `fuzz/` calls with millions of inputs, and a test
//! with every input in `fuzz/seeds/`. Not in the programs.
//!
//! Each reads `bytes` as far as the real reader would go on to believe them, and panics when something holds no longer
//! that must: a function that returns has passed.

mod learner;
mod links;
mod relays;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;

pub use learner::to_learner;
pub use links::{secure, to_actor};
pub use relays::{from_relay, to_relay};

use crate::checkpoint::{self, TrainerState};
use crate::config::{RawConfig, RunConfig, from_text};
use crate::env::{Growth, SequenceEnv, Sizes};
use crate::policy::{Conditioning, Layout, Parameters, PolicySpec};
use crate::protocol::Blob;
use crate::protocol::weights::{self, Packed};
use crate::replay::encoding::{decode_actions, encode_actions};
use crate::task::blocks::{BlockData, KINDS};
use crate::task::import::pickle;
use crate::task::oracle::TableFile;
use crate::task::oracle::program::{answer, lines};
use crate::units::PolicyVersion;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A file name for messages.
const FILE: &str = "hostile";

/// The smallest policy there is.
fn small_layout() -> &'static Arc<Layout> {
    static LAYOUT: OnceLock<Arc<Layout>> = OnceLock::new();
    LAYOUT.get_or_init(|| {
        let spec = PolicySpec {
            hidden: 1,
            embed: 1,
            beta_hidden: 1,
            ..PolicySpec::published(Conditioning::Logit)
        };
        Layout::new(
            &spec,
            Sizes {
                features: 1,
                actions: 1,
            },
        )
    })
}

/// Weights as an actor gets them.
pub fn weights(bytes: &[u8]) {
    let layout = small_layout();
    if let Ok(parameters) = weights::from_bytes(layout, bytes) {
        assert_eq!(weights::to_bytes(&parameters), bytes);
    }
    let held = Parameters::initial(layout.clone(), 7);
    let (base, checksum) = (PolicyVersion(0), 0);
    let data = Blob(bytes.to_vec());
    let difference = Packed::Difference {
        base,
        checksum,
        data: data.clone(),
    };
    for packed in [Packed::Bf16(data.clone()), Packed::Zstd(data), difference] {
        if let Ok(parameters) = packed.unpack(layout, Some((base, &held))) {
            assert!(parameters.is_finite());
        }
    }
}

/// Actions as they lie in the replay.
pub fn replay_actions(bytes: &[u8]) {
    if let Some(actions) = decode_actions(bytes) {
        let mut again = Vec::new();
        encode_actions(&actions, &mut again);
        assert!(again.len() <= bytes.len());
        assert_eq!(decode_actions(&again), Some(actions));
    }
}

/// Any file of a checkpoint.
pub fn checkpoint(bytes: &[u8]) {
    let (path, layout) = (Path::new(FILE), small_layout());
    if let Ok(policy) = checkpoint::decode_policy(bytes, path, None) {
        assert!(policy.parameters.is_finite());
        checkpoint::encode_policy(&policy.parameters, "", PolicyVersion(0)).expect("what was read can be written");
    }
    let _ = checkpoint::decode_policy(bytes, path, Some((&layout.spec, layout.sizes)));
    if let Ok(state) = checkpoint::decode_optimizer(bytes, path, layout) {
        checkpoint::encode_optimizer(&state, layout).expect("what was read can be written");
    }
    let _ = checkpoint::seal::parse(bytes);
    let _ = serde_json::from_slice::<TrainerState>(bytes);
}

/// The authors' pickles, and our own files of what was in them.
pub fn pickle(bytes: &[u8]) {
    let _ = pickle::strings(bytes);
    let _ = pickle::trees(bytes);
    if let Ok(scores) = pickle::scores(bytes) {
        assert!(scores.values().all(|score| score.is_finite()));
    }
    for kind in KINDS {
        if let Ok(data) = BlockData::read(kind, bytes) {
            assert_eq!(BlockData::read(kind, &data.write(kind)).unwrap(), data);
        }
    }
}

/// A configuration file, and a configuration in a welcome.
pub fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let path = Path::new(FILE);
    let read = |text: &str| from_text(path, text, &[], &RawConfig::default());
    if let Ok(config) = read(text) {
        let again = read(&config.to_toml()).expect("what was read can be read again");
        assert_eq!(again.to_toml(), config.to_toml());
    }
    if let Ok(config) = serde_json::from_str::<RunConfig>(text)
        && config.check().is_ok()
    {
        config.to_toml();
    }
}

/// What an oracle program writes.
pub fn oracle_line(bytes: &[u8]) {
    for line in lines::lines(bytes, 100) {
        let (lines::Line::Whole(line) | lines::Line::Cut(line)) = line;
        if let Ok(Some(scores)) = answer::read(&line, 7, 3) {
            assert!(scores.len() == 3 && scores.iter().all(|y| y.is_finite() || y.is_nan()));
        }
    }
}

/// A table of a user's own.
pub fn table(bytes: &[u8]) {
    static ENV: OnceLock<SequenceEnv> = OnceLock::new();
    let env = ENV.get_or_init(|| SequenceEnv::new("ACGT", 3, Growth::PrependAppend));
    let _ = TableFile::read(bytes, env);
}
