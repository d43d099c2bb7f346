//! Objectives: losses on log-probabilities and their gradients. No networks here.

mod trajectory_balance;

pub use trajectory_balance::{Balance, trajectory_balance};
