//! The relay program as a library: between the actors of a node and the learner, so that the learner has one connection
//! per node.
//!
//! One tokio task ([`run()`]) owns both ends, the learner's router for actors and the actors' link to the learner, and the
//! state machine [`Relay`](thermoflow::protocol::relay::Relay), which decides. It computes nothing. It may start its actors
//! itself (`crew`).

mod crew;
mod error;
mod run;
mod watched;

pub use crew::CrewSettings;
pub use error::RelayError;
pub use run::{Settings, run};
