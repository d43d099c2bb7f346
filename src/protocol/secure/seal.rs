//! Messages sealed with the keys of a handshake, and opened again.
//!
//! ```text
//! header   number: u64   sealed length: u32   sealed piece   sealed piece …
//! ```
//! A message has a number of its own, 0, 1, 2 …; its pieces are sealed with the nonces number·2¹⁶, number·2¹⁶ + 1 … The
//! first holds the length of the message, the others the message itself, 64 KiB at a time. So a piece opens in one
//! place of one message only, and a message is whole or does not open.

use super::window::Window;
use super::{Reason, Rejected};
use crate::protocol::WireError;
use crate::protocol::envelope::{self, HEADER, Kind};
use snow::{HandshakeState, StatelessTransportState};
use std::sync::Arc;

/// Bytes of a tag.
const TAG: usize = 16;

/// Most of a message in one piece, bytes: what Noise allows.
const PIECE: usize = 65_535 - TAG;

/// Bytes before the first piece.
const NUMBER: usize = 8;

/// Bytes of the sealed length.
const LENGTH: usize = 4 + TAG;

/// Pieces of one message are told apart by this many bits of the nonce.
const PIECE_BITS: u32 = 16;

/// Messages are told apart by the others.
const MAX_NUMBER: u64 = 1 << (u64::BITS - PIECE_BITS);

/// Bytes that sealing adds to a message of `length` bytes.
pub const fn overhead(length: usize) -> usize {
    HEADER + NUMBER + LENGTH + length.div_ceil(PIECE) * TAG
}

/// Why a message was dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// Not a sealed message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Of a length that no message has.
    #[error("the sealed message has a length that none has")]
    Length,
    /// It came before.
    #[error("the message came before")]
    Replayed,
    /// It may have come before.
    #[error("the message is too late")]
    Late,
    /// Changed, cut off, put together from several, or sealed by another.
    #[error("the message was not sealed by the other side of this link, or was changed")]
    Forged,
}

impl Unopened {
    /// As what it is counted.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Wire(WireError::Foreign) => Reason::Foreign,
            Self::Wire(WireError::Protocol { .. }) => Reason::Protocol,
            Self::Wire(error) if error.is_in_clear() => Reason::Keyless,
            Self::Wire(_) | Self::Length => Reason::Malformed,
            Self::Replayed => Reason::Replayed,
            Self::Late => Reason::Late,
            Self::Forged => Reason::Forged,
        }
    }
}

/// Both directions of a link after its handshake.
#[derive(Debug)]
pub struct Channel {
    sealer: Sealer,
    opener: Opener,
    rejected: Rejected,
}

impl Channel {
    pub(super) fn new(state: HandshakeState) -> Self {
        let state = state.into_stateless_transport_mode();
        let state = Arc::new(state.expect("both messages of the handshake were taken"));
        Self {
            sealer: Sealer {
                state: state.clone(),
                next: 0,
            },
            opener: Opener {
                state,
                window: Window::default(),
            },
            rejected: Rejected::default(),
        }
    }

    /// Its two directions, for tasks of their own.
    pub fn split(self) -> (Sealer, Opener) {
        (self.sealer, self.opener)
    }

    /// A message sealed; any bytes will do.
    pub fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(message.len() + overhead(message.len()));
        self.sealer
            .seal(message)
            .for_each(|piece| sealed.extend_from_slice(&piece));
        sealed
    }

    /// The message that the other side sealed. What does not open is counted.
    ///
    /// # Errors
    /// When it was not sealed by the other side of this link, came before, or is too late.
    pub fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let opened = self.opener.open(sealed);
        opened.inspect_err(|error| self.rejected.count(error.reason()))
    }

    /// What did not open so far.
    pub fn rejected(&self) -> Rejected {
        self.rejected
    }
}

/// The sending direction.
#[derive(Debug)]
pub struct Sealer {
    state: Arc<StatelessTransportState>,
    next: u64,
}

impl Sealer {
    /// A message sealed, in parts that are sent one after the other: at most 64 KiB are in memory at a time. Together
    /// they have [`overhead`] more bytes than the message.
    ///
    /// # Panics
    /// For a message of 4 GiB, or the 2⁴⁸th; there are none.
    pub fn seal<'a>(&mut self, message: &'a [u8]) -> impl Iterator<Item = Vec<u8>> + use<'a> {
        let (state, number) = (self.state.clone(), self.next);
        // A nonce that came twice would give the key away.
        assert!(number < MAX_NUMBER, "a link carries fewer than 2⁴⁸ messages");
        self.next += 1;
        let length = u32::try_from(message.len()).expect("messages are far shorter than 4 GiB");
        let mut nonces = nonces(number);
        let mut seal = move |part: &[u8]| {
            let mut sealed = vec![0; part.len() + TAG];
            let nonce = nonces.next().expect("a message of 4 GiB has fewer pieces");
            let written = state.write_message(nonce, part, &mut sealed);
            written.expect("the buffer is made to fit, and no piece is longer than Noise allows");
            sealed
        };
        let mut head = envelope::begin(Kind::Sealed, NUMBER + LENGTH);
        head.extend_from_slice(&number.to_be_bytes());
        head.extend_from_slice(&seal(&length.to_be_bytes()));
        std::iter::once(head).chain(message.chunks(PIECE).map(seal))
    }
}

/// The receiving direction.
#[derive(Debug)]
pub struct Opener {
    state: Arc<StatelessTransportState>,
    window: Window,
}

impl Opener {
    /// The message that the other side sealed. Nothing is allocated for it before its length was proven.
    ///
    /// # Errors
    /// When it was not sealed by the other side of this link, came before, or is too late.
    pub fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let body = envelope::expect(Kind::Sealed, sealed)?;
        let (number, body) = body.split_first_chunk().ok_or(Unopened::Length)?;
        let number = u64::from_be_bytes(*number);
        let (length, pieces) = body.split_first_chunk::<LENGTH>().ok_or(Unopened::Length)?;
        if number >= MAX_NUMBER {
            return Err(Unopened::Length);
        }
        self.window.check(number)?;
        let mut nonces = nonces(number);
        let mut bytes = [0; size_of::<u32>()];
        self.read(nonces.next(), length, &mut bytes)?;
        let length = u32::from_be_bytes(bytes) as usize;
        if sealed.len() != length + overhead(length) {
            return Err(Unopened::Forged);
        }
        let mut message = vec![0; length];
        for (piece, place) in pieces.chunks(PIECE + TAG).zip(message.chunks_mut(PIECE)) {
            self.read(nonces.next(), piece, place)?;
        }
        self.window.take(number);
        Ok(message)
    }

    fn read(&self, nonce: Option<u64>, piece: &[u8], place: &mut [u8]) -> Result<(), Unopened> {
        let read = self.state.read_message(nonce.ok_or(Unopened::Length)?, piece, place);
        read.map(|_| ()).map_err(|_| Unopened::Forged)
    }
}

/// The nonces of message `number`.
fn nonces(number: u64) -> impl Iterator<Item = u64> {
    let first = number << PIECE_BITS;
    // The last nonce of the last message is the last number there is: a range could not end behind it.
    (0..1 << PIECE_BITS).map(move |piece| first | piece)
}
