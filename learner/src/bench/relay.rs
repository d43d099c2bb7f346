//! The relay of the bench: the program itself, which lies beside this one.

use anyhow::{Context, ensure};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use thermoflow::protocol::address::Address;

/// How long it may take to listen.
const START_WITHIN: Duration = Duration::from_secs(10);

/// A running relay; it ends with this.
pub(super) struct Relay {
    /// Where actors find it.
    pub address: Address,
    process: Child,
}

impl Relay {
    /// Starts one that connects to `learner` and writes where it listens into `file`.
    pub fn start(learner: &Address, file: &Path) -> anyhow::Result<Self> {
        let name = format!("thermoflow-relay{}", std::env::consts::EXE_SUFFIX);
        let program = std::env::current_exe()?.with_file_name(name);
        let mut command = Command::new(&program);
        command
            .args(["--connect", &learner.to_string()])
            .arg("--address-file")
            .arg(file);
        command.env("RUST_LOG", "warn").stdin(Stdio::null());
        let process = command
            .spawn()
            .with_context(|| format!("{} cannot be started (build all programs)", program.display()))?;
        let mut relay = Self {
            address: learner.clone(),
            process,
        };
        let start = Instant::now();
        while !file.exists() {
            let ended = relay.process.try_wait()?;
            ensure!(
                ended.is_none() && start.elapsed() < START_WITHIN,
                "the relay does not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        relay.address = std::fs::read_to_string(file)?.trim().parse()?;
        Ok(relay)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
