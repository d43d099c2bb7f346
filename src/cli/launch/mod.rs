//! `thermoflow launch`: a run as jobs of Slurm, and what becomes of it. What is started is decided in
//! [`thermoflow::launch`]; here Slurm's commands are called.

mod control;
mod keep;
mod preflight;
mod slurm;
mod start;
mod status;

use super::Output;

const EXAMPLES: &str = "\
Examples:
  thermoflow launch slurm configs/tfbind8.toml --run-dir /shared/runs/a --actors 20 --key-file ~/thermoflow.key --dry-run
  thermoflow launch slurm configs/tfbind8.toml --run-dir /shared/runs/a --actors 20 --key-file ~/thermoflow.key
  thermoflow launch status /shared/runs/a           who runs where, and how training goes
  thermoflow launch logs /shared/runs/a learner     last words
  thermoflow launch scale /shared/runs/a --actors 60
  thermoflow launch stop /shared/runs/a             leaves a run that can be resumed

docs/cluster.md goes from nothing to a run on three nodes.";

/// Starts a run on a cluster (Slurm), watches it, gives it more or fewer actors, stops it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Submits a learner and its actors to Slurm
    #[command(after_help = EXAMPLES)]
    Slurm(start::Args),
    /// Shows who runs where and how training goes
    Status(status::StatusArgs),
    /// Shows what the programs said last
    Logs(status::LogsArgs),
    /// Gives a live run another number of actors
    Scale(control::ScaleArgs),
    /// Stops a run: actors deliver what they have, the learner writes a checkpoint
    Stop(control::StopArgs),
    /// Runs a program within a job (scripts of `launch slurm` do)
    #[command(hide = true)]
    Keep(keep::Args),
    /// Looks around on a compute node (`launch slurm` does)
    #[command(hide = true)]
    Probe(preflight::ProbeArgs),
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        match self.command {
            Command::Slurm(args) => args.run(out),
            Command::Status(args) => args.run(out),
            Command::Logs(args) => args.run(out),
            Command::Scale(args) => args.run(out),
            Command::Stop(args) => args.run(out),
            Command::Keep(args) => args.run(),
            Command::Probe(args) => args.run(),
        }
    }
}
