//! A DEALER socket to the learner: one connection, which is never repaired but replaced. With a key it does the
//! handshake, seals and opens; what goes in and out here is in clear.
//!
//! The `zeromq` crate's DEALER does not reconnect, and for a while it accepts messages that are lost; so a broken
//! connection is noticed here (its monitor, or a send that fails), and the session decides what to say again on the
//! next one.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::time::Duration;
use thermoflow::protocol::WireError;
use thermoflow::protocol::address::Address;
use thermoflow::protocol::secure::{Challenge, Channel, HandshakeError, Key, KeyFileError, KeySource, Knock, Refusal};
use thermoflow::units::Incarnation;
use tracing::warn;
use zeromq::{
    DealerRecvHalf, DealerSendHalf, DealerSocket, Socket, SocketEvent, SocketOptions, SocketRecv, SocketSend,
};

/// How long one attempt to connect may take; shorter than the lease after which the session gives it up.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// How long the handshake may take; what the learner allows.
const SHAKE_WITHIN: Duration = Duration::from_secs(5);

/// How long handing a message to the socket may take. It takes no time unless its queue is full.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// Messages that do not open, after which a connection is given up. TCP keeps order and content, so there are none
/// unless somebody puts them there.
const UNOPENED: u32 = 16;

/// A connection that was established, or the reason why not.
pub type Opened = Result<Link, OpenError>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody answered, or not well; this may pass.
    #[error("{0}")]
    Broken(String),
    /// The learner said that it does not talk, or something that is no message.
    #[error("{0}")]
    Wire(WireError),
}

impl From<String> for OpenError {
    fn from(why: String) -> Self {
        Self::Broken(why)
    }
}

impl From<KeyFileError> for OpenError {
    /// A file that cannot be read for the moment may be in the middle of being exchanged.
    fn from(error: KeyFileError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<HandshakeError> for OpenError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Wire(error) => Self::Wire(error),
            error => Self::Broken(format!("the handshake failed: {error}")),
        }
    }
}

/// An established connection.
pub struct Link {
    send: DealerSendHalf,
    receive: DealerRecvHalf,
    events: BoxStream<'static, SocketEvent>,
    /// With a key.
    channel: Option<Channel>,
    unopened: u32,
}

impl Link {
    /// Connects, and with a key does the handshake in the name of `incarnation`. The key is read anew each time, and
    /// during a roll-over the second one is tried where the newest is not known yet.
    ///
    /// # Errors
    /// When nobody answers, or nobody with that key.
    pub async fn open(address: Address, key: Option<KeySource>, incarnation: Incarnation) -> Opened {
        let Some(key) = key else {
            return Self::connect(&address).await;
        };
        let mut refused = WireError::Refusal(Refusal::UnknownKey);
        for key in key.read()?.keys() {
            let mut link = Self::connect(&address).await?;
            match tokio::time::timeout(SHAKE_WITHIN, link.shake_hands(key, incarnation)).await {
                Ok(Ok(())) => return Ok(link),
                Ok(Err(OpenError::Wire(error @ WireError::Refusal(Refusal::UnknownKey)))) => refused = error,
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(format!("{address} does not finish the handshake").into()),
            }
        }
        Err(OpenError::Wire(refused))
    }

    async fn connect(address: &Address) -> Opened {
        let mut options = SocketOptions::default();
        options.connect_timeout(CONNECT_WITHIN);
        let mut socket = DealerSocket::with_options(options);
        let events = socket.monitor().boxed();
        socket
            .connect(&address.to_string())
            .await
            .map_err(|error| format!("{address} does not answer ({error})"))?;
        let (send, receive) = socket.split();
        Ok(Self {
            send,
            receive,
            events,
            channel: None,
            unopened: 0,
        })
    }

    async fn shake_hands(&mut self, key: &Key, incarnation: Incarnation) -> Result<(), OpenError> {
        let knock = Knock {
            key: key.id(),
            incarnation,
        };
        self.write(knock.encode()).await?;
        let challenge = Challenge::decode(&self.read().await?)?;
        let (proof, waiting) = challenge.respond(knock, key);
        self.write(proof).await?;
        self.channel = Some(waiting.finish(&self.read().await?)?);
        Ok(())
    }

    /// Hands a message to the socket. That says nothing about its arrival.
    ///
    /// # Errors
    /// Why the connection is of no use any more.
    pub async fn send(&mut self, message: Vec<u8>) -> Result<(), String> {
        let bytes = match &mut self.channel {
            Some(channel) => channel.seal(&message),
            None => message,
        };
        self.write(bytes).await
    }

    /// The next message.
    ///
    /// # Errors
    /// Why there will be none.
    pub async fn receive(&mut self) -> Result<Vec<u8>, String> {
        loop {
            let bytes = self.read().await?;
            let Some(channel) = &mut self.channel else {
                return Ok(bytes);
            };
            match channel.open(&bytes) {
                Ok(message) => return Ok(message),
                Err(error) => {
                    self.unopened += 1;
                    if self.unopened == 1 {
                        warn!(%error, "a message on the link to the learner was dropped");
                    }
                    if self.unopened >= UNOPENED {
                        return Err(format!("{UNOPENED} messages did not open ({:?})", channel.rejected()));
                    }
                }
            }
        }
    }

    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        match tokio::time::timeout(SEND_WITHIN, self.send.send(bytes.into())).await {
            Ok(sent) => sent.map_err(|error| format!("sending failed ({error})")),
            Err(_) => Err("the connection is stuck".into()),
        }
    }

    async fn read(&mut self) -> Result<Vec<u8>, String> {
        loop {
            tokio::select! {
                // What was said before the connection ended comes before its end.
                biased;
                message = self.receive.recv() => {
                    let message = message.map_err(|error| format!("receiving failed ({error})"))?;
                    let mut frames = message.into_vec();
                    return match frames.pop() {
                        Some(frame) if frames.is_empty() => Ok(frame.to_vec()),
                        _ => Err("a message did not have exactly one part".into()),
                    };
                }
                event = self.events.next() => {
                    if matches!(event, Some(SocketEvent::Disconnected(_)) | None) {
                        return Err("the connection was closed".into());
                    }
                }
            }
        }
    }
}
