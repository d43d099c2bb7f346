//! Damage in the write-ahead log that SQLite would pass over in silence. Reads the file only; its format is SQLite's
//! (<https://www.sqlite.org/fileformat2.html#walformat>).
//!
//! SQLite takes a frame whose checksum is wrong for the end of what was written, as after a power cut in the middle of a
//! commit, and drops what follows. But commits are synced one by one, so a whole commit with more behind it was on the
//! disk before the next was begun: a bad frame before that is damage, and what SQLite would drop was acknowledged.

use super::error::StoreError;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The first bytes of a log with little-endian checksums; with big-endian ones the last bit is set.
const MAGIC: u32 = 0x377f_0682;

/// A running checksum.
type Sum = [u32; 2];

/// Refuses a replay whose log has lost commits. To be called before SQLite opens it: a write would make it final.
///
/// # Errors
/// A frame is damaged and whole commits follow it, or reading fails.
pub fn check(path: &Path) -> Result<(), StoreError> {
    let wal = wal_of(path);
    let damaged = match File::open(&wal) {
        Ok(file) => first_damaged(&mut BufReader::with_capacity(1 << 20, file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    match damaged {
        Ok(None) => Ok(()),
        Ok(Some(frame)) => Err(StoreError::DamagedLog {
            path: path.into(),
            wal,
            frame,
        }),
        Err(error) => Err(StoreError::NotWritable {
            path: wal,
            detail: error.to_string(),
        }),
    }
}

/// Where the write-ahead log of a database is.
pub fn wal_of(path: &Path) -> PathBuf {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

/// The number of the first bad frame (from 0), if whole commits follow it.
fn first_damaged(wal: &mut impl Read) -> io::Result<Option<u64>> {
    let Some(log) = Log::read(wal)? else { return Ok(None) };
    let mut frame = vec![0; FRAME_HEADER + log.page];
    // What the frame before left behind, by its own account.
    let mut before = log.sum;
    let (mut bad, mut after_commit) = (None, false);
    for number in 0.. {
        if !fill(wal, &mut frame)? {
            break;
        }
        let stated = [word(&frame, 16), word(&frame, 20)];
        let whole = frame[8..16] == log.salts && log.frame_sum(before, &frame) == stated;
        match (whole, bad) {
            (false, None) => bad = Some(number),
            (true, Some(_)) if after_commit => return Ok(bad),
            _ => {}
        }
        // Only a last frame of a commit says how many pages the database has.
        after_commit = whole && bad.is_some() && word(&frame, 4) != 0;
        before = stated;
    }
    Ok(None)
}

/// What the header says.
struct Log {
    page: usize,
    /// Frames of an earlier use of the file have others.
    salts: [u8; 8],
    sum: Sum,
    word: fn([u8; 4]) -> u32,
}

impl Log {
    /// None where there is no header, or none that SQLite would believe.
    fn read(wal: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        if !fill(wal, &mut header)? || word(&header, 0) & !1 != MAGIC {
            return Ok(None);
        }
        let word_of = if word(&header, 0) & 1 == 0 {
            u32::from_le_bytes
        } else {
            u32::from_be_bytes
        };
        let (page, sum) = (word(&header, 8), checksum(word_of, [0; 2], &header[..24]));
        let believed = sum == [word(&header, 24), word(&header, 28)] && page.is_power_of_two() && page <= 1 << 16;
        Ok(believed.then(|| Self {
            page: page as usize,
            salts: header[16..24].try_into().expect("eight bytes"),
            sum,
            word: word_of,
        }))
    }

    fn frame_sum(&self, before: Sum, frame: &[u8]) -> Sum {
        let (header, page) = frame.split_at(FRAME_HEADER);
        checksum(self.word, checksum(self.word, before, &header[..8]), page)
    }
}

fn checksum(word: fn([u8; 4]) -> u32, sum: Sum, bytes: &[u8]) -> Sum {
    bytes
        .as_chunks::<8>()
        .0
        .iter()
        .fold(sum, |[a, b], &[i, j, k, l, m, n, o, p]| {
            let a = a.wrapping_add(word([i, j, k, l])).wrapping_add(b);
            [a, b.wrapping_add(word([m, n, o, p])).wrapping_add(a)]
        })
}

/// The big-endian number at a place.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// False at the end of the file.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
