//! Trajectories as columns: what an actor sends, the replay stores and the learner trains on. No sampling here.

use crate::env::{Action, EnvError, Environment};
use crate::units::PolicyVersion;
use serde::{Deserialize, Serialize};

/// One sampled trajectory (DESIGN.md, invariant 3, less what its sender adds: incarnation, seq, actor, time).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trajectory {
    /// Inverse temperature it was sampled at; positive.
    pub beta: f32,
    /// The actions from the initial state to the complete object.
    pub actions: Vec<Action>,
    /// Raw score of the object.
    pub y: f32,
    /// log R of the object, nats; does not contain β.
    pub log_reward: f32,
    /// Σ log P_F of the policy (without ε) when it was sampled, nats.
    pub log_pf: f32,
    /// Weights it was sampled with.
    pub policy_version: PolicyVersion,
    /// Sync mode: the round. Async mode: the actor's own count of batches.
    pub round: u64,
    /// Its place in the round; with `round` it names the random stream it was drawn from.
    pub index: u32,
}

/// Paths through the state graph, one per trajectory, as rows of state numbers.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The distinct states of all paths.
    pub states: crate::env::StateIndex,
    /// State numbers, path after path.
    pub visits: Vec<u32>,
    /// Path i is `visits[offsets[i]..offsets[i + 1]]`; `[paths + 1]`.
    pub offsets: Vec<u32>,
}

impl Paths {
    /// Walks every trajectory of actions through the environment.
    ///
    /// # Errors
    /// An impossible action or an incomplete object.
    pub fn from_actions<'a>(
        env: &dyn Environment,
        trajectories: impl IntoIterator<Item = &'a [Action]>,
    ) -> Result<Self, EnvError> {
        let mut paths = Self::new(env.state_width());
        let mut state = env.initial().to_vec();
        for actions in trajectories {
            state.copy_from_slice(env.initial());
            paths.visit(&state);
            for (step, &action) in actions.iter().enumerate() {
                if !env.step(&mut state, action) {
                    return Err(EnvError::Action {
                        action,
                        step,
                        last: (env.action_count() - 1) as Action,
                    });
                }
                paths.visit(&state);
            }
            if !env.is_complete(&state) {
                return Err(EnvError::Incomplete { steps: actions.len() });
            }
            paths.finish();
        }
        Ok(paths)
    }

    /// No paths yet, states of `width` bytes.
    pub fn new(width: usize) -> Self {
        Self {
            states: crate::env::StateIndex::new(width),
            visits: Vec::new(),
            offsets: vec![0],
        }
    }

    /// Adds a state to the path under construction.
    pub fn visit(&mut self, state: &[u8]) {
        let (id, _) = self.states.insert(state);
        self.visits.push(id);
    }

    /// Ends the path under construction.
    pub fn finish(&mut self) {
        self.offsets.push(self.visits.len() as u32);
    }

    /// Number of paths.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True when there is no path.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// State numbers of path `index`.
    pub fn path(&self, index: usize) -> &[u32] {
        &self.visits[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }
}
