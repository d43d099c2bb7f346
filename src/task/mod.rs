//! Tasks: an environment, a reward, and what is known about the best objects. No policy, no sampling.
//!
//! A task is one file here and one line in [`Task::build`].

pub mod modes;
pub mod reward;
pub mod tfbind8;

use crate::env::Environment;
use reward::RewardShape;
use std::fmt::Debug;
use std::sync::Arc;

/// Gives raw scores to complete objects, a batch at a time.
pub trait Scorer: Debug + Send + Sync {
    /// Raw scores y, one per complete state (row of `objects`).
    ///
    /// # Errors
    /// When an oracle fails; a table never does.
    fn score(&self, objects: &crate::env::States) -> Result<Vec<f32>, ScoreError>;

    /// Every object and its score, when the task is small enough to enumerate.
    fn is_enumerable(&self) -> bool {
        false
    }
}

/// Why objects could not be scored.
#[derive(Debug, thiserror::Error)]
#[error("objects could not be scored: {0}")]
pub struct ScoreError(pub String);

/// A complete problem: what is built, what it is worth, which objects are listed as modes.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its name in a config and on the command line.
    pub name: String,
    /// Where objects are built.
    pub env: Arc<dyn Environment>,
    /// What they score.
    pub scorer: Arc<dyn Scorer>,
    /// How a score becomes a reward.
    pub reward: RewardShape,
    /// Objects (complete states) to be found; empty when none are listed.
    pub modes: Arc<modes::Modes>,
}
