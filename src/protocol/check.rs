//! What of a trajectory is believed: every field is checked against the task before the learner stores or trains on it.

use super::MAX_ROLL;
use crate::config::{Mode, RunConfig};
use crate::env::{EnvError, Environment};
use crate::rollout::Trajectory;
use crate::task::Task;
use crate::task::reward::RewardShape;
use crate::units::PolicyVersion;
use std::sync::Arc;

/// Largest difference between a stated log R and the one computed from y, nats (relative to 1 where log R is large).
const LOG_REWARD_TOLERANCE: f32 = 1e-4;

/// A log-probability may exceed 0 by rounding, not by more than this.
const LOG_PF_TOLERANCE: f32 = 1e-3;

/// Async mode: batches that one actor can make. Small enough for any storage, more than will ever be made.
const MAX_BATCHES: u64 = 1 << 53;

/// Why a trajectory was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// β must be positive and finite.
    #[error("β is {0}, a positive number is needed")]
    Beta(f32),
    /// y must be a number.
    #[error("y is {0}, a finite number is needed")]
    Score(f32),
    /// The actions do not build an object.
    #[error("its actions are impossible")]
    Actions(#[from] EnvError),
    /// log R is not that of y.
    #[error("log R is {stated}, but y = {y} gives {expected}: do both sides run the same task?")]
    LogReward {
        /// What was sent.
        stated: f32,
        /// The raw score that was sent.
        y: f32,
        /// log R of that score.
        expected: f32,
    },
    /// A log-probability is at most 0.
    #[error("log P_F is {0}, a finite number of at most 0 is needed")]
    LogPf(f32),
    /// Made with weights that do not exist yet.
    #[error("it was made with weights {stated}, the newest are {newest:?}")]
    Version {
        /// What was sent.
        stated: PolicyVersion,
        /// What exists.
        newest: Option<PolicyVersion>,
    },
    /// Not a place of any round of this run.
    #[error("place {index} of round {round} is not part of this run ({rounds} rounds of {batch})")]
    Place {
        /// Round stated.
        round: u64,
        /// Index stated.
        index: u32,
        /// Rounds of the run.
        rounds: u64,
        /// Trajectories per round.
        batch: usize,
    },
}

/// True when a stated log R is the expected one but for rounding.
pub fn log_reward_agrees(stated: f32, expected: f32) -> bool {
    // NaN compares as false with anything.
    (stated - expected).abs() <= LOG_REWARD_TOLERANCE * expected.abs().max(1.0)
}

/// True for what can be the logarithm of a probability, but for rounding.
pub fn is_log_probability(value: f32) -> bool {
    value.is_finite() && value <= LOG_PF_TOLERANCE
}

/// Checks trajectories of one run.
#[derive(Debug, Clone)]
pub struct Check {
    env: Arc<dyn Environment>,
    reward: RewardShape,
    mode: Mode,
    rounds: u64,
    batch: usize,
}

impl Check {
    /// The checks of a run.
    pub fn new(config: &RunConfig, task: &Task) -> Self {
        Self {
            env: task.env.clone(),
            reward: task.reward,
            mode: config.train.mode,
            rounds: config.train.rounds,
            batch: config.train.batch,
        }
    }

    /// Believes a trajectory, or says why not. `newest` is the newest version published so far.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn trajectory(&self, trajectory: &Trajectory, newest: Option<PolicyVersion>) -> Result<(), Rejection> {
        let &Trajectory {
            beta,
            y,
            log_reward,
            log_pf,
            ..
        } = trajectory;
        if !(beta.is_finite() && beta > 0.0) {
            return Err(Rejection::Beta(beta));
        }
        if !y.is_finite() {
            return Err(Rejection::Score(y));
        }
        if !is_log_probability(log_pf) {
            return Err(Rejection::LogPf(log_pf));
        }
        let expected = self.reward.log_reward(y);
        if !log_reward_agrees(log_reward, expected) {
            return Err(Rejection::LogReward {
                stated: log_reward,
                y,
                expected,
            });
        }
        self.origin(trajectory, newest)?;
        self.env.object_of(&trajectory.actions)?;
        Ok(())
    }

    /// Sync mode: version r is the weights of round r, also when a resumed learner has not come to r again. Async mode:
    /// version numbers are never used twice, so none is above the newest.
    fn origin(&self, trajectory: &Trajectory, newest: Option<PolicyVersion>) -> Result<(), Rejection> {
        let &Trajectory {
            round,
            index,
            policy_version: stated,
            ..
        } = trajectory;
        let known = match self.mode {
            Mode::Sync => stated == PolicyVersion(round),
            Mode::Async => newest.is_some_and(|newest| stated <= newest),
            // Its data set is given; it takes no trajectories.
            Mode::Offline => false,
        };
        if !known {
            return Err(Rejection::Version { stated, newest });
        }
        let (rounds, batch) = match self.mode {
            Mode::Sync | Mode::Offline => (self.rounds, self.batch),
            Mode::Async => (MAX_BATCHES, MAX_ROLL),
        };
        if round >= rounds || index as usize >= batch {
            return Err(Rejection::Place {
                round,
                index,
                rounds,
                batch,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::simulation::{example_config, example_task, example_trajectory};

    /// A change to a good trajectory, and a word that its refusal must contain.
    type Case = (fn(&mut Trajectory), &'static str);

    #[test]
    fn each_field_is_checked() {
        let check = Check::new(&example_config(Mode::Sync), &example_task());
        let good = example_trajectory(3, 1);
        check.trajectory(&good, Some(PolicyVersion(3))).unwrap();
        let cases: [Case; 14] = [
            (|t| t.beta = 0.0, "β"),
            (|t| t.beta = -1.0, "β"),
            (|t| t.beta = f32::NAN, "β"),
            (|t| t.beta = f32::INFINITY, "β"),
            (|t| t.y = f32::NAN, "y is"),
            (|t| t.log_reward += 0.01, "log R"),
            (|t| t.log_reward = f32::NAN, "log R"),
            (|t| t.log_pf = 0.5, "log P_F"),
            (|t| t.log_pf = f32::NEG_INFINITY, "log P_F"),
            (|t| t.actions.truncate(2), "actions"),
            (|t| t.actions[0] = 999, "actions"),
            (|t| t.policy_version = PolicyVersion(4), "weights"),
            (|t| t.index = 1000, "place"),
            (
                |t| (t.round, t.policy_version) = (1_000_000, PolicyVersion(1_000_000)),
                "place",
            ),
        ];
        for (number, (change, word)) in cases.into_iter().enumerate() {
            let mut bad = good.clone();
            change(&mut bad);
            let error = check.trajectory(&bad, Some(PolicyVersion(3))).unwrap_err().to_string();
            assert!(error.contains(word), "case {number}: {error}");
        }
    }

    #[test]
    fn free_running_actors_cannot_be_ahead_of_the_learner() {
        let check = Check::new(&example_config(Mode::Async), &example_task());
        let trajectory = example_trajectory(3, 1);
        check.trajectory(&trajectory, Some(PolicyVersion(3))).unwrap();
        check.trajectory(&trajectory, Some(PolicyVersion(4))).unwrap();
        for newest in [Some(PolicyVersion(2)), None] {
            let error = check.trajectory(&trajectory, newest).unwrap_err();
            assert_eq!(
                error,
                Rejection::Version {
                    stated: PolicyVersion(3),
                    newest
                }
            );
        }
    }
}
