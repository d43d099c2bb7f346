//! Runs on a real Slurm of three nodes, which the tests start on this machine: launched, drained, scaled, requeued, stopped.
//! What actors were told is safe (their ledgers) is in the replay afterwards.
//!
//! `make test` runs a short form, `make cluster-test` (`THERMOFLOW_CLUSTER=long`) trains longer between the events. Debian's
//! packages slurmctld, slurmd, slurm-client and munge are needed, and root; without them the tests are skipped, but not
//! where CI is set.

#![cfg(unix)]

#[path = "cluster/events.rs"]
mod events;
#[path = "cluster/input.rs"]
mod input;
#[path = "shared/processes.rs"]
mod processes;
#[path = "shared/replays.rs"]
mod replays;
#[path = "cluster/run.rs"]
mod run;
#[path = "cluster/slurm.rs"]
mod slurm;
