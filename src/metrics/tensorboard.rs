//! TensorBoard event files: the same series as metrics.jsonl, one file per session of a run.
//!
//! Record framing and the three messages that scalars need are written here, on `prost` and `crc32c`: the crates that
//! write whole event files (`tensorboard-rs`, `tfrecord`) have not had a release since 2022 and 2023.
//!
//! A resumed run opens a new file whose first event says at which step it goes on. TensorBoard then drops what earlier
//! files hold from that step on, so that curves do not fork.

use super::row::MetricsRow;
use crate::durable::Appender;
use prost::Message;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// `tensorflow.Event`; field numbers as in TensorFlow's event.proto.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

/// `tensorflow.Summary`.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// `tensorflow.Summary.Value` with a scalar.
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// `tensorflow.SessionLog`.
#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.START`.
const START: i32 = 1;

const PREFIX: &str = "events.out.tfevents.";

/// Writes one event file.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: Appender,
}

impl EventWriter {
    /// Creates a new event file in `dir` (created too) for steps from `first_step` on. Steps are rounds. `now` is the
    /// time in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// When the directory or file cannot be written.
    pub fn create(dir: &Path, now: f64, first_step: u64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let (path, file) = new_file(dir, now)?;
        let file = Appender::new(file, 0)?;
        let mut writer = Self { path, file };
        writer.write(&Event {
            wall_time: now,
            file_version: Some("brain.Event:2".into()),
            ..Event::default()
        })?;
        // In every file: TensorBoard takes the first such event for the start of the run and later ones for restarts.
        let session_log = Some(SessionLog { status: START });
        writer.write(&Event {
            wall_time: now,
            step: first_step as i64,
            session_log,
            ..Event::default()
        })?;
        Ok(writer)
    }

    /// Appends the series of a row, at its round.
    ///
    /// # Errors
    /// When writing fails (disk full); the event is not there then, and the writer can be used further.
    pub fn append(&mut self, row: &MetricsRow, now: f64) -> io::Result<()> {
        let value = |(tag, number)| Value {
            tag,
            simple_value: Some(number as f32),
        };
        let summary = Some(Summary {
            value: row.series().into_iter().map(value).collect(),
        });
        self.write(&Event {
            wall_time: now,
            step: row.round as i64,
            summary,
            ..Event::default()
        })
    }

    /// The event file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        // A reader stops for good at half a record.
        self.file.append(&frame(&event.encode_to_vec()))
    }
}

/// Creates the file that readers take for the last: they sort by name, and the time in it must exceed all others'.
fn new_file(dir: &Path, now: f64) -> io::Result<(PathBuf, File)> {
    let mut last = 0u64;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let time = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok());
        last = last.max(time.unwrap_or(0));
    }
    let time = (now.max(0.0) as u64).max(last + 1);
    let path = dir.join(format!("{PREFIX}{time:010}.thermoflow"));
    let file = OpenOptions::new().append(true).create_new(true).open(&path)?;
    Ok((path, file))
}

/// A TFRecord: length, its checksum, data, its checksum.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc(data).to_le_bytes());
    record
}

/// TFRecord's checksum: CRC-32C, rotated and shifted so that checksums of data that contain checksums stay good.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests;
