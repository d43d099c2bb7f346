//! The actors that a relay starts itself (`--crew`): processes on its node, which connect to it.
//!
//! They are asked to stop by the end of their standard input, never by a signal: when Slurm ends a job, SIGTERM goes to every
//! process, and a second request would stop an actor at once.
//!
//! Invariant: the relay alone holds the writing ends, so its actors stop however it ends.

use crate::error::RelayError;
use std::future::pending;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use thermoflow::protocol::address::Address;
use thermoflow::protocol::secure::KeySource;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::{info, warn};

/// What stands for an actor's number at the end of an argument.
const NUMBER: &str = "{}";

/// How long actors may take to end once the relay passes nothing on any more. They have delivered by then, or cannot; what
/// takes time is the end of a roll-out.
const END_WITHIN: Duration = Duration::from_secs(20);

/// What is started.
#[derive(Debug, Clone)]
pub struct CrewSettings {
    /// The program of an actor.
    pub program: PathBuf,
    /// Actors; their numbers count from 0.
    pub actors: u32,
    /// Arguments of each, beyond the address and the key; `{}` at the end of one stands for the actor's number.
    pub arguments: Vec<String>,
}

impl CrewSettings {
    /// Starts an actor that connects to `address`.
    fn start(&self, number: u32, address: &Address, key: Option<&KeySource>) -> Result<Child, RelayError> {
        let mut command = Command::new(&self.program);
        command.arg("--watch-stdin").arg("--connect").arg(address.to_string());
        if let Some(KeySource::File(path)) = key {
            command.arg("--key-file").arg(path);
        }
        command.args(self.arguments.iter().map(|argument| numbered(argument, number)));
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        piped.kill_on_drop(true).spawn().map_err(RelayError::Process)
    }
}

fn numbered(argument: &str, number: u32) -> String {
    match argument.strip_suffix(NUMBER) {
        Some(before) => format!("{before}{number}"),
        None => argument.to_owned(),
    }
}

/// See the module. Dropping it kills them.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    /// Closing one asks an actor to stop.
    stdins: Vec<ChildStdin>,
    actors: JoinSet<Result<(), RelayError>>,
    failed: Option<RelayError>,
}

impl Crew {
    /// Starts all of them; after an error none is running.
    pub fn start(settings: &CrewSettings, address: &Address, key: Option<&KeySource>) -> Result<Self, RelayError> {
        let mut crew = Self::default();
        for number in 0..settings.actors {
            let mut child = settings.start(number, address, key)?;
            crew.stdins.extend(child.stdin.take());
            crew.actors.spawn(follow(number, child));
        }
        Ok(crew)
    }

    /// Resolves when one has ended badly, or all have ended. A relay without a crew waits for ever.
    pub async fn over(&mut self) {
        if self.actors.is_empty() {
            return pending().await;
        }
        while let Some(ended) = self.actors.join_next().await {
            self.note(ended);
            if self.failed.is_some() {
                return warn!("an actor has ended badly; the others are asked to stop");
            }
        }
        info!("all actors have ended");
    }

    /// Asks all of them to stop; asking again is harmless.
    pub fn stop(&mut self) {
        self.stdins.clear();
    }

    /// Asks them to stop and waits until they have.
    ///
    /// # Errors
    /// The first that ended badly, or those that had to be killed.
    pub async fn end(mut self) -> Result<(), RelayError> {
        self.stop();
        let all = async {
            while let Some(ended) = self.actors.join_next().await {
                self.note(ended);
            }
        };
        if timeout(END_WITHIN, all).await.is_err() {
            let (actors, within) = (self.actors.len(), END_WITHIN);
            self.actors.shutdown().await;
            self.failed.get_or_insert(RelayError::Stuck { actors, within });
        }
        self.failed.map_or(Ok(()), Err)
    }

    fn note(&mut self, ended: Result<Result<(), RelayError>, JoinError>) {
        let ended = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if let Err(error) = ended {
            self.failed.get_or_insert(error);
        }
    }
}

/// Until an actor ends, passes on what it says.
async fn follow(number: u32, mut child: Child) -> Result<(), RelayError> {
    let said = pass_on(number, child.stderr.take()).await;
    let status = child.wait().await.map_err(RelayError::Process)?;
    if status.success() {
        return Ok(());
    }
    Err(RelayError::Actor { number, status, said })
}

/// Writes lines behind the actor's number to standard error; returns the last with which it says why it failed.
async fn pass_on(number: u32, from: Option<impl AsyncRead + Unpin>) -> Option<String> {
    let mut lines = BufReader::new(from?).lines();
    let mut error = None;
    while let Ok(Some(line)) = lines.next_line().await {
        // JSON stays JSON; it has the actor's name in it.
        let prefix = if line.starts_with('{') {
            String::new()
        } else {
            format!("actor {number}: ")
        };
        // There is nobody left to tell when stderr is closed.
        let _ = std::io::stderr().write_all(format!("{prefix}{line}\n").as_bytes());
        error = line.strip_prefix("error: ").map(str::to_owned).or(error);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn an_actor_s_number_stands_at_the_end_of_arguments_only() {
        assert_eq!(numbered("/runs/{}/actor-3.{}", 12), "/runs/{}/actor-3.12");
        assert_eq!(numbered("--name", 12), "--name");
        assert_eq!(numbered("{}", 0), "0");
    }
}
