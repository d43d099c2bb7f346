//! Counts of what was not let in, by reason. For metrics and log lines.

use serde::{Deserialize, Serialize};

/// Why a connection or a message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It does not speak ZeroMQ, or nothing that Thermoflow knows.
    Foreign,
    /// Another version of the protocol.
    Protocol,
    /// A plain message where a key is needed.
    Keyless,
    /// A key that is not known here.
    UnknownKey,
    /// It was not made with the key, the run and the incarnation that it claims, or it was changed.
    Forged,
    /// A message that came before.
    Replayed,
    /// A message so late that it may have come before.
    Late,
    /// Too long, too short, or not what was due.
    Malformed,
    /// The handshake took too long.
    Slow,
    /// Too many connections without a handshake, in all or from one address; the oldest goes.
    Crowded,
    /// Too many connections that have every right to be here.
    Full,
}

/// How often each [`Reason`] was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "they are named and explained by the reasons")]
pub struct Rejected {
    pub foreign: u64,
    pub protocol: u64,
    pub keyless: u64,
    pub unknown_key: u64,
    pub forged: u64,
    pub replayed: u64,
    pub late: u64,
    pub malformed: u64,
    pub slow: u64,
    pub crowded: u64,
    pub full: u64,
}

impl Rejected {
    /// One more.
    pub fn count(&mut self, reason: Reason) {
        *match reason {
            Reason::Foreign => &mut self.foreign,
            Reason::Protocol => &mut self.protocol,
            Reason::Keyless => &mut self.keyless,
            Reason::UnknownKey => &mut self.unknown_key,
            Reason::Forged => &mut self.forged,
            Reason::Replayed => &mut self.replayed,
            Reason::Late => &mut self.late,
            Reason::Malformed => &mut self.malformed,
            Reason::Slow => &mut self.slow,
            Reason::Crowded => &mut self.crowded,
            Reason::Full => &mut self.full,
        } += 1;
    }
}
