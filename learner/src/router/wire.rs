//! Frames on a connection, read and written; what is in them is for others. Nothing is allocated that did not come.

use super::zmtp::{self, Frame, GREETING, ZmtpError};
use super::{CHUNK, Closed};
use std::io;
use std::ops::ControlFlow;
use thermoflow::protocol::secure::{MAX_UNSEALED, Sealer, overhead};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Read at a time before a message's length is known: headers, and small messages as a whole.
const BUFFER: usize = 4 << 10;

/// Read from a peer that was told to go, while it takes that in, bytes.
const LAST: u64 = 4 << 10;

/// The receiving half of a connection.
pub(super) type Reader = BufReader<OwnedReadHalf>;

pub(super) fn reader(half: OwnedReadHalf) -> Reader {
    BufReader::with_capacity(BUFFER, half)
}

/// Greeting and READY, both ways.
pub(super) async fn greet(read: &mut Reader, write: &mut OwnedWriteHalf) -> Result<(), Closed> {
    write.write_all(&zmtp::greeting()).await?;
    let mut greeting = [0; GREETING];
    // Another protocol may have said all that it has to say in fewer bytes.
    read.read_exact(&mut greeting[..1]).await?;
    zmtp::check_first(greeting[0])?;
    read.read_exact(&mut greeting[1..]).await?;
    zmtp::check_greeting(&greeting)?;
    write.write_all(&zmtp::ready()).await?;
    match read_header(read, MAX_UNSEALED).await? {
        Frame::Command(length) => Ok(zmtp::check_ready(&read_body(read, length).await?)?),
        Frame::Message(_) => Err(ZmtpError::Greeting.into()),
    }
}

/// The next message of at most `limit` bytes; a command in its place is an error.
pub(super) async fn read_message(read: &mut Reader, limit: usize) -> Result<Vec<u8>, Closed> {
    match read_header(read, limit).await? {
        Frame::Message(length) => Ok(read_body(read, length).await?),
        Frame::Command(_) => Err(ZmtpError::Greeting.into()),
    }
}

/// What comes next; a message of at most `limit` bytes.
pub(super) async fn read_header(read: &mut Reader, limit: usize) -> Result<Frame, Closed> {
    let mut header = Vec::with_capacity(9);
    loop {
        match zmtp::frame(&header, limit as u64)? {
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
pub(super) async fn read_body(read: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(length.min(CHUNK));
    read.take(length as u64).read_to_end(&mut body).await?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

/// Writes a message as it is.
pub(super) async fn write_message(write: &mut OwnedWriteHalf, message: &[u8]) -> io::Result<()> {
    write.write_all(&zmtp::message_header(message.len())).await?;
    write.write_all(message).await
}

/// Writes a message sealed, piece by piece: a shared one, such as weights, is not copied as a whole for each connection.
pub(super) async fn write_sealed(write: &mut OwnedWriteHalf, sealer: &mut Sealer, message: &[u8]) -> io::Result<()> {
    let length = message.len() + overhead(message.len());
    write.write_all(&zmtp::message_header(length)).await?;
    for piece in sealer.seal(message) {
        write.write_all(&piece).await?;
    }
    Ok(())
}

/// Writes a message and ends the connection so that the peer can read it: closing while there is something unread would
/// take it away again.
pub(super) async fn say_last(read: &mut Reader, write: &mut OwnedWriteHalf, message: &[u8]) -> io::Result<()> {
    write_message(write, message).await?;
    write.shutdown().await?;
    tokio::io::copy(&mut read.take(LAST), &mut tokio::io::sink()).await?;
    Ok(())
}
