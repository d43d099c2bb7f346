//! What the parts of a run cost on one machine. Data, and its file; measuring is the command's.

use crate::config::{Mode, RunConfig, WeightsFormat};
use crate::durable;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What everything costs. Seconds of a core that is not shared, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// What they were measured on, for people.
    pub machine: String,
    /// Cores of that machine.
    pub cores: usize,
    /// Speed of a core while all others work too, as a share of its speed alone: cores share caches, and pairs of them
    /// may be one.
    pub speed_when_full: f64,
    /// What was measured: costs are good for nothing else.
    pub measured_for: MeasuredFor,
    /// An actor's work.
    pub actor: ActorCosts,
    /// The learner's work.
    pub learner: LearnerCosts,
    /// Messages on their way.
    pub link: LinkCosts,
    /// Sizes.
    pub bytes: Bytes,
}

/// The part of a configuration that costs depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredFor {
    /// Name of the task.
    pub task: String,
    /// Trajectories per roll-out of an actor.
    pub actor_batch: usize,
    /// Trajectories per online batch.
    pub train_batch: usize,
    /// Trajectories per replay batch.
    pub replay_batch: usize,
    /// Gradient steps per batch.
    pub steps: usize,
    /// Width of the policy's layers.
    pub hidden: usize,
    /// How weights travel.
    pub weights: WeightsFormat,
    /// Where actors compute.
    pub actor_device: String,
    /// Where the learner computes.
    pub learner_device: String,
}

impl MeasuredFor {
    /// Of a configuration.
    pub fn new(config: &RunConfig) -> Self {
        Self {
            task: config.task.name.clone(),
            actor_batch: roll_out(config),
            train_batch: config.train.batch,
            replay_batch: config.replay.batch,
            steps: config.train.steps,
            hidden: config.policy.hidden,
            weights: config.learner.weights,
            actor_device: config.actor.device.clone(),
            learner_device: config.learner.device.clone(),
        }
    }
}

/// Trajectories of a roll-out: an actor's own number, or, in lockstep, at most a round.
pub fn roll_out(config: &RunConfig) -> usize {
    match config.train.mode {
        Mode::Async => config.actor.batch,
        Mode::Sync | Mode::Offline => config.train.batch,
    }
}

/// An actor's work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorCosts {
    /// Taking new weights into use.
    pub load: f64,
    /// A roll-out with weights that were loaded just before, without scoring.
    pub roll_fresh: f64,
    /// Another one with the same weights.
    pub roll_again: f64,
    /// Scoring an object by the task's own scorer.
    pub score: f64,
    /// Looking at the time, which an actor does every [`crate::flow::ACTOR_TICK`].
    pub tick: f64,
    /// A trajectory into a message.
    pub encode: f64,
}

/// The learner's work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnerCosts {
    /// A message read, checked and answered, without its trajectories.
    pub receive: f64,
    /// A trajectory read and checked.
    pub receive_each: f64,
    /// An online batch: all its gradient steps.
    pub online: f64,
    /// A replay batch: its draw, its backward walks and all its gradient steps.
    pub replay: f64,
    /// A trajectory put into the data set.
    pub remember: f64,
    /// Weights made into a message.
    pub publish: f64,
    /// A row of metrics.
    pub report: f64,
    /// An actor's part of a row of metrics.
    pub report_each: f64,
    /// A checkpoint.
    pub checkpoint: f64,
    /// An actor's part of the look around every [`crate::flow::LEARNER_TICK`].
    pub tick_each: f64,
    /// A commit to the replay, without its rows.
    pub commit: f64,
    /// A row of a commit.
    pub commit_each: f64,
    /// Waiting for the disk at every commit: seconds in which no core works.
    pub commit_wait: f64,
}

/// Messages on their way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkCosts {
    /// A message at one of its ends: system calls, the runtime, waking up.
    pub message: f64,
    /// A byte at one of its ends.
    pub byte: f64,
    /// Sealing or opening a byte, on links with a key.
    pub seal_byte: f64,
}

/// Sizes, in bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bytes {
    /// A message without a payload: an acknowledgement, a heartbeat.
    pub message: f64,
    /// A trajectory in a message.
    pub trajectory: f64,
    /// A set of weights in a message.
    pub weights: f64,
    /// A trajectory in the replay.
    pub row: f64,
    /// A row of metrics with its TensorBoard series.
    pub report: f64,
    /// An actor's part of that.
    pub report_each: f64,
}

/// Why costs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CostsError {
    /// The file cannot be read or written.
    #[error("the costs in {} cannot be {doing}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not costs.
    #[error("{} holds no costs as `thermoflow plan --save-costs` writes them", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A number that no cost can be.
    #[error("{name} of the costs is {value}; a finite number of at least 0 is needed")]
    Value {
        /// Where, as in the file.
        name: String,
        /// The number.
        value: f64,
    },
    /// Of something else.
    #[error(
        "the costs were measured with {key} = {theirs}, this configuration has {ours}: measure them again with it \
         (--save-costs)"
    )]
    Other {
        /// What differs.
        key: String,
        /// As measured.
        theirs: String,
        /// As configured.
        ours: String,
    },
}

impl Costs {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// It is not there, or holds something else.
    pub fn read(path: &Path) -> Result<Self, CostsError> {
        let text = std::fs::read_to_string(path).map_err(|source| CostsError::Io {
            doing: "read",
            path: path.into(),
            source,
        })?;
        let costs: Self = serde_json::from_str(&text).map_err(|source| CostsError::Malformed {
            path: path.into(),
            source,
        })?;
        costs.check()?;
        Ok(costs)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), CostsError> {
        let text = serde_json::to_vec_pretty(self).expect("costs are plain data");
        durable::replace(path, &text).map_err(|source| CostsError::Io {
            doing: "written",
            path: path.into(),
            source,
        })
    }

    /// Every number is one.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), CostsError> {
        let value = serde_json::to_value(self).expect("costs are plain data");
        for part in ["actor", "learner", "link", "bytes"] {
            for (key, number) in value[part].as_object().into_iter().flatten() {
                // What is not finite is null in JSON.
                let number = number.as_f64().unwrap_or(f64::NAN);
                check_number(&format!("{part}.{key}"), number)?;
            }
        }
        check_number("cores", self.cores as f64 - 1.0)?;
        check_number("speed_when_full", self.speed_when_full - f64::MIN_POSITIVE)
    }

    /// They are of this configuration.
    ///
    /// # Errors
    /// What differs.
    pub fn check_fit(&self, config: &RunConfig) -> Result<(), CostsError> {
        let wanted = serde_json::to_value(MeasuredFor::new(config)).expect("plain data");
        let measured = serde_json::to_value(&self.measured_for).expect("plain data");
        for (key, ours) in wanted.as_object().into_iter().flatten() {
            let theirs = &measured[key];
            if theirs != ours {
                return Err(CostsError::Other {
                    key: key.clone(),
                    theirs: theirs.to_string(),
                    ours: ours.to_string(),
                });
            }
        }
        Ok(())
    }
}

fn check_number(name: &str, value: f64) -> Result<(), CostsError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    let name = name.into();
    Err(CostsError::Value { name, value })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::example::example_config;

    /// Round numbers: a roll-out takes 2 ms, a gradient step 1 ms, everything else next to nothing.
    pub(in crate::plan) fn example_costs(config: &RunConfig) -> Costs {
        Costs {
            machine: "made up".into(),
            cores: 2,
            speed_when_full: 1.0,
            measured_for: MeasuredFor::new(config),
            actor: ActorCosts {
                load: 1e-5,
                roll_fresh: 2e-3,
                roll_again: 2e-3,
                score: 0.0,
                tick: 0.0,
                encode: 1e-7,
            },
            learner: LearnerCosts {
                receive: 2e-6,
                receive_each: 1e-7,
                online: 1e-3,
                replay: 1e-3,
                remember: 1e-7,
                publish: 1e-5,
                report: 0.0,
                report_each: 0.0,
                checkpoint: 0.0,
                tick_each: 0.0,
                commit: 1e-5,
                commit_each: 1e-6,
                commit_wait: 1e-4,
            },
            link: LinkCosts {
                message: 1e-6,
                byte: 1e-10,
                seal_byte: 1e-9,
            },
            bytes: Bytes {
                message: 40.0,
                trajectory: 60.0,
                weights: 100_000.0,
                row: 80.0,
                report: 1000.0,
                report_each: 100.0,
            },
        }
    }

    #[test]
    fn costs_come_back_from_their_file_and_fit_their_configuration() {
        let config = example_config(Mode::Async);
        let costs = example_costs(&config);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("costs.json");
        costs.write(&path).unwrap();
        let read = Costs::read(&path).unwrap();
        assert_eq!(read, costs);
        read.check_fit(&config).unwrap();
        let mut other = config;
        other.actor.batch = 7;
        let error = read.check_fit(&other).unwrap_err().to_string();
        assert!(error.contains("actor_batch = 4") && error.contains("has 7"), "{error}");
    }

    #[test]
    fn what_are_no_costs_is_refused() {
        let config = example_config(Mode::Async);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("costs.json");
        let mut costs = example_costs(&config);
        costs.learner.online = -1.0;
        costs.write(&path).unwrap();
        let error = Costs::read(&path).unwrap_err().to_string();
        assert!(error.contains("learner.online") && error.contains("-1"), "{error}");
        std::fs::write(&path, "{}").unwrap();
        assert!(matches!(Costs::read(&path), Err(CostsError::Malformed { .. })));
        let missing = Costs::read(&dir.path().join("none"));
        assert!(matches!(missing, Err(CostsError::Io { .. })));
    }
}
