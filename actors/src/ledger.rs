//! The actor's own account of what it made and what it was told is safe (`--ledger`), one line of JSON for each change.
//! Audits compare it with the replay; nothing reads it back.

use serde_json::json;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use thermoflow::durable::Appender;
use thermoflow::protocol::ActorSession;
use thermoflow::units::{Incarnation, Seq};

/// See the module.
pub(crate) struct Ledger {
    file: Appender,
    incarnation: Incarnation,
    noted: Option<(Seq, Seq)>,
}

impl Ledger {
    /// Goes on behind what is in the file.
    pub fn open(path: &Path, incarnation: Incarnation) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let length = file.metadata()?.len();
        Ok(Self {
            file: Appender::new(file, length)?,
            incarnation,
            noted: None,
        })
    }

    /// Writes a line if anything was made or acknowledged since the last one.
    pub fn note(&mut self, session: &ActorSession) -> io::Result<()> {
        let now = (session.next(), session.oldest());
        if self.noted == Some(now) {
            return Ok(());
        }
        let incarnation = self.incarnation.to_string();
        let mut line = json!({"incarnation": incarnation, "made": now.0, "acknowledged": now.1}).to_string();
        line.push('\n');
        self.file.append(line.as_bytes())?;
        self.noted = Some(now);
        Ok(())
    }
}
