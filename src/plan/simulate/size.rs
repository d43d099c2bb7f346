//! How large messages are, by what was measured, and what they cost at either end.

use super::World;
use crate::protocol::secure::overhead;
use crate::protocol::{ToActor, ToLearner};

impl World<'_> {
    /// Seconds that a message of so many bytes takes at one end.
    pub(super) fn end_cost(&self, bytes: f64) -> f64 {
        let link = &self.costs.link;
        let seal = if self.scenario.sealed { link.seal_byte } else { 0.0 };
        link.message + bytes * (link.byte + seal)
    }

    /// Bytes of a message on its way.
    pub(super) fn sealed(&self, bytes: f64) -> f64 {
        if self.scenario.sealed {
            bytes + overhead(bytes as usize) as f64
        } else {
            bytes
        }
    }

    /// Trajectories in a message.
    pub(super) fn rows(&self, message: &ToLearner) -> f64 {
        match message {
            ToLearner::Trajectories { batch, .. } => self.grain * batch.len() as f64,
            _ => 0.0,
        }
    }

    /// Bytes of a message before it is sealed.
    pub(super) fn size_up(&self, message: &ToLearner) -> f64 {
        let bytes = &self.costs.bytes;
        bytes.message + self.rows(message) * bytes.trajectory
    }

    /// The same of one to an actor.
    pub(super) fn size_down(&self, message: &ToActor) -> f64 {
        let bytes = &self.costs.bytes;
        match message {
            ToActor::Weights { .. } => bytes.message + bytes.weights,
            ToActor::Welcome(welcome) => bytes.message + welcome.config.len() as f64,
            _ => bytes.message,
        }
    }
}
