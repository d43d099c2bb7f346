//! Roll-outs: sampling trajectories forward with P_F and backward with P_B, many at once.

mod roller;
mod trajectory;
mod walker;

pub use roller::{RollError, RollRequest, Roller};
pub use trajectory::{Paths, Trajectory};
pub use walker::{Walk, Walker};
