//! The little of ZMTP 3.0 (ZeroMQ's wire protocol, RFC 23) that a ROUTER needs: greeting, READY, frame headers. Pure.

use std::ops::ControlFlow;
use thermoflow::protocol::secure::Reason;

/// Length of a greeting.
pub(super) const GREETING: usize = 64;

/// Longest command (READY with its properties); real ones have under 400 bytes.
const MAX_COMMAND: u64 = 512;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// Why a peer does not speak our ZMTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ZmtpError {
    #[error("it does not speak ZeroMQ")]
    Greeting,
    #[error("it speaks ZMTP {0}, 3 is needed")]
    Version(u8),
    #[error("it wants a security mechanism other than NULL")]
    Mechanism,
    #[error("it is no DEALER")]
    SocketType,
    #[error("it announced a frame of {size} bytes, at most {limit} are allowed")]
    Frame { size: u64, limit: u64 },
    #[error("it sent a message of several parts")]
    Parts,
}

impl ZmtpError {
    /// As what it is counted.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Greeting | Self::Mechanism | Self::SocketType => Reason::Foreign,
            Self::Version(_) => Reason::Protocol,
            Self::Frame { .. } | Self::Parts => Reason::Malformed,
        }
    }
}

/// What we say first: signature, version 3.0, mechanism NULL.
pub(super) fn greeting() -> [u8; GREETING] {
    let mut bytes = [0; GREETING];
    (bytes[0], bytes[9], bytes[10]) = (0xff, 0x7f, 3);
    bytes[12..16].copy_from_slice(b"NULL");
    bytes
}

/// Checks the very first byte.
pub(super) fn check_first(byte: u8) -> Result<(), ZmtpError> {
    if byte == 0xff { Ok(()) } else { Err(ZmtpError::Greeting) }
}

/// Checks what a peer says first.
pub(super) fn check_greeting(bytes: &[u8; GREETING]) -> Result<(), ZmtpError> {
    check_first(bytes[0])?;
    if bytes[9] != 0x7f {
        return Err(ZmtpError::Greeting);
    }
    if bytes[10] < 3 {
        return Err(ZmtpError::Version(bytes[10]));
    }
    if bytes[12..32] != greeting()[12..32] {
        return Err(ZmtpError::Mechanism);
    }
    Ok(())
}

/// Our READY command, framed.
pub(super) fn ready() -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    body.extend_from_slice(b"\x0bSocket-Type\x00\x00\x00\x06ROUTER");
    let mut frame = vec![COMMAND, body.len() as u8];
    frame.append(&mut body);
    frame
}

/// Checks a peer's READY: a DEALER (or REQ or ROUTER, which may also talk to a ROUTER; they are of no use to us).
pub(super) fn check_ready(body: &[u8]) -> Result<(), ZmtpError> {
    let mut rest = body.strip_prefix(b"\x05READY").ok_or(ZmtpError::Greeting)?;
    while !rest.is_empty() {
        let (name, value) = split_property(&mut rest).ok_or(ZmtpError::Greeting)?;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            return if value == b"DEALER" {
                Ok(())
            } else {
                Err(ZmtpError::SocketType)
            };
        }
    }
    Err(ZmtpError::SocketType)
}

fn split_property<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (&name_length, tail) = rest.split_first()?;
    let (name, tail) = tail.split_at_checked(name_length.into())?;
    let (length, tail) = tail.split_first_chunk::<4>()?;
    let (value, tail) = tail.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = tail;
    Some((name, value))
}

/// What a frame header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// A whole message of this length.
    Message(usize),
    /// A command of this length.
    Command(usize),
}

/// Reads a frame header from the bytes so far: a frame, or how many bytes are needed. A message longer than `limit` is
/// refused before anything is allocated for it.
pub(super) fn frame(header: &[u8], limit: u64) -> Result<ControlFlow<Frame, usize>, ZmtpError> {
    let Some((&flags, length)) = header.split_first() else {
        return Ok(ControlFlow::Continue(2));
    };
    let size = if flags & LONG == 0 {
        let Some(&size) = length.first() else {
            return Ok(ControlFlow::Continue(2));
        };
        size.into()
    } else {
        let Some(size) = length.first_chunk::<8>() else {
            return Ok(ControlFlow::Continue(9));
        };
        u64::from_be_bytes(*size)
    };
    let is_command = flags & COMMAND != 0;
    let limit = if is_command { MAX_COMMAND } else { limit };
    if size > limit {
        return Err(ZmtpError::Frame { size, limit });
    }
    if flags & MORE != 0 {
        return Err(ZmtpError::Parts);
    }
    let size = size as usize;
    Ok(ControlFlow::Break(if is_command {
        Frame::Command(size)
    } else {
        Frame::Message(size)
    }))
}

/// The header of a one-part message.
pub(super) fn message_header(length: usize) -> [u8; 9] {
    let mut header = [0; 9];
    header[0] = LONG;
    header[1..].copy_from_slice(&(length as u64).to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_are_checked() {
        check_greeting(&greeting()).unwrap();
        let changed = |place: usize, value| {
            let mut bytes = greeting();
            bytes[place] = value;
            check_greeting(&bytes)
        };
        assert_eq!(changed(0, b'G'), Err(ZmtpError::Greeting));
        assert_eq!(changed(10, 2), Err(ZmtpError::Version(2)));
        assert_eq!(changed(12, b'C'), Err(ZmtpError::Mechanism));
        assert_eq!(changed(11, 1), Ok(()), "a newer minor version speaks 3.0 too");
    }

    #[test]
    fn only_dealers_are_ready() {
        let ready = |kind: &[u8]| {
            let length = [0, 0, 0, kind.len() as u8];
            [
                b"\x05READY\x08Identity\x00\x00\x00\x00\x0bSocket-Type".as_slice(),
                &length,
                kind,
            ]
            .concat()
        };
        assert_eq!(check_ready(&ready(b"DEALER")), Ok(()));
        assert_eq!(check_ready(&ready(b"SUB")), Err(ZmtpError::SocketType));
        assert_eq!(check_ready(&ready(b"DEALER")[..20]), Err(ZmtpError::Greeting));
        assert_eq!(check_ready(b"\x05READY\x01a\xff\xff\xff\xff"), Err(ZmtpError::Greeting));
        assert_eq!(check_ready(b""), Err(ZmtpError::Greeting));
    }

    #[test]
    fn frames_are_measured_before_they_are_read() {
        use ControlFlow::{Break, Continue};
        assert_eq!(frame(&[], 100), Ok(Continue(2)));
        assert_eq!(frame(&[0, 7], 100), Ok(Break(Frame::Message(7))));
        assert_eq!(frame(&[4, 7], 100), Ok(Break(Frame::Command(7))));
        assert_eq!(frame(&[2, 0, 0], 100), Ok(Continue(9)));
        assert_eq!(frame(&message_header(90), 100), Ok(Break(Frame::Message(90))));
        assert_eq!(
            frame(&message_header(101), 100),
            Err(ZmtpError::Frame { size: 101, limit: 100 })
        );
        let huge = [2, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(
            frame(&huge, 100),
            Err(ZmtpError::Frame {
                size: u64::MAX,
                limit: 100
            })
        );
        assert_eq!(frame(&[1, 7], 100), Err(ZmtpError::Parts));
    }
}
