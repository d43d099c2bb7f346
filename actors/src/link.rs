//! A DEALER socket to the learner: one connection, which is never repaired but replaced.
//!
//! The `zeromq` crate's DEALER does not reconnect, and for a while it accepts messages that are lost; so a broken
//! connection is noticed here (its monitor, or a send that fails), and the session decides what to say again on the
//! next one.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::time::Duration;
use thermoflow::protocol::address::Address;
use zeromq::{
    DealerRecvHalf, DealerSendHalf, DealerSocket, Socket, SocketEvent, SocketOptions, SocketRecv, SocketSend,
};

/// How long one attempt to connect may take; shorter than the lease after which the session gives it up.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// How long handing a message to the socket may take. It takes no time unless its queue is full.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// A connection that was established, or the reason why not.
pub(crate) type Opened = Result<Link, String>;

/// An established connection.
pub(crate) struct Link {
    send: DealerSendHalf,
    receive: DealerRecvHalf,
    events: BoxStream<'static, SocketEvent>,
}

impl Link {
    /// Connects and shakes hands.
    pub async fn open(address: Address) -> Opened {
        let mut options = SocketOptions::default();
        options.connect_timeout(CONNECT_WITHIN);
        let mut socket = DealerSocket::with_options(options);
        let events = socket.monitor().boxed();
        socket
            .connect(&address.to_string())
            .await
            .map_err(|error| format!("{address} does not answer ({error})"))?;
        let (send, receive) = socket.split();
        Ok(Self { send, receive, events })
    }

    /// Hands a message to the socket. That says nothing about its arrival.
    pub async fn send(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        match tokio::time::timeout(SEND_WITHIN, self.send.send(bytes.into())).await {
            Ok(sent) => sent.map_err(|error| format!("sending failed ({error})")),
            Err(_) => Err("the connection is stuck".into()),
        }
    }

    /// The next message, or why there will be none.
    pub async fn receive(&mut self) -> Result<Vec<u8>, String> {
        loop {
            tokio::select! {
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
