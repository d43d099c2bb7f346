//! Roll-outs: sampling trajectories forward with P_F and backward with P_B, many at once.

mod roller;
mod trajectory;

pub use roller::{RollError, RollRequest, Roller};
pub use trajectory::{Paths, Trajectory};
