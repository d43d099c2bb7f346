//! The handshake of both sides, step by step: each step takes what the other side said and is the next.

use super::key::{Key, KeyId};
use super::seal::Channel;
use super::{MAX_UNSEALED, Reason};
use crate::protocol::envelope::{self, Kind};
use crate::protocol::{PROTOCOL, WireError};
use crate::units::Incarnation;
use snow::{Builder, HandshakeState};

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// Bytes of the learner's nonce, drawn at random for each connection.
const NONCE: usize = 32;

/// Bytes of a handshake message: an ephemeral key and a tag.
const HANDSHAKE: usize = 32 + 16;

/// Longest run id, bytes.
const MAX_RUN: usize = 128;

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// No message, another one than was due, of another version, or a refusal.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The wrong length.
    #[error("a message of the handshake has the wrong length")]
    Length,
    /// A key that is not known here.
    #[error("the key {0} is not known")]
    UnknownKey(KeyId),
    /// Made with another key, for another connection, run or incarnation, or changed on the way.
    #[error("the other side did not show that it has the key")]
    Unproven,
}

impl HandshakeError {
    /// As what it is counted.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Wire(WireError::Foreign) => Reason::Foreign,
            Self::Wire(WireError::Protocol { .. }) => Reason::Protocol,
            // What an actor or a relay without a key says first.
            Self::Wire(error) if error.is_in_clear() => Reason::Keyless,
            Self::UnknownKey(_) => Reason::UnknownKey,
            Self::Unproven => Reason::Forged,
            Self::Wire(_) | Self::Length => Reason::Malformed,
        }
    }
}

/// What an actor says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knock {
    /// Its key.
    pub key: KeyId,
    /// Its life.
    pub incarnation: Incarnation,
}

impl Knock {
    /// The message.
    pub fn encode(self) -> Vec<u8> {
        let mut bytes = envelope::begin(Kind::Knock, 16);
        bytes.extend_from_slice(&self.key.0);
        bytes.extend_from_slice(&self.incarnation.0.to_be_bytes());
        bytes
    }

    /// The message read, by a learner.
    ///
    /// # Errors
    /// When it is something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, HandshakeError> {
        let body = expect(Kind::Knock, bytes)?;
        let (key, rest) = body.split_first_chunk().ok_or(HandshakeError::Length)?;
        let incarnation = rest.try_into().map_err(|_| HandshakeError::Length)?;
        Ok(Self {
            key: KeyId(*key),
            incarnation: Incarnation(u64::from_be_bytes(incarnation)),
        })
    }
}

/// What a learner answers to a knock; then it waits for the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    nonce: [u8; NONCE],
    run: String,
}

impl Challenge {
    /// A challenge of this run (an id of at most 128 bytes). The nonce must be drawn by the system, for this connection
    /// alone.
    pub fn new(run: &str, nonce: [u8; NONCE]) -> Self {
        Self { nonce, run: run.into() }
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = envelope::begin(Kind::Challenge, NONCE + self.run.len());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(self.run.as_bytes());
        bytes
    }

    /// The message read, by an actor.
    ///
    /// # Errors
    /// When it is something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, HandshakeError> {
        let body = expect(Kind::Challenge, bytes)?;
        let (nonce, run) = body.split_first_chunk().ok_or(HandshakeError::Length)?;
        if run.len() > MAX_RUN {
            return Err(HandshakeError::Length);
        }
        let run = str::from_utf8(run).map_err(|error| WireError::Malformed(error.to_string()))?;
        Ok(Self::new(run, *nonce))
    }

    /// Actor: the first message of the handshake, and what waits for the second. `knock` was made with `key`.
    pub fn respond(&self, knock: Knock, key: &Key) -> (Vec<u8>, Proof) {
        let mut state = self.state(knock, key, true);
        (write(&mut state), Proof(Box::new(state)))
    }

    /// Learner: checks the first message of the handshake; the second message, and the channel that is open with it.
    /// The other side has shown that it has the key.
    ///
    /// # Errors
    /// When it has not.
    pub fn accept(&self, knock: Knock, key: &Key, bytes: &[u8]) -> Result<(Vec<u8>, Channel), HandshakeError> {
        let mut state = self.state(knock, key, false);
        read(&mut state, bytes)?;
        Ok((write(&mut state), Channel::new(state)))
    }

    /// The handshake with everything bound in that both sides must see alike.
    fn state(&self, knock: Knock, key: &Key, is_actor: bool) -> HandshakeState {
        let prologue = [
            b"thermoflow actor to learner",
            &[PROTOCOL][..],
            &self.nonce,
            &knock.key.0,
            &knock.incarnation.0.to_be_bytes(),
            self.run.as_bytes(),
        ]
        .concat();
        let builder = Builder::new(PATTERN.parse().expect("the pattern is a valid one"));
        let builder = builder
            .prologue(&prologue)
            .and_then(|builder| builder.psk(0, key.bytes()));
        let state = builder.and_then(|builder| match is_actor {
            true => builder.build_initiator(),
            false => builder.build_responder(),
        });
        state.expect("the pattern needs a pre-shared key and nothing else")
    }
}

/// An actor's side between the two messages of the handshake.
#[derive(Debug)]
pub struct Proof(Box<HandshakeState>);

impl Proof {
    /// Checks the second message of the handshake: the other side has shown that it has the key.
    ///
    /// # Errors
    /// When it has not.
    pub fn finish(mut self, bytes: &[u8]) -> Result<Channel, HandshakeError> {
        read(&mut self.0, bytes)?;
        Ok(Channel::new(*self.0))
    }
}

/// The body of a message of the handshake.
fn expect(due: Kind, bytes: &[u8]) -> Result<&[u8], HandshakeError> {
    if bytes.len() > MAX_UNSEALED {
        return Err(HandshakeError::Length);
    }
    Ok(envelope::expect(due, bytes)?)
}

fn write(state: &mut HandshakeState) -> Vec<u8> {
    let mut bytes = envelope::begin(Kind::Handshake, HANDSHAKE);
    let mut message = [0; HANDSHAKE];
    let length = state.write_message(&[], &mut message);
    bytes.extend_from_slice(&message[..length.expect("it is this side's turn, and the message has this length")]);
    bytes
}

fn read(state: &mut HandshakeState, bytes: &[u8]) -> Result<(), HandshakeError> {
    let body = expect(Kind::Handshake, bytes)?;
    if body.len() != HANDSHAKE {
        return Err(HandshakeError::Length);
    }
    match state.read_message(body, &mut []) {
        Ok(_) => Ok(()),
        Err(_) => Err(HandshakeError::Unproven),
    }
}
