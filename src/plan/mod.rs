//! What a run of so many actors will do on so many machines, before it is started: `thermoflow plan`.
//!
//! [`Costs`] are what the parts of a run cost on a machine, measured there (`src/cli/plan/measure.rs` does it; here is no
//! clock). [`simulate`] lets the real [`Fleet`](crate::protocol::Fleet), [`ActorSession`](crate::protocol::ActorSession)
//! and [`Pacing`](crate::flow::Pacing) play the run in virtual time, every computation taking what it costs, on cores and
//! links that are shared. [`Prediction`] is what came of it, and [`advice`] names what limits the run and what to change.
//!
//! Not modelled: faults, start-up, and how training changes what a roll-out costs.

pub mod advice;
mod costs;
mod prediction;
mod scenario;
mod simulate;

pub use advice::{Advice, Limit, Readings};
pub use costs::{ActorCosts, Bytes, Costs, CostsError, LearnerCosts, LinkCosts, MeasuredFor};
pub use prediction::Prediction;
pub use scenario::{Impossible, Reward, Scenario, Slow};
pub use simulate::{Progress, simulate};
