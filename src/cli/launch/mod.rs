//! `thermoflow launch`: a run as jobs of Slurm, as processes in the background, or as manifests of Kubernetes, and what
//! becomes of it. What is started is decided in [`thermoflow::launch`]; here schedulers and processes are called.

mod control;
mod keep;
mod kubernetes;
mod local;
mod logs;
mod probe;
mod queue;
mod slurm;
mod start;
mod status;

use super::Output;

const EXAMPLES: &str = "\
Examples:
  thermoflow launch local configs/tfbind8.toml --run-dir runs/a --actors 2      in the background, on this machine
  thermoflow launch slurm configs/tfbind8.toml --run-dir /shared/runs/a --actors 20 --key-file ~/thermoflow.key --dry-run
  thermoflow launch slurm configs/tfbind8.toml --run-dir /shared/runs/a --actors 20 --key-file ~/thermoflow.key
  thermoflow launch slurm configs/tfbind8.toml --run-dir /shared/runs/b --actors 9600 --actors-per-task 32 --key-file ~/thermoflow.key
                                                    300 nodes with 32 actors behind a relay each
  thermoflow launch kubernetes configs/tfbind8.toml --dry-run --image registry.example/thermoflow:1 --key-secret thermoflow
  thermoflow launch status /shared/runs/a           who runs where, and how training goes
  thermoflow launch logs /shared/runs/a learner     last words
  thermoflow launch scale /shared/runs/a --actors 60
  thermoflow launch stop /shared/runs/a             leaves a run that can be resumed

docs/cluster.md goes from nothing to a run on three nodes.";

/// Starts a run in the background or on a cluster (Slurm), watches it, gives it more or fewer actors, stops it
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
    Slurm(slurm::Args),
    /// Starts a learner and its actors in the background of this machine
    #[command(after_help = EXAMPLES)]
    Local(local::Args),
    /// Writes a learner and its actors as manifests of Kubernetes
    #[command(after_help = EXAMPLES)]
    Kubernetes(kubernetes::Args),
    /// Shows who runs where and how training goes
    Status(status::Args),
    /// Shows what the programs said last
    Logs(logs::Args),
    /// Gives a live run another number of actors
    Scale(control::ScaleArgs),
    /// Stops a run: actors deliver what they have, the learner writes a checkpoint
    Stop(control::StopArgs),
    /// Runs a program within a job (what `launch` starts does)
    #[command(hide = true)]
    Keep(keep::Args),
    /// Looks around on a compute node (`launch slurm` does)
    #[command(hide = true)]
    Probe(probe::Args),
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        match self.command {
            Command::Slurm(args) => args.run(out),
            Command::Local(args) => args.run(out),
            Command::Kubernetes(args) => args.run(out),
            Command::Status(args) => args.run(out),
            Command::Logs(args) => args.run(out),
            Command::Scale(args) => args.run(out),
            Command::Stop(args) => args.run(out),
            Command::Keep(args) => args.run(),
            Command::Probe(args) => args.run(),
        }
    }
}
