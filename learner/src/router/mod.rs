//! A ROUTER socket: listens, speaks ZMTP with any DEALER, hands messages up and down. It knows no message.
//!
//! Why not the `zeromq` crate's: it allocates what a frame header claims (nine bytes from anyone end the process), queues
//! 100,000 messages to a peer that does not read, and cannot close a connection. Here a frame is measured before it is
//! read, a queue is short, and a peer that does not read is closed.
//!
//! Invariant: a connection holds at most one incoming message and [`OUTGOING`] outgoing ones in memory.

mod zmtp;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use thermoflow::protocol::address::Address;
use thermoflow::protocol::{LEASE, MAX_TO_LEARNER, Route};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tracing::debug;
use zmtp::{Frame, GREETING, ZmtpError};

/// Messages of all connections that wait to be handled. When full, connections are not read further, and TCP holds
/// their senders back.
const INCOMING: usize = 8;

/// Messages that wait to be written to one connection. The learner only answers, so this many means that the peer does
/// not read; it is closed then.
pub(crate) const OUTGOING: usize = 256;

/// Connections at once.
const CONNECTIONS: usize = 8192;

/// How long a peer may take to greet.
const GREET_WITHIN: Duration = Duration::from_secs(5);

/// Read at a time; also what is allocated for a message before its bytes come.
const CHUNK: usize = 64 << 10;

/// An encoded message; many connections may share one (weights).
pub(crate) type Outgoing = Arc<Vec<u8>>;

/// What comes from connections, in order for each.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A peer has greeted. Dropping the sender closes the connection once what was sent is written.
    Opened(Route, mpsc::Sender<Outgoing>),
    /// A message.
    Message(Route, Vec<u8>),
    /// The connection is closed.
    Closed(Route),
}

/// Why a connection was closed.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Zmtp(#[from] ZmtpError),
    #[error("it took too long")]
    Slow,
    #[error("it was told to")]
    Told,
}

/// A listening socket.
pub(crate) struct Router {
    address: Address,
    incoming: mpsc::Receiver<Incoming>,
}

impl Router {
    /// Listens on `address` and accepts connections from then on.
    pub async fn bind(address: Address) -> io::Result<Self> {
        let listener = TcpListener::bind(address.socket()).await?;
        let address = address.with_port(listener.local_addr()?.port());
        let (sender, incoming) = mpsc::channel(INCOMING);
        tokio::spawn(accept(listener, sender));
        Ok(Self { address, incoming })
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> Address {
        self.address
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

async fn accept(listener: TcpListener, incoming: mpsc::Sender<Incoming>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    for number in 0u64.. {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, or a peer that left while it was waiting: the next may fare better.
                debug!(%error, "accepting failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if incoming.is_closed() {
            return;
        }
        let incoming = incoming.clone();
        tokio::spawn(async move {
            let route = Route(number.to_be_bytes().as_slice().into());
            let why = serve(stream, &route, &incoming).await;
            debug!(connection = number, %why, "connection closed");
            // The learner is stopping when nobody listens.
            let _ = incoming.send(Incoming::Closed(route)).await;
            drop(place);
        });
    }
}

/// Greets, then reads and writes until one of them ends.
async fn serve(stream: TcpStream, route: &Route, incoming: &mpsc::Sender<Incoming>) -> Closed {
    if let Err(error) = stream.set_nodelay(true) {
        return error.into();
    }
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::with_capacity(CHUNK, read);
    match tokio::time::timeout(GREET_WITHIN, greet(&mut read, &mut write)).await {
        Ok(Ok(())) => {}
        Ok(Err(closed)) => return closed,
        Err(_) => return Closed::Slow,
    }
    let (sender, outgoing) = mpsc::channel(OUTGOING);
    if incoming.send(Incoming::Opened(route.clone(), sender)).await.is_err() {
        return Closed::Told;
    }
    tokio::select! {
        closed = read_messages(&mut read, route, incoming) => closed,
        closed = write_messages(&mut write, outgoing) => closed,
    }
}

async fn greet(read: &mut BufReader<OwnedReadHalf>, write: &mut OwnedWriteHalf) -> Result<(), Closed> {
    write.write_all(&zmtp::greeting()).await?;
    let mut greeting = [0; GREETING];
    read.read_exact(&mut greeting).await?;
    zmtp::check_greeting(&greeting)?;
    write.write_all(&zmtp::ready()).await?;
    match read_header(read).await? {
        Frame::Command(length) => zmtp::check_ready(&read_body(read, length).await?)?,
        Frame::Message(_) => return Err(ZmtpError::Greeting.into()),
    }
    Ok(())
}

async fn read_messages(
    read: &mut BufReader<OwnedReadHalf>,
    route: &Route,
    incoming: &mpsc::Sender<Incoming>,
) -> Closed {
    let read_one = async |read: &mut BufReader<OwnedReadHalf>| -> Result<Frame, Closed> {
        let frame = read_header(read).await?;
        let (Frame::Message(length) | Frame::Command(length)) = frame;
        let body = read_body(read, length).await?;
        if let Frame::Message(_) = frame {
            let sent = incoming.send(Incoming::Message(route.clone(), body)).await;
            sent.map_err(|_| Closed::Told)?;
        }
        Ok(frame)
    };
    loop {
        if let Err(closed) = read_one(read).await {
            return closed;
        }
    }
}

async fn read_header(read: &mut BufReader<OwnedReadHalf>) -> Result<Frame, Closed> {
    let mut header = Vec::with_capacity(9);
    loop {
        match zmtp::frame(&header, MAX_TO_LEARNER as u64)? {
            ControlFlow::Break(frame) => return Ok(frame),
            ControlFlow::Continue(needed) => {
                let old = header.len();
                header.resize(needed, 0);
                read.read_exact(&mut header[old..]).await?;
            }
        }
    }
}

/// Reads exactly `length` bytes; memory grows with what has come, not with what was announced.
async fn read_body(read: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(length.min(CHUNK));
    read.take(length as u64).read_to_end(&mut body).await?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

async fn write_messages(write: &mut OwnedWriteHalf, mut outgoing: mpsc::Receiver<Outgoing>) -> Closed {
    while let Some(message) = outgoing.recv().await {
        let written = async {
            write.write_all(&zmtp::message_header(message.len())).await?;
            write.write_all(&message).await
        };
        match tokio::time::timeout(LEASE, written).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return Closed::Slow,
        }
    }
    Closed::Told
}

#[cfg(test)]
mod tests;
