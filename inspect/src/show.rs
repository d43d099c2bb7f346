//! One trajectory step by step: what was done when it was sampled, and what a policy thinks of it.

use crate::InspectError;
use crate::replay::Replay;
use rusqlite::OptionalExtension;
use serde::Serialize;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use thermoflow::console::policy::load_for;
use thermoflow::env::{Action, Environment};
use thermoflow::objective::Terms;
use thermoflow::policy::{Backend, Batch, Direction, PolicySpec, backend};
use thermoflow::replay::decode_actions;
use thermoflow::rollout::Paths;
use thermoflow::task::Task;

/// Which trajectory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Id {
    /// Number `seq` of an incarnation.
    Trajectory {
        /// 16 hexadecimal digits.
        incarnation: String,
        /// Its number.
        seq: i64,
    },
    /// The first that leads to an object.
    FirstTo(String),
}

impl FromStr for Id {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = text
            .split_once(':')
            .and_then(|(incarnation, seq)| Some((incarnation, seq.parse().ok()?)));
        Ok(match named {
            Some((incarnation, seq)) => Self::Trajectory {
                incarnation: incarnation.into(),
                seq,
            },
            None => Self::FirstTo(text.into()),
        })
    }
}

/// A trajectory.
#[derive(Debug, Clone, Serialize)]
pub struct Trace {
    /// What [`Id`] reads.
    pub id: String,
    /// Who sampled it.
    pub actor: String,
    /// Sync mode: the round; async mode: the actor's own count.
    pub round: i64,
    /// Weights it was sampled with.
    pub policy_version: i64,
    /// Versions these were behind at receipt.
    pub staleness: i64,
    /// When it came, microseconds since 1970-01-01 UTC.
    pub received_us: i64,
    /// Inverse temperature.
    pub beta: f32,
    /// The object.
    pub x: String,
    /// Raw score.
    pub y: f64,
    /// log R, nats.
    pub log_reward: f32,
    /// Σ log P_F of the policy when it was sampled, nats.
    pub log_pf: f64,
    /// How many trajectories lead to the object.
    pub seen: i64,
    /// From the initial state to the object; empty when the task is not known.
    pub steps: Vec<Step>,
    /// What a policy says.
    pub judged: Option<Judged>,
}

/// A step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Where it starts.
    pub state: String,
    /// What was done.
    pub action: Action,
    /// Where it leads.
    pub next: String,
    /// log P_F of the step under the policy asked, nats.
    pub log_pf: Option<f64>,
    /// log P_B of the step under the policy asked, nats.
    pub log_pb: Option<f64>,
    /// Everything that could have been done, the likeliest first; empty when no policy was asked.
    pub alternatives: Vec<Alternative>,
}

/// A child of a state.
#[derive(Debug, Clone, Serialize)]
pub struct Alternative {
    /// The child.
    pub state: String,
    /// P_F of the policy asked.
    pub probability: f64,
    /// Whether the trajectory went there.
    pub chosen: bool,
}

/// What a policy says of a trajectory; nats.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// Which policy.
    pub checkpoint: String,
    /// log Z(β).
    pub log_z: f64,
    /// Σ log P_F.
    pub log_pf: f64,
    /// Σ log P_B.
    pub log_pb: f64,
    /// β·log R.
    pub log_target: f64,
    /// log Z + Σ log P_F − β·log R − Σ log P_B: 0 for a perfect policy; its square is the loss of trajectory balance.
    pub residual: f64,
}

/// A policy that is asked.
pub struct Judge {
    checkpoint: String,
    spec: PolicySpec,
    backend: Box<dyn Backend>,
}

impl Judge {
    /// The policy in a checkpoint directory, a run directory (its newest) or a .safetensors file.
    ///
    /// # Errors
    /// No policy there, or one for another task.
    pub fn load(checkpoint: &Path, task: &Task) -> anyhow::Result<Self> {
        let (found, parameters) = load_for(task, checkpoint)?;
        Ok(Self {
            checkpoint: found.display().to_string(),
            spec: parameters.layout.spec.clone(),
            backend: backend("cpu", task.env.clone(), &parameters)?,
        })
    }
}

impl Trace {
    /// Reads a trajectory; with a task its steps, and with a judge what that says.
    ///
    /// # Errors
    /// When it is not there, damaged, or not of this task.
    pub fn read(replay: &Replay, id: &Id, task: Option<&Task>, judge: Option<&mut Judge>) -> anyhow::Result<Self> {
        let (mut trace, actions) = Self::find(replay, id)?;
        let Some(task) = task else { return Ok(trace) };
        let actions = decode_actions(&actions).ok_or_else(|| trace.damaged("its actions cannot be read"))?;
        let env: &Arc<dyn Environment> = &task.env;
        let paths = Paths::from_actions(&**env, [&actions[..]]).map_err(|error| trace.damaged(&error.to_string()))?;
        let states = paths
            .path(0)
            .iter()
            .map(|state| env.format(paths.states.states().row(*state as usize)));
        let states: Vec<String> = states.collect();
        trace.steps = states
            .windows(2)
            .zip(actions)
            .map(|(pair, action)| Step {
                state: pair[0].clone(),
                action,
                next: pair[1].clone(),
                log_pf: None,
                log_pb: None,
                alternatives: Vec::new(),
            })
            .collect();
        if let Some(judge) = judge {
            trace.judge(env, &paths, judge)?;
        }
        Ok(trace)
    }

    fn find(replay: &Replay, id: &Id) -> Result<(Self, Vec<u8>), InspectError> {
        let (key, condition) = match id {
            Id::Trajectory { incarnation, seq } => (
                (incarnation, *seq),
                "actor_id = (SELECT id FROM actors WHERE incarnation = ?1) AND seq = ?2",
            ),
            Id::FirstTo(x) => (
                (x, 0),
                "(actor_id, seq) = (SELECT first_actor, first_seq FROM objects WHERE x = ?1) AND ?2 = 0",
            ),
        };
        let sql = format!(
            "SELECT incarnation || ':' || seq, actor, round, policy_version, staleness, received_us, beta, x, y, log_reward,
                    log_pf, (SELECT seen FROM objects WHERE id = object_id), actions
             FROM replay WHERE {condition}"
        );
        let found = replay.ask(|connection| {
            let read = |row: &rusqlite::Row<'_>| {
                let trace = Self {
                    id: row.get(0)?,
                    actor: row.get(1)?,
                    round: row.get(2)?,
                    policy_version: row.get(3)?,
                    staleness: row.get(4)?,
                    received_us: row.get(5)?,
                    beta: row.get(6)?,
                    x: row.get(7)?,
                    y: row.get(8)?,
                    log_reward: row.get(9)?,
                    log_pf: row.get(10)?,
                    seen: row.get(11)?,
                    steps: Vec::new(),
                    judged: None,
                };
                Ok((trace, row.get(12)?))
            };
            connection.query_row(&sql, key, read).optional()
        })?;
        found.ok_or_else(|| {
            let missing = match id {
                Id::Trajectory { incarnation, seq } => format!("trajectory {incarnation}:{seq}"),
                Id::FirstTo(x) => format!("object {x:?}"),
            };
            let path = replay.path().display();
            InspectError::Input(format!(
                "there is no {missing} in {path}; an ID is INCARNATION:SEQ (`thermoflow replay top` lists some), or an object"
            ))
        })
    }

    fn damaged(&self, reason: &str) -> InspectError {
        InspectError::Input(format!("trajectory {} is none of this task: {reason}", self.id))
    }

    /// Fills in what the policy says.
    fn judge(&mut self, env: &Arc<dyn Environment>, paths: &Paths, judge: &mut Judge) -> anyhow::Result<()> {
        let batch = Batch::new(&**env, &judge.spec, paths, &[self.beta]);
        let log_probs = judge.backend.forward(&batch)?;
        let terms = Terms::new(&batch, &log_probs, &[self.log_reward]);
        self.judged = Some(Judged {
            checkpoint: judge.checkpoint.clone(),
            log_z: terms.log_z[0],
            log_pf: terms.log_pf[0],
            log_pb: terms.log_pb[0],
            log_target: terms.log_target[0],
            residual: terms.log_z[0] + terms.excess(0),
        });
        // A step without a choice has probability 1 and is not among the choices.
        for step in &mut self.steps {
            (step.log_pf, step.log_pb) = (Some(0.0), Some(0.0));
            step.alternatives = vec![Alternative {
                state: step.next.clone(),
                probability: 1.0,
                chosen: true,
            }];
        }
        for (place, log_p) in batch.backward.step_place.iter().zip(&log_probs.backward) {
            self.steps[*place as usize].log_pb = Some(f64::from(*log_p));
        }
        for (place, log_p) in batch.forward.step_place.iter().zip(&log_probs.forward) {
            self.steps[*place as usize].log_pf = Some(f64::from(*log_p));
        }
        self.list_alternatives(&**env, &batch, judge)
    }

    fn list_alternatives(&mut self, env: &dyn Environment, batch: &Batch, judge: &mut Judge) -> anyhow::Result<()> {
        let choices = &batch.forward;
        let scores = judge.backend.edge_scores(Direction::Forward, choices, &batch.betas)?;
        for step in 0..choices.steps() {
            let edges = choices.row(choices.step_row[step] as usize);
            let log_p = scores.log_probabilities(&judge.spec, edges.clone(), 0);
            let alternatives = edges.zip(log_p).map(|(edge, log_p)| Alternative {
                state: env.format(choices.targets.states().row(choices.edge_target[edge] as usize)),
                probability: f64::from(log_p).exp(),
                chosen: edge == choices.step_edge[step] as usize,
            });
            let mut alternatives: Vec<_> = alternatives.collect();
            alternatives.sort_by(|a, b| b.probability.total_cmp(&a.probability));
            self.steps[choices.step_place[step] as usize].alternatives = alternatives;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_trajectory_or_an_object() {
        let id = |text: &str| text.parse::<Id>().unwrap();
        let incarnation = "00ff".to_owned();
        assert_eq!(id("00ff:12"), Id::Trajectory { incarnation, seq: 12 });
        assert_eq!(id("ACGT"), Id::FirstTo("ACGT".into()));
        assert_eq!(id("A:x"), Id::FirstTo("A:x".into()));
    }
}
