//! `thermoflow replay serve`: runs in a browser.

use crate::InspectError;
use crate::serve::{self, Door, Run};
use anyhow::Context;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use thermoflow::console::Output;
use thermoflow::process::stop_requested;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

const EXAMPLES: &str = "\
Examples:
  thermoflow replay serve runs/a                       open the address that it prints
  thermoflow replay serve runs/*                       several runs, side by side
  thermoflow replay serve runs/a --bind 0.0.0.0:8070   for other machines, with a token

A run on another machine: serve it there, then here `ssh -L 8070:localhost:8070 THERE`, which also encrypts.
THERMOFLOW_TOKEN sets the token; without it a new one is drawn at each start.";

/// Shows runs in a browser, live, on this machine
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Run directories, or files replay.sqlite; the first is shown first
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Address and port (0: any that is free). Other than loopback is for everybody who has the token
    #[arg(long, default_value = "127.0.0.1:8070", value_name = "ADDRESS:PORT")]
    bind: SocketAddr,
    /// Ask for a token on loopback, too: others use this machine
    #[arg(long)]
    token: bool,
}

/// Where a token of the user's own stands.
const TOKEN: &str = "THERMOFLOW_TOKEN";

/// The least length of such a token.
const LEAST: usize = 16;

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let runs: Vec<Run> = self.runs.iter().map(|run| Run::open(run)).collect::<Result<_, _>>()?;
        let token = if self.token || !self.bind.ip().is_loopback() {
            Some(token()?)
        } else {
            None
        };
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let result = self.serve(&runtime, runs, token, out);
        // An answer that is being made is not waited for.
        runtime.shutdown_timeout(Duration::from_millis(100));
        result
    }

    fn serve(&self, runtime: &Runtime, runs: Vec<Run>, token: Option<String>, out: &mut Output) -> anyhow::Result<()> {
        runtime.block_on(async {
            let listener = self.listen().await?;
            let door = Door::new(listener.local_addr()?, token).expect("there is a token beyond loopback");
            // Before anybody is told that it can be stopped.
            let stop = stop_requested(false)?;
            writeln!(out, "{}  (Ctrl-C stops)", door.url())?;
            out.flush()?;
            Ok(serve::serve(listener, runs, door, stop).await?)
        })
    }

    async fn listen(&self) -> anyhow::Result<TcpListener> {
        let address = self.bind;
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => Err(InspectError::Input(format!(
                "{address} is in use: choose another with --bind, or port 0 for any that is free"
            ))
            .into()),
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => Err(InspectError::Input(format!(
                "{address} is no address of this machine: --bind 0.0.0.0:PORT is all of them"
            ))
            .into()),
            other => other.with_context(|| format!("cannot listen at {address}")),
        }
    }
}

fn token() -> Result<String, InspectError> {
    match std::env::var(TOKEN) {
        Ok(token) if token.len() >= LEAST && token.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Ok(token),
        Ok(_) => Err(InspectError::Input(format!(
            "{TOKEN} must be letters and digits, at least {LEAST} of them"
        ))),
        Err(_) => Ok(rand::random::<[u8; 16]>()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()),
    }
}
