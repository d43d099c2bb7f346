//! Messages to bytes and back. What comes back is well-formed and within limits, not yet believed: `check` does that.
//!
//! Invariant: no allocation is larger than the message justifies. A message's size is checked first; MessagePack
//! strings and bytes are taken only when they are really there; lists are counted after they were read element by
//! element.

use super::envelope::{self, Kind};
use super::messages::{Hello, ToActor, ToLearner, Welcome};
use super::secure::Refusal;
use crate::units::Incarnation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Largest message from an actor, bytes: [`MAX_BATCH`] trajectories of 256 steps fit.
pub const MAX_TO_LEARNER: usize = 4 << 20;

/// Largest message from the learner, bytes: weights with hidden size 4096 fit.
pub const MAX_TO_ACTOR: usize = 256 << 20;

/// Most trajectories in one message; a larger roll-out is sent in several.
pub const MAX_BATCH: usize = 4096;

/// Longest name (of an actor, a host, a device, a run), bytes.
pub(super) const MAX_NAME: usize = 128;

/// Longest text (a config, a reason), bytes.
const MAX_TEXT: usize = 1 << 20;

/// Nesting of lists and maps; real messages have at most seven.
const MAX_DEPTH: usize = 16;

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not from Thermoflow at all.
    #[error("these bytes are no Thermoflow message")]
    Foreign,
    /// From another version of Thermoflow.
    #[error(
        "the other side speaks protocol {theirs}, this program speaks {}: use the same version on both",
        envelope::PROTOCOL
    )]
    Protocol {
        /// Its protocol.
        theirs: u8,
    },
    /// Not of the kind that is due, or of one that does not exist yet.
    #[error("a message of kind {0} is not expected here (0 is plain, 4 is sealed with a key)")]
    Kind(u8),
    /// In place of a message: the learner does not talk to who has no key, or not the right one.
    #[error("the learner {0}")]
    Refusal(Refusal),
    /// Too long.
    #[error("the message has {size} bytes, at most {limit} are allowed")]
    Size {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The body does not decode.
    #[error("the message is malformed: {0}")]
    Malformed(String),
    /// A list or text within the message is too long.
    #[error("{what} has length {length}, at most {limit} is allowed")]
    Length {
        /// Which.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

impl WireError {
    /// True for a message of ours in clear, in the place of something else.
    pub(super) fn is_in_clear(&self) -> bool {
        matches!(self, Self::Kind(kind) if [Kind::Plain as u8, Kind::Relay as u8].contains(kind))
    }
}

/// A message as bytes.
///
/// # Panics
/// Never for the messages of this module: they serialize, and memory does not fail.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    encode_as(Kind::Plain, 256, message)
}

/// A message of this kind, of about `capacity` bytes.
pub(super) fn encode_as<T: Serialize>(kind: Kind, capacity: usize, message: &T) -> Vec<u8> {
    let mut bytes = envelope::begin(kind, capacity);
    rmp_serde::encode::write(&mut bytes, message).expect("messages serialize to memory");
    bytes
}

/// A message from an actor.
///
/// # Errors
/// When the bytes are no such message or break a limit.
pub fn decode_to_learner(bytes: &[u8]) -> Result<ToLearner, WireError> {
    let message = decode(Kind::Plain, bytes, MAX_TO_LEARNER)?;
    match &message {
        ToLearner::Hello(Hello { name, host, device, .. }) => {
            limit("actor name", name.len(), MAX_NAME)?;
            limit("host name", host.len(), MAX_NAME)?;
            limit("device name", device.len(), MAX_NAME)?;
        }
        ToLearner::Trajectories { batch, .. } => limit("batch", batch.len(), MAX_BATCH)?,
        ToLearner::WantWeights { .. } | ToLearner::Heartbeat(_) | ToLearner::Goodbye => {}
    }
    Ok(message)
}

/// A message from the learner.
///
/// # Errors
/// When the bytes are no such message or break a limit.
pub fn decode_to_actor(bytes: &[u8]) -> Result<ToActor, WireError> {
    let message = decode(Kind::Plain, bytes, MAX_TO_ACTOR)?;
    match &message {
        ToActor::Welcome(welcome) => {
            let Welcome { run, config, .. } = &**welcome;
            limit("run id", run.len(), MAX_NAME)?;
            limit("config", config.len(), MAX_TEXT)?;
        }
        ToActor::Refused { reason } => limit("reason", reason.len(), MAX_TEXT)?,
        ToActor::Work { indices, .. } => limit("work", indices.len(), u32::MAX as usize)?,
        _ => {}
    }
    Ok(message)
}

/// The actor that a message to the learner says to come from, if it is a hello. Whatever [`decode_to_learner`] takes for one
/// is one here; nothing else of it is checked.
pub(super) fn said_hello(bytes: &[u8]) -> Option<Incarnation> {
    #[derive(Deserialize)]
    enum ToLearner {
        Hello(Hello),
    }
    let message = decode(Kind::Plain, bytes, MAX_TO_LEARNER);
    message.ok().map(|ToLearner::Hello(hello)| hello.incarnation)
}

/// A message of this kind with at most `limit` bytes.
pub(super) fn decode<T: DeserializeOwned>(kind: Kind, bytes: &[u8], limit: usize) -> Result<T, WireError> {
    if bytes.len() > limit {
        return Err(WireError::Size {
            size: bytes.len(),
            limit,
        });
    }
    let body = envelope::expect(kind, bytes)?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(body);
    deserializer.set_max_depth(MAX_DEPTH);
    T::deserialize(&mut deserializer).map_err(|e| WireError::Malformed(e.to_string()))
}

/// Refuses what is too long.
pub(super) fn limit(what: &'static str, length: usize, limit: usize) -> Result<(), WireError> {
    if length > limit {
        Err(WireError::Length { what, length, limit })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;
    use crate::protocol::example::{example_config, example_fleet, example_hello, example_task, example_trajectory};
    use crate::protocol::messages::{ActorStatus, Blob, Waiting};
    use crate::protocol::weights::Packed;
    use crate::protocol::{Fleet, FleetEvent, Route};
    use crate::task::oracle::OracleHealth;
    use crate::units::{PolicyVersion, Seq};
    use proptest::prelude::*;
    use std::time::Duration;

    fn to_learner() -> Vec<ToLearner> {
        vec![
            ToLearner::Hello(example_hello()),
            ToLearner::Trajectories {
                first: Seq(0),
                batch: (0..3).map(|i| example_trajectory(0, i)).collect(),
            },
            ToLearner::WantWeights {
                have: Some(PolicyVersion(7)),
            },
            ToLearner::Heartbeat(ActorStatus {
                rolled: 1,
                outbox: 2,
                waiting: Waiting::Acks,
                oracle: OracleHealth {
                    calls: 3,
                    failed: 1,
                    ..OracleHealth::default()
                },
            }),
            ToLearner::Goodbye,
        ]
    }

    fn to_actor() -> Vec<ToActor> {
        let [run, config] = ["r", "{}"].map(String::from);
        let attachment = Some(Blob(vec![1, 2, 3]));
        let newest = Some(PolicyVersion(4));
        vec![
            ToActor::Welcome(Box::new(Welcome {
                run,
                config,
                attachment,
                next: Seq(3),
                newest,
            })),
            ToActor::Ack {
                next: Seq(9),
                resend: true,
                newest,
            },
            ToActor::Work {
                round: 3,
                indices: 1..4,
                version: PolicyVersion(3),
            },
            ToActor::Weights {
                version: PolicyVersion(3),
                progress: 0.5,
                weights: Packed::F32(Blob(vec![0; 300])),
            },
            ToActor::Heartbeat { newest: None },
            ToActor::Stranger,
            ToActor::Refused { reason: "no".into() },
            ToActor::Finished,
            ToActor::Farewell,
        ]
    }

    #[test]
    fn messages_survive_the_wire() {
        for message in to_learner() {
            assert_eq!(decode_to_learner(&encode(&message)).unwrap(), message);
        }
        for message in to_actor() {
            assert_eq!(decode_to_actor(&encode(&message)).unwrap(), message);
        }
        let weights = encode(&ToActor::Weights {
            version: PolicyVersion(1),
            progress: 0.0,
            weights: Packed::F32(Blob(vec![200; 10_000])),
        });
        assert!(weights.len() < 10_100, "bytes travel as bytes: {}", weights.len());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let mut bytes = encode(&ToLearner::Goodbye);
        assert_eq!(decode_to_learner(b"GET / HTTP/1.1"), Err(WireError::Foreign));
        assert_eq!(decode_to_learner(b"").unwrap_err(), WireError::Foreign);
        bytes[3] = 1;
        assert_eq!(decode_to_learner(&bytes), Err(WireError::Kind(1)));
        bytes[2] = 77;
        assert_eq!(decode_to_learner(&bytes), Err(WireError::Protocol { theirs: 77 }));
        let long = vec![0; MAX_TO_LEARNER + 1];
        assert!(matches!(decode_to_learner(&long), Err(WireError::Size { .. })));
        let name = "x".repeat(MAX_NAME + 1);
        let long = encode(&ToLearner::Hello(Hello {
            name,
            ..example_hello()
        }));
        assert!(matches!(
            decode_to_learner(&long),
            Err(WireError::Length { what: "actor name", .. })
        ));
        let batch = vec![example_trajectory(0, 0); MAX_BATCH + 1];
        let long = encode(&ToLearner::Trajectories { first: Seq(0), batch });
        assert!(matches!(
            decode_to_learner(&long),
            Err(WireError::Length { what: "batch", .. })
        ));
    }

    /// A list, text or byte string that claims 2³² elements and has none must not be allocated for.
    #[test]
    fn claimed_lengths_are_not_allocated() {
        for claim in [
            [0xdd, 255, 255, 255, 255],
            [0xdb, 255, 255, 255, 255],
            [0xc6, 255, 255, 255, 255],
        ] {
            let body = [b"\x81\xacTrajectories\x92\x00".as_slice(), &claim].concat();
            let bytes = [&envelope::begin(Kind::Plain, 0)[..], &body].concat();
            assert!(matches!(decode_to_learner(&bytes), Err(WireError::Malformed(_))));
            let body = [b"\x81\xa7Weights\x93\x00\x00".as_slice(), &claim].concat();
            let bytes = [&envelope::begin(Kind::Plain, 0)[..], &body].concat();
            assert!(matches!(decode_to_actor(&bytes), Err(WireError::Malformed(_))));
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..400), header in any::<bool>()) {
            let bytes = if header { [&envelope::begin(Kind::Plain, 0)[..], &body].concat() } else { body };
            let _ = decode_to_learner(&bytes);
            let _ = decode_to_actor(&bytes);
        }

        /// Whatever a changed message decodes to, the learner's session takes it without a panic, and commits only
        /// what it checked.
        #[test]
        fn changed_messages_never_panic(
            which in 0usize..5,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
            mode in prop_oneof![Just(Mode::Sync), Just(Mode::Async)],
        ) {
            let mut bytes = encode(&to_learner()[which]);
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            if cut.index(4) == 0 {
                bytes.truncate(cut.index(bytes.len()));
            }
            let Ok(message) = decode_to_learner(&bytes) else { return Ok(()) };
            let mut fleet = Fleet::new(example_fleet(example_config(mode)), &example_task());
            let (route, mut out) = (Route([1].as_slice().into()), Vec::new());
            let hello = ToLearner::Hello(example_hello());
            fleet.handle(Duration::ZERO, FleetEvent::Published(PolicyVersion(0)), &mut out);
            fleet.handle(Duration::ZERO, FleetEvent::RoundStarted(0), &mut out);
            for message in [hello, message] {
                fleet.handle(Duration::ZERO, FleetEvent::Received(route.clone(), message), &mut out);
            }
        }
    }
}
