//! Many actors on one connection: between the actors of a node and the learner lies a relay.
//!
//! ```text
//! actor ─┐ branch 1                                               ┌ connection 7, branch 1 ┐
//! actor ─┤ branch 2 ──► relay ── trunk (connection 7) ──► Relays ─┤ connection 7, branch 2 ├─► Fleet
//! actor ─┘ branch 3                                               └ connection 7, branch 3 ┘
//! ```
//! To the fleet every actor behind a relay is a peer like any other, whose route is its relay's connection and the number of
//! its branch. So hellos, acknowledgements and leases are between actor and learner, and what is lost with a relay is sent
//! again by the actors: a relay keeps nothing that anybody was told is safe.
//!
//! Up, a relay collects what its actors say into bundles. Down, the learner collects what it has to say to the actors of a
//! relay, and sends large messages (weights, welcomes) to a relay once: it keeps them (`shelf`), and is told who gets them.
//!
//! [`Relay`] and [`Relays`] are the two ends of a trunk as state machines; `simulation` plays fleets behind them.
//!
//! Invariant: a relay holds at most [`BUNDLE`] bytes of its actors and one message more, and `CREDIT` bundles are under
//! way; beyond that it does not read, and TCP holds the actors back.

mod learner;
mod messages;
mod node;
mod shelf;
mod upward;

pub use learner::{Foul, Heard, Relays};
pub use messages::{
    Branch, FromRelay, MAX_FROM_RELAY, MAX_TO_RELAY, Said, Shared, ToRelay, Told, decode_from_relay, decode_to_relay,
    is_of_relay,
};
pub use node::{Action, Closing, Event, Exit, Relay, RelayHello};

use std::time::Duration;

/// A bundle with so many bytes goes at once. Large enough that a message more or less costs nothing, small enough that
/// the learner is not busy with one relay for long.
pub const BUNDLE: usize = 256 << 10;

/// Most messages in a bundle.
pub const MAX_ITEMS: usize = 4096;

/// What an item of a bundle counts beyond its message, bytes; more than it is.
const ITEM: usize = 32;

/// Between two bundles of a relay, unless they are full. So a lone message is not held up, a busy node sends the learner at
/// most 200 messages a second however many actors it has, and what waits does so for less than a commit to the disk takes.
const LINGER: Duration = Duration::from_millis(5);

/// Bundles under way that the learner has not handled yet. The `zeromq` crate would queue 100,000 for a learner that does
/// not read; with these a relay stops reading instead. 1 MiB in all: enough to keep a network busy, and soon handled,
/// so that what waits behind it is not sent again in vain.
const CREDIT: u64 = 4;

/// Messages that wait to be written to a relay beyond which it is sent no weights: they would be old when their turn comes.
/// Its actors ask again.
pub const BUSY: usize = 8;

/// Most actors of a relay at once. Each costs a learner some hundred bytes; the fleet's own limit comes after it.
pub const MAX_BRANCHES: usize = 1024;

#[cfg(test)]
mod tests;
