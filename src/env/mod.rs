//! Environments: the graph of states in which objects are built. No reward, no policy, no randomness.
//!
//! Forward and backward transitions stand side by side and work on batches in flat arrays, so no state is allocated
//! by itself. One contract suite (`contract`) runs over every environment.

#[cfg(test)]
pub(crate) mod contract;
pub mod grid;
pub mod sequence;
mod states;

pub use grid::GridEnv;
pub use sequence::{Growth, SequenceEnv};
pub use states::{Action, Neighbours, StateIndex, States, hamming};

use std::fmt::Debug;

/// Ends the text of a partial state where stopping is a step: "ACG…" may still grow, "ACG" is the object.
pub const OPEN: char = '…';

/// Why an action or an object was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// The action does not exist here.
    #[error("action {action} is not possible at step {step} (actions are 0 to {last}, until the object is complete)")]
    Action {
        /// The offending action.
        action: Action,
        /// Steps taken before it.
        step: usize,
        /// The highest action there is.
        last: Action,
    },
    /// The trajectory stopped too early.
    #[error("the trajectory ends after {steps} steps before the object is complete")]
    Incomplete {
        /// Steps taken.
        steps: usize,
    },
    /// The text is not an object.
    #[error("{text:?} is not an object of this task: {reason}")]
    Object {
        /// The offending text.
        text: String,
        /// What was expected.
        reason: String,
    },
}

/// What networks need to know of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Length of a state's feature vector.
    pub features: usize,
    /// Number of actions.
    pub actions: usize,
}

/// A directed acyclic graph of states from one initial state to the complete objects.
///
/// A state is `state_width` bytes. Actions that lead to the same child are one edge (METHOD.md, Notation).
pub trait Environment: Debug + Send + Sync {
    /// Bytes per state.
    fn state_width(&self) -> usize;
    /// Length of the one-hot feature vector.
    fn feature_count(&self) -> usize;
    /// Number of actions; valid ones are `0..action_count`.
    fn action_count(&self) -> usize;
    /// Both of these.
    fn sizes(&self) -> Sizes {
        Sizes {
            features: self.feature_count(),
            actions: self.action_count(),
        }
    }
    /// The longest trajectory, in steps.
    fn max_steps(&self) -> usize;
    /// The state where every trajectory starts.
    fn initial(&self) -> &[u8];
    /// True when the object is complete.
    fn is_complete(&self, state: &[u8]) -> bool;
    /// True when a complete object is made without a step for stopping, as strings of a fixed length are: that step has
    /// probability 1 and is left out of trajectories. Objectives on flows count it all the same (METHOD.md, Notation).
    fn stop_is_implied(&self) -> bool {
        false
    }
    /// Appends one list of distinct children per state (empty for complete ones).
    fn children(&self, states: &States, out: &mut Neighbours);
    /// Appends one list of distinct parents per state (empty for the initial one).
    fn parents(&self, states: &States, out: &mut Neighbours);
    /// Applies an action in place; false, and the state unchanged, when it is not possible.
    fn step(&self, state: &mut [u8], action: Action) -> bool;
    /// Appends the positions of the ones in the state's feature vector.
    fn features(&self, state: &[u8], out: &mut Vec<u32>);
    /// The state as people write it (partial states too).
    fn format(&self, state: &[u8]) -> String;
    /// Reads a state, partial ones too.
    ///
    /// # Errors
    /// [`EnvError::Object`] names the text and what was expected.
    fn parse(&self, text: &str) -> Result<Vec<u8>, EnvError>;

    /// Reads a complete object.
    ///
    /// # Errors
    /// [`EnvError::Object`] names the text and what was expected.
    fn parse_object(&self, text: &str) -> Result<Vec<u8>, EnvError> {
        let state = self.parse(text)?;
        if self.is_complete(&state) {
            return Ok(state);
        }
        Err(EnvError::Object {
            text: text.into(),
            reason: "it is not complete".into(),
        })
    }

    /// The object that a trajectory of actions builds.
    ///
    /// # Errors
    /// An impossible action, or a trajectory that stops too early.
    fn object_of(&self, actions: &[Action]) -> Result<Vec<u8>, EnvError> {
        let mut state = self.initial().to_vec();
        for (step, &action) in actions.iter().enumerate() {
            if !self.step(&mut state, action) {
                return Err(EnvError::Action {
                    action,
                    step,
                    last: (self.action_count() - 1) as Action,
                });
            }
        }
        if self.is_complete(&state) {
            Ok(state)
        } else {
            Err(EnvError::Incomplete { steps: actions.len() })
        }
    }
}
