//! `thermoflow key`: makes and renews the key that a learner and its actors share. Never prints one.

use super::Output;
use anyhow::Context;
use rand::TryRng;
use rand::rngs::SysRng;
use std::io::Write;
use std::path::{Path, PathBuf};
use thermoflow::protocol::secure::{Key, KeyRing, files};
use zeroize::Zeroizing;

const EXAMPLES: &str = "\
Examples:
  thermoflow key new ~/thermoflow.key       make one, then copy it to where the actors run
  thermoflow key id ~/thermoflow.key        the same on both sides?
  thermoflow key rotate ~/thermoflow.key    a new key; the old one stays accepted until the next rotation

SECURITY.md says what a key protects, and what it does not.";

/// Makes and renews the key that a learner and its actors share
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes a key file that only you can read
    #[command(after_help = EXAMPLES)]
    New {
        /// The file; it must not be there yet
        path: PathBuf,
    },
    /// Puts a new key first; the one before stays accepted, an older one does not
    #[command(after_help = EXAMPLES)]
    Rotate {
        /// A key file
        path: PathBuf,
    },
    /// Shows which keys a file holds, by their ids
    #[command(after_help = EXAMPLES)]
    Id {
        /// A key file
        path: PathBuf,
    },
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        match self.command {
            Command::New { path } => new(&path, out),
            Command::Rotate { path } => rotate(&path, out),
            Command::Id { path } => id(&path, out),
        }
    }
}

fn new(path: &Path, out: &mut Output) -> anyhow::Result<()> {
    let keys = KeyRing::new(draw()?);
    files::create(path, &keys)?;
    let (shown, id) = (path.display(), keys.newest().id());
    writeln!(
        out,
        "{shown} holds the new key {id}. Whoever can read the file can join your runs."
    )?;
    writeln!(out, "\nNext:")?;
    writeln!(
        out,
        "  scp -p {shown} HOST:{shown}          to every machine that runs actors"
    )?;
    writeln!(
        out,
        "  thermoflow learner CONFIG --run-dir DIR --bind tcp://0.0.0.0:5555 --key-file {shown}"
    )?;
    writeln!(
        out,
        "  thermoflow actor --connect tcp://LEARNER:5555 --key-file {shown}"
    )?;
    Ok(())
}

fn rotate(path: &Path, out: &mut Output) -> anyhow::Result<()> {
    let old = files::read(path)?;
    let keys = old.rotated(draw()?);
    files::replace(path, &keys)?;
    let (shown, id, before) = (path.display(), keys.newest().id(), old.newest().id());
    writeln!(out, "{shown} holds the new key {id}; {before} stays accepted.")?;
    for key in &old.keys()[1..] {
        writeln!(out, "{} is no longer accepted.", key.id())?;
    }
    writeln!(
        out,
        "\nNext: copy the file to the actors' machines. Running programs read it by themselves: learners before the next \
         actor connects, actors when they connect again. Then rotate once more, and the old key is worth nothing."
    )?;
    Ok(())
}

fn id(path: &Path, out: &mut Output) -> anyhow::Result<()> {
    let keys = files::read(path)?;
    for (key, role) in keys.keys().iter().zip(["newest", "still accepted"]) {
        writeln!(out, "{} {role}", key.id())?;
    }
    Ok(())
}

/// A key from the system's randomness.
fn draw() -> anyhow::Result<Key> {
    let mut bytes = Zeroizing::new([0; 32]);
    SysRng
        .try_fill_bytes(&mut *bytes)
        .context("the system gives no random numbers")?;
    Ok(Key::new(*bytes))
}
