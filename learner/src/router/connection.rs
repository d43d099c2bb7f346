//! One connection from its first byte to its last: it is let in, then reads and writes until one of them ends.

use super::door::{Door, Guest, Ticket};
use super::wire::{self, Reader};
use super::zmtp::Frame;
use super::{CHUNK, Closed, Incoming, OUTGOING, Outgoing};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use thermoflow::protocol::relay::MAX_FROM_RELAY;
use thermoflow::protocol::secure::{Opener, Sealer, Unopened, overhead};
use thermoflow::protocol::{LEASE, Route};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{Semaphore, mpsc};

/// How long the bytes of one message may take.
const MESSAGE_WITHIN: Duration = Duration::from_secs(60);

/// Memory for messages of more than [`CHUNK`] bytes, of all connections together, in [`CHUNK`]s (256 MiB). When it is
/// used up, those who announce such a message wait; TCP holds their senders back.
const MEMORY: usize = 4 << 10;

static LARGE_MESSAGES: Semaphore = Semaphore::const_new(MEMORY);

/// Messages that do not open, after which a connection is given up. TCP keeps order and content, so there are none
/// unless somebody puts them there.
const UNOPENED: u32 = 16;

/// Serves a connection until it ends; why it did.
pub(super) async fn serve(
    stream: TcpStream,
    ticket: Ticket,
    door: Arc<Door>,
    route: Route,
    incoming: mpsc::Sender<Incoming>,
) -> Closed {
    if let Err(error) = stream.set_nodelay(true) {
        return error.into();
    }
    let (read, mut write) = stream.into_split();
    let mut read = wire::reader(read);
    let Guest { sealed, _place } = match ticket.enter(&mut read, &mut write).await {
        Ok(guest) => guest,
        Err(closed) => return closed,
    };
    let (sender, outgoing) = mpsc::channel(OUTGOING);
    let (channel, incarnation) = sealed.unzip();
    let (sealer, opener) = channel.map(|channel| channel.split()).unzip();
    let opened = Incoming::Opened(route.clone(), incarnation, sender);
    if incoming.send(opened).await.is_err() {
        return Closed::Told;
    }
    let listener = Listener {
        door: &door,
        route: &route,
        opener,
        unopened: 0,
        incoming: &incoming,
    };
    let closed = tokio::select! {
        closed = listener.read_messages(&mut read) => closed,
        closed = write_messages(&mut write, sealer, outgoing, LEASE, |bytes| door.sent(bytes)) => closed,
    };
    // The learner is stopping when nobody listens.
    let _ = incoming.send(Incoming::Closed(route)).await;
    closed
}

struct Listener<'a> {
    door: &'a Door,
    route: &'a Route,
    opener: Option<Opener>,
    unopened: u32,
    incoming: &'a mpsc::Sender<Incoming>,
}

impl Listener<'_> {
    async fn read_messages(mut self, read: &mut Reader) -> Closed {
        loop {
            if let Err(closed) = self.read_one(read).await {
                return closed;
            }
        }
    }

    async fn read_one(&mut self, read: &mut Reader) -> Result<(), Closed> {
        // Whether this is a relay turns out later; an actor's message is measured again when it is read.
        let most = MAX_FROM_RELAY + self.opener.as_ref().map_or(0, |_| overhead(MAX_FROM_RELAY));
        let frame = wire::read_header(read, most).await?;
        let (Frame::Message(length) | Frame::Command(length)) = frame;
        // Held until the message is handed on.
        let large = if length > CHUNK { length.div_ceil(CHUNK) } else { 0 };
        let memory = LARGE_MESSAGES.acquire_many(large as u32).await;
        let _memory = memory.expect("nobody closes it");
        let body = tokio::time::timeout(MESSAGE_WITHIN, wire::read_body(read, length)).await;
        let body = body.map_err(|_| Closed::Slow)??;
        if let Frame::Command(_) = frame {
            return Ok(());
        }
        match self.open(body) {
            Ok(body) => {
                self.door.received(body.len());
                let message = Incoming::Message(self.route.clone(), body);
                self.incoming.send(message).await.map_err(|_| Closed::Told)
            }
            Err(error) => self.drop_one(error),
        }
    }

    fn open(&mut self, body: Vec<u8>) -> Result<Vec<u8>, Unopened> {
        match &mut self.opener {
            Some(opener) => opener.open(&body),
            None => Ok(body),
        }
    }

    fn drop_one(&mut self, error: Unopened) -> Result<(), Closed> {
        self.door.reject(error.reason());
        self.unopened += 1;
        if self.unopened < UNOPENED {
            Ok(())
        } else {
            Err(Closed::Unopened(error))
        }
    }
}

/// Writes until there is nothing more to come or the peer has not read a message `within` this time. `sent` hears of each.
async fn write_messages(
    write: &mut OwnedWriteHalf,
    mut sealer: Option<Sealer>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    within: Duration,
    sent: impl Fn(usize),
) -> Closed {
    // The version of the weights that were last written here.
    let mut held = None;
    while let Some(message) = outgoing.recv().await {
        let shared;
        let message = match &message {
            Outgoing::Message(bytes) => bytes,
            Outgoing::Shared(bytes) => &**bytes,
            Outgoing::Newest(debt) => match debt.pay(&mut held) {
                Some(newest) => {
                    shared = newest;
                    &*shared
                }
                None => continue,
            },
        };
        let written = tokio::time::timeout(within, write_one(write, &mut sealer, message)).await;
        match written {
            Ok(Ok(())) => sent(message.len()),
            Ok(Err(error)) => return error.into(),
            Err(_) => return Closed::Slow,
        }
    }
    Closed::Told
}

async fn write_one(write: &mut OwnedWriteHalf, sealer: &mut Option<Sealer>, message: &[u8]) -> io::Result<()> {
    match sealer {
        Some(sealer) => wire::write_sealed(write, sealer, message).await,
        None => wire::write_message(write, message).await,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Debt, Newest, Version};
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_silent, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (_, mut write) = accepted.unwrap().0.into_split();
        let (sender, outgoing) = mpsc::channel(1);
        // More than the system keeps for a peer that does not read.
        sender.send(Outgoing::Message(vec![0; 64 << 20])).await.unwrap();
        let writing = write_messages(&mut write, None, outgoing, Duration::from_millis(50), |_| ());
        let closed = tokio::time::timeout(Duration::from_secs(20), writing).await;
        assert!(matches!(closed, Ok(Closed::Slow)), "{closed:?}");
    }

    /// Reads a message of at most [`CHUNK`] bytes.
    async fn next(read: &mut Reader) -> Vec<u8> {
        wire::read_message(read, CHUNK).await.unwrap()
    }

    #[tokio::test]
    async fn a_newer_version_replaces_one_that_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (there, here) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (there, (here, _)) = (there.unwrap(), here.unwrap());
        let (_, mut write) = here.into_split();
        let (sender, outgoing) = mpsc::channel(OUTGOING);
        let (sent, sizes) = std::sync::mpsc::channel();
        let newest = Newest::new(move |bytes| sent.send(bytes).unwrap());
        let debt = Debt::new(newest.clone());
        let publish = |number: u64| {
            let message = |kind: u8| Arc::new(vec![kind, number as u8]);
            let difference = number.checked_sub(1).map(|base| (base, message(b'd')));
            let whole = message(b'w');
            newest.set(Version {
                number,
                whole,
                difference,
            });
            if debt.owe() {
                sender.try_send(Outgoing::Newest(debt.clone())).unwrap();
            }
        };
        // More than the system keeps: nothing behind it is written before it is read.
        sender.try_send(Outgoing::Message(vec![0; 64 << 20])).unwrap();
        let writing = tokio::spawn(async move { write_messages(&mut write, None, outgoing, LEASE, |_| ()).await });
        (0..5).for_each(publish);
        let mut read = wire::reader(there.into_split().0);
        assert_eq!(wire::read_message(&mut read, 64 << 20).await.unwrap().len(), 64 << 20);
        assert_eq!(next(&mut read).await, [b'w', 4], "version 3 was never sent here");
        publish(5);
        assert_eq!(next(&mut read).await, [b'd', 5], "version 4 was");
        publish(5);
        assert_eq!(
            next(&mut read).await,
            [b'w', 5],
            "it asks again: what it holds is not known"
        );
        drop((sender, debt));
        assert!(matches!(writing.await.unwrap(), Closed::Told));
        drop(newest);
        assert_eq!(sizes.iter().collect::<Vec<_>>(), [2, 2, 2]);
    }
}
