//! Thermoflow: temperature-conditional GFlowNets with many actors and one learner.
//!
//! The core decides, the programs do I/O: nothing here owns a socket, a clock or a global generator. ARCHITECTURE.md
//! has the map.

// The command line names the library as other programs do.
extern crate self as thermoflow;

pub mod beta;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod console;
pub mod durable;
pub mod env;
pub mod exact;
pub mod experiment;
pub mod flow;
#[cfg(any(test, fuzzing))]
pub mod hostile;
pub mod launch;
pub mod libtorch;
pub mod lock;
pub mod logging;
pub mod metrics;
pub mod objective;
pub mod offline;
pub mod optimizer;
pub mod plan;
pub mod plot;
pub mod policy;
pub mod process;
pub mod protocol;
pub mod random;
pub mod replay;
pub mod report;
pub mod rollout;
pub mod rounds;
pub mod run_dir;
pub mod sampling;
pub mod scoring;
#[cfg(test)]
mod small_disk;
mod spread;
pub mod suggest;
pub mod task;
pub mod trainer;
pub mod units;
