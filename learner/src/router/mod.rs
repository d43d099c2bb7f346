//! A ROUTER socket: listens, speaks ZMTP with any DEALER, hands messages up and down. It knows no message.
//!
//! Why not the `zeromq` crate's: it allocates what a frame header claims (nine bytes from anyone end the process), queues
//! 100,000 messages to a peer that does not read, and cannot close a connection. Here a frame is measured before it is
//! read, a queue is short, and a peer that does not read is closed.
//!
//! `door` lets connections in, with a key after a handshake; from then on `connection` seals and opens, and what goes up
//! and down here is in clear.
//!
//! Invariant: a connection holds at most one incoming message and [`OUTGOING`] outgoing ones in memory.
//! Invariant: nothing of a connection goes up before it was let in.

mod connection;
mod door;
#[cfg(any(test, fuzzing))]
pub mod hostile;
mod keys;
mod newest;
mod pending;
mod wire;
mod zmtp;

pub use door::Door;
pub use newest::Debt;
pub(crate) use newest::{Newest, Version};

use std::io;
use std::sync::Arc;
use std::time::Duration;
use thermoflow::protocol::Route;
use thermoflow::protocol::address::Address;
use thermoflow::protocol::secure::{HandshakeError, Reason, Rejected, Unopened};
use thermoflow::units::Incarnation;
use thermoflow_watch::metrics::Traffic;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tracing::debug;
use zmtp::ZmtpError;

/// Messages of all connections that wait to be handled. When full, connections are not read further, and TCP holds
/// their senders back.
const INCOMING: usize = 8;

/// Messages that wait to be written to one connection. The learner only answers, so this many means that the peer does
/// not read; it is closed then.
pub const OUTGOING: usize = 256;

/// Read at a time; also what is allocated for a message before its bytes come.
const CHUNK: usize = 64 << 10;

/// How often a line may say what was rejected.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// What is to be written to a connection.
pub enum Outgoing {
    /// An encoded message.
    Message(Vec<u8>),
    /// One that several connections share.
    Shared(Arc<Vec<u8>>),
    /// The newest weights, whichever that is when it is their turn.
    Newest(Debt),
}

/// What comes from connections, in order for each.
#[derive(Debug)]
pub enum Incoming {
    /// A peer was let in; on a link with a key, in the name of this actor. Dropping the sender closes the connection
    /// once what was sent is written.
    Opened(Route, Option<Incarnation>, mpsc::Sender<Outgoing>),
    /// A message.
    Message(Route, Vec<u8>),
    /// A connection that was opened is closed.
    Closed(Route),
}

/// Why a connection was closed.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Zmtp(#[from] ZmtpError),
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    #[error("too much of it does not open; the last time {0}")]
    Unopened(Unopened),
    #[error("it took too long")]
    Slow,
    #[error("others waited to be let in")]
    Crowded,
    #[error("there is no place for another connection")]
    Full,
    #[error("it was told to")]
    Told,
}

impl Closed {
    /// As what it is counted; a peer that leaves was not rejected, and what does not open is counted one by one.
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::Zmtp(error) => Some(error.reason()),
            Self::Handshake(error) => Some(error.reason()),
            Self::Slow => Some(Reason::Slow),
            Self::Crowded => Some(Reason::Crowded),
            Self::Full => Some(Reason::Full),
            Self::Io(_) | Self::Unopened(_) | Self::Told => None,
        }
    }
}

/// A socket that listens; connections wait until it is [opened](Self::open).
pub struct Bound {
    address: Address,
    listener: TcpListener,
}

impl Bound {
    /// Listens on `address`.
    ///
    /// # Errors
    /// When that cannot be listened on.
    pub async fn new(address: &Address) -> io::Result<Self> {
        let listener = TcpListener::bind(address.authority()).await?;
        let address = address.clone().with_port(listener.local_addr()?.port());
        Ok(Self { address, listener })
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Accepts connections from now on.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(self, door: Door) -> Router {
        let (sender, incoming) = mpsc::channel(INCOMING);
        let door = Arc::new(door);
        tokio::spawn(accept(self.listener, door.clone(), sender));
        Router { door, incoming }
    }
}

/// A socket that accepts connections.
pub struct Router {
    door: Arc<Door>,
    incoming: mpsc::Receiver<Incoming>,
}

impl Router {
    /// What was not let in so far, or dropped later.
    pub fn rejected(&self) -> Rejected {
        self.door.rejected()
    }

    /// What passed so far through the connections that were let in.
    pub fn traffic(&self) -> Traffic {
        self.door.traffic()
    }

    /// How many messages of how many at most wait to be handled.
    pub fn waiting(&self) -> (usize, usize) {
        (self.incoming.len(), self.incoming.max_capacity())
    }

    /// The next thing that happens on any connection.
    pub async fn next(&mut self) -> Incoming {
        match self.incoming.recv().await {
            Some(incoming) => incoming,
            // The accepting task ends only with the runtime.
            None => std::future::pending().await,
        }
    }
}

async fn accept(listener: TcpListener, door: Arc<Door>, incoming: mpsc::Sender<Incoming>) {
    let mut said = Rejected::default();
    let mut ticks = tokio::time::interval(SAY_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 0u64;
    while !incoming.is_closed() {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ticks.tick() => {
                door.log(&mut said);
                continue;
            }
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or a peer that left while it was waiting: the next may fare better.
                debug!(%error, "accepting failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        number += 1;
        let ticket = door.ticket(number, peer.ip());
        let (door, incoming) = (door.clone(), incoming.clone());
        tokio::spawn(async move {
            let route = Route(number.to_be_bytes().as_slice().into());
            let why = connection::serve(stream, ticket, door.clone(), route, incoming).await;
            why.reason().into_iter().for_each(|reason| door.reject(reason));
            debug!(%peer, connection = number, %why, "connection closed");
        });
    }
}

#[cfg(test)]
mod tests;
