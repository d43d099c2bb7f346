//! Runs in the background and on a cluster: what is started, as data. A [`Plan`] has the learner's job and the actors';
//! [`script`] writes one for Slurm, [`queue`] reads what Slurm says of them, [`local`] has them as processes of one machine,
//! [`kubernetes`] writes manifests. [`scale`] decides who starts and who stops, [`Record`] is what the run directory keeps.
//! Nothing is started here, and no scheduler is asked: `src/cli/launch` does that.
//!
//! Invariant: launch.json is on the disk before anything is submitted, and jobs are found by the name in it. So whatever
//! happens while a run is launched, `launch stop` finds all of it.
//!
//! Invariant: neither a script nor launch.json holds a key; they name the file or the variable.

mod error;
mod job;
mod json;
pub mod kubernetes;
pub mod local;
mod paths;
pub mod queue;
mod record;
pub mod scale;
pub mod script;
#[cfg(test)]
mod tests;

pub use error::LaunchError;
pub use job::{Job, Key, Plan, Programs, Request, Word};
pub use paths::LaunchPaths;
pub(crate) use paths::{DIRECTORY, RECORD};
pub use record::{Record, Scheduler};
