//! What actors and the learner say to each other. Data only: no bytes, no checks.

use super::weights::Packed;
use crate::rollout::Trajectory;
use crate::task::oracle::OracleHealth;
use crate::units::{Incarnation, PolicyVersion, Seq};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Range;

/// From an actor to the learner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToLearner {
    /// First message on every connection.
    Hello(Hello),
    /// Trajectories `first`, `first + 1` … of this incarnation.
    Trajectories {
        /// Number of the first one.
        first: Seq,
        /// In order, without gaps.
        batch: Vec<Trajectory>,
    },
    /// Asks for the newest weights.
    WantWeights {
        /// What the actor holds.
        have: Option<PolicyVersion>,
    },
    /// Still here.
    Heartbeat(ActorStatus),
    /// Not coming back; everything sent is meant to be kept.
    Goodbye,
}

/// Who an actor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// This life of the process.
    pub incarnation: Incarnation,
    /// The oldest trajectory that the actor still holds (the next one it will make when it holds none): all before
    /// were acknowledged.
    pub oldest: Seq,
    /// Name for people; need not be unique.
    pub name: String,
    /// Where it runs.
    pub host: String,
    /// Process number there.
    pub process: u32,
    /// What it computes on, as asked for.
    pub device: String,
}

/// How an actor is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ActorStatus {
    /// Trajectories rolled out in this life.
    pub rolled: u64,
    /// Trajectories kept until acknowledged.
    pub outbox: u64,
    /// What keeps it from rolling out.
    pub waiting: Waiting,
    /// How its oracle is doing.
    pub oracle: OracleHealth,
}

/// Which side an actor waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Waiting {
    /// For nothing: it rolls out.
    #[default]
    Nothing,
    /// For its first weights, or those of the work it was given.
    Weights,
    /// For work (sync mode).
    Work,
    /// For acknowledgements: its outbox is full.
    Acks,
}

/// From the learner to an actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToActor {
    /// Answers `Hello`.
    Welcome(Box<Welcome>),
    /// Everything below `next` is committed.
    Ack {
        /// The oldest trajectory that is not known to be safe.
        next: Seq,
        /// True when something was missed: send again from `next`.
        resend: bool,
        /// Newest weights there are.
        newest: Option<PolicyVersion>,
    },
    /// Sync mode: roll these out. Replaces work of earlier rounds.
    Work {
        /// The round.
        round: u64,
        /// Places in it.
        indices: Range<u32>,
        /// With these weights.
        version: PolicyVersion,
    },
    /// A set of weights.
    Weights {
        /// Which.
        version: PolicyVersion,
        /// Share of training that is done, 0 to 1, for β that anneals.
        progress: f32,
        /// The forward policy.
        weights: Packed,
    },
    /// Answers `Heartbeat`.
    Heartbeat {
        /// Newest weights there are.
        newest: Option<PolicyVersion>,
    },
    /// The learner does not know this connection: say hello.
    Stranger,
    /// The learner will not work with this actor, and says why.
    Refused {
        /// For people.
        reason: String,
    },
    /// The run is over.
    Finished,
    /// Answers `Goodbye`.
    Farewell,
}

/// All an actor needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Id of the run. An actor never serves two.
    pub run: String,
    /// The resolved configuration, as JSON (which, unlike positional MessagePack, allows for absent fields).
    pub config: String,
    /// What is in the file that the task needs (scores, a model), where it needs one.
    pub attachment: Option<Blob>,
    /// Everything below is committed.
    pub next: Seq,
    /// Newest weights there are; they follow by themselves.
    pub newest: Option<PolicyVersion>,
}

/// Bytes that MessagePack stores as they are (a `Vec<u8>` would be a list of numbers).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Vec<u8>);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BlobVisitor)
    }
}

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
        Ok(Blob(bytes.to_vec()))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Blob, E> {
        Ok(Blob(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Blob, A::Error> {
        Err(de::Error::custom("expected bytes, found a list"))
    }
}
