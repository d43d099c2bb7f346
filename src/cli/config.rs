//! `thermoflow config check`: a configuration as a run would use it. And the arguments with which every command that
//! takes a configuration reads one.

use super::Output;
use anyhow::Context;
use std::io::Write;
use std::path::PathBuf;
use thermoflow::config::{self, RawConfig, RunConfig};
use thermoflow::task::Task;

const EXAMPLES: &str = "\
Examples:
  thermoflow config check configs/tfbind8.toml
  thermoflow config check configs/tfbind8.toml --set train.rounds=50 --set train.beta.max=5
  thermoflow config check my.toml > whole.toml";

/// Checks a configuration file
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Prints the configuration that a run would use, every key written out, or the first mistake with its place
    #[command(after_help = EXAMPLES)]
    Check(Source),
}

/// Where a configuration comes from; other subcommands flatten this into their arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct Source {
    /// Configuration file (TOML)
    #[arg(value_name = "CONFIG")]
    pub file: PathBuf,
    /// Set a key of the configuration: a dotted path and a TOML value (may be given more than once)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

impl Source {
    /// The configuration; `flags` wins over the file and over `--set`.
    pub fn load(&self, flags: &RawConfig) -> anyhow::Result<RunConfig> {
        Ok(config::load(&self.file, &self.sets, flags)?)
    }
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let Command::Check(source) = self.command;
        let config = source.load(&RawConfig::default())?;
        Task::load(&config.task).with_context(|| format!("task of {}", source.file.display()))?;
        out.write_all(config.to_toml().as_bytes())?;
        Ok(())
    }
}
