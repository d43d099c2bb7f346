//! metrics.jsonl: a line per report, appended while anyone may read.
//!
//! Invariant: a line is written whole or, after a crash or on a full disk, is torn at the very end only; what is torn is
//! cut off before the next line is written.

use super::row::MetricsRow;
use crate::durable::{self, Appender};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Why metrics could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Reading or writing failed.
    #[error("{doing} {path} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A line that is no report.
    #[error("line {line} of {path} is no report")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// What had to be done on opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// The file was whole.
    None,
    /// The last line lacked its end and is a whole report: it got its end.
    Completed,
    /// The last line was torn: so many bytes were cut off.
    Cut(u64),
}

/// The file, open for appending.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: Appender,
}

impl MetricsLog {
    /// Opens or creates the file; a torn last line is repaired.
    ///
    /// # Errors
    /// When the file cannot be opened, read or repaired.
    pub fn open(path: &Path) -> Result<(Self, Repair), MetricsError> {
        let io = |doing| {
            move |source| MetricsError::Io {
                doing,
                path: path.into(),
                source,
            }
        };
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(io("opening"))?;
        let bytes = fs::read(path).map_err(io("reading"))?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let torn = &bytes[whole..];
        let is_report = serde_json::from_slice::<MetricsRow>(torn).is_ok();
        let kept = if is_report { bytes.len() } else { whole };
        let mut file = Appender::new(file, kept as u64).map_err(io("repairing"))?;
        if is_report {
            file.append(b"\n").map_err(io("repairing"))?;
        }
        let repair = match torn.len() {
            0 => Repair::None,
            _ if is_report => Repair::Completed,
            cut => Repair::Cut(cut as u64),
        };
        let path = path.into();
        Ok((Self { path, file }, repair))
    }

    /// Appends a report as one write.
    ///
    /// # Errors
    /// When writing fails (disk full); the line is not there then, and the log can be used further.
    pub fn append(&mut self, row: &MetricsRow) -> Result<(), MetricsError> {
        let mut line = serde_json::to_vec(row).expect("a row is plain data");
        line.push(b'\n');
        self.file.append(&line).map_err(|source| MetricsError::Io {
            doing: "writing",
            path: self.path.clone(),
            source,
        })
    }

    /// Forgets reports of rounds after `round`, for a resume from an older checkpoint. Atomic: a reader sees the old
    /// file or the new one. Returns how many were forgotten.
    ///
    /// # Errors
    /// When a line is no report, or writing fails; the file is unchanged then.
    pub fn truncate_after(&mut self, round: u64) -> Result<usize, MetricsError> {
        let text = read_text(&self.path)?;
        let mut kept = String::with_capacity(text.len());
        let mut forgotten = 0;
        for (line, row) in parse(&self.path, &text) {
            if row?.round <= round {
                kept.push_str(line);
                kept.push('\n');
            } else {
                forgotten += 1;
            }
        }
        if forgotten > 0 {
            let io = |doing| {
                let path = self.path.clone();
                move |source| MetricsError::Io { doing, path, source }
            };
            durable::replace(&self.path, kept.as_bytes()).map_err(io("replacing"))?;
            let file = OpenOptions::new()
                .append(true)
                .open(&self.path)
                .map_err(io("opening"))?;
            self.file = Appender::new(file, kept.len() as u64).map_err(io("opening"))?;
        }
        Ok(forgotten)
    }
}

/// Reads all reports. A torn last line (the writer may be at it) is left out.
///
/// # Errors
/// When the file cannot be read, or a line is no report.
pub fn read(path: &Path) -> Result<Vec<MetricsRow>, MetricsError> {
    parse(path, &read_text(path)?).map(|(_, row)| row).collect()
}

/// The whole lines.
fn read_text(path: &Path) -> Result<String, MetricsError> {
    let bytes = fs::read(path).map_err(|source| MetricsError::Io {
        doing: "reading",
        path: path.into(),
        source,
    })?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    Ok(text)
}

fn parse<'a>(path: &'a Path, text: &'a str) -> impl Iterator<Item = (&'a str, Result<MetricsRow, MetricsError>)> + 'a {
    text.lines().enumerate().map(|(number, line)| {
        let row = serde_json::from_str(line);
        (
            line,
            row.map_err(|source| MetricsError::Line {
                path: path.into(),
                line: number + 1,
                source,
            }),
        )
    })
}

#[cfg(test)]
mod tests;
