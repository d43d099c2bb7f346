//! Roll-outs: sampling trajectories forward with P_F and backward with P_B, many at once.

mod roller;
mod trajectory;
mod walker;

pub use roller::{RollError, RollRequest, Roller};
pub use trajectory::{Paths, Trajectory};
pub use walker::{Walk, Walker};

use crate::env::{Action, Environment};
use crate::random::Stream;

/// Actions drawn evenly, without a policy, until an object is complete; and the object.
pub fn random_walk(env: &dyn Environment, stream: &mut Stream) -> (Vec<Action>, Vec<u8>) {
    let mut state = env.initial().to_vec();
    let mut actions = Vec::with_capacity(env.max_steps());
    while !env.is_complete(&state) {
        let action = stream.below(env.action_count()) as Action;
        if env.step(&mut state, action) {
            actions.push(action);
        }
    }
    (actions, state)
}
