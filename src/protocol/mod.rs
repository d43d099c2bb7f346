//! The protocol between actors and the learner, without sockets, clocks or threads.
//!
//! `messages` says what is said, `envelope` and `codec` how it looks as bytes, [`secure`] how it is sealed on links with
//! a key, `check` what of it is believed.
//! [`ActorSession`] and [`Fleet`] are the two ends as state machines: events in, actions out, the time an argument.
//! [`relay`] lies between them where the actors of a node share a connection.
//! The programs feed them; `simulation` (a test) runs a whole fleet of them with every fault the network has.

mod actor_session;
pub mod address;
mod backoff;
mod check;
mod codec;
mod envelope;
#[cfg(any(test, fuzzing))]
pub(crate) mod example;
mod fleet;
mod messages;
mod outbox;
mod peer;
pub mod relay;
mod rescore;
mod rounds;
pub mod secure;
#[cfg(test)]
mod simulation;
pub mod weights;

pub use actor_session::{Action as ActorAction, Event as ActorEvent};
pub use actor_session::{ActorSession, Exit, Left};
pub use check::{Check, Rejection, is_log_probability, log_reward_agrees};
pub use codec::{MAX_BATCH, MAX_TO_ACTOR, MAX_TO_LEARNER, WireError, decode_to_actor, decode_to_learner, encode};
pub use envelope::PROTOCOL;
pub use fleet::{
    Action as FleetAction, Commit, Counters, Event as FleetEvent, Fleet, FleetReport, FleetSettings, PeerReport, Route,
};
pub use messages::{ActorStatus, Blob, Hello, ToActor, ToLearner, Waiting, Welcome};
pub use rescore::scores_agree;

use crate::config::RunConfig;
use std::time::Duration;

/// A peer that has said nothing for this long is taken for gone. Longer than any pause of a healthy network task,
/// which never computes; short enough that the work of a lost actor is soon given to another.
pub const LEASE: Duration = Duration::from_secs(10);

/// How often an actor sends a heartbeat: several fit into a lease, so that one lost message means nothing.
pub const HEARTBEAT: Duration = Duration::from_secs(2);

/// What was sent and not answered for this long is sent again. TCP does not lose messages within a connection, but a
/// router drops those to a peer it does not know (any more).
pub const RESEND: Duration = Duration::from_secs(4);

/// The longest pause before what was sent is sent again: it doubles each time that nothing came of it. An overloaded learner
/// acknowledges minutes later, and would otherwise be sent everything dozens of times.
const RESEND_MOST: Duration = Duration::from_secs(32);

/// An actor that was told nothing for this long is told that the learner is there. A learner that is not behind answers every
/// heartbeat and never comes to this.
const REASSURE: Duration = Duration::from_secs(5);

/// Most actors that a learner remembers at once, present or not.
pub const MAX_ACTORS: usize = 1 << 14;

/// Most trajectories of one roll-out.
pub const MAX_ROLL: usize = 1 << 20;

/// Most trajectories of one actor that may be unacknowledged. Both sides compute it from the run's configuration: the
/// actor stops rolling out, and the learner drops (and counts) what goes beyond.
pub fn window(config: &RunConfig) -> usize {
    config
        .actor
        .outbox
        .saturating_mul(config.actor.batch.max(config.train.batch))
}

/// An error with all its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
