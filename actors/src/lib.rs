//! The actor program as a library: it rolls out trajectories for a learner that it knows only by address.
//!
//! A tokio task ([`run`]) owns the connection and the [`ActorSession`](thermoflow::protocol::ActorSession), which
//! decides; one thread (`worker`) owns the roller. Bounded channels lie between.

mod error;
mod ledger;
pub mod link;
mod outbox;
pub mod program;
mod run;
mod slow;
mod watched;
mod worker;

pub use error::ActorError;
pub use outbox::OutboxError;
pub use run::{Learner, Settings, run};
pub use worker::WorkError;
