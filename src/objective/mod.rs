//! Objectives: losses on log-probabilities and their gradients. No networks here.
//!
//! An objective is one file here and one line in [`KINDS`]. Each takes the [`Terms`] of a batch and returns its mean
//! loss with the gradient for every log-probability, which a backend takes on to the weights.

mod detailed_balance;
mod max_ent;
mod potentials;
mod sub_trajectory_balance;
mod terms;
#[cfg(test)]
mod tests;
mod trajectory_balance;
mod var_grad;

pub use terms::Terms;

use crate::policy::LogProbs;
use crate::suggest::{did_you_mean, nearest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// Every objective there is.
pub const KINDS: &[&ObjectiveKind] = &[
    &trajectory_balance::KIND,
    &detailed_balance::KIND,
    &sub_trajectory_balance::KIND,
    &var_grad::KIND,
    &max_ent::KIND,
];

/// The loss of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// Mean over the trajectories, nats².
    pub loss: f64,
    /// Gradient of `loss` with respect to every log-probability.
    pub gradient: LogProbs,
}

/// What an objective is and what it needs of the policy.
#[derive(Debug)]
pub struct ObjectiveKind {
    /// Its name in a config.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// It needs log F(s; β).
    pub needs_flow: bool,
    /// It takes P_B as uniform.
    pub uniform_backward: bool,
    /// How many trajectories share a β unless the config says otherwise.
    pub beta_group: usize,
    loss: fn(&Terms, &Settings) -> Loss,
}

/// Numbers that some objectives take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// λ of sub-trajectory balance.
    pub lambda: f64,
}

impl Default for Settings {
    /// The published λ.
    fn default() -> Self {
        Self { lambda: 0.9 }
    }
}

/// An objective by its name.
#[derive(Debug, Clone, Copy)]
pub struct Objective(&'static ObjectiveKind);

/// An objective that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown objective {name:?}{}, expected one of {known}", did_you_mean(*nearest))]
pub struct UnknownObjective {
    name: String,
    nearest: Option<&'static str>,
    known: String,
}

impl Objective {
    /// Trajectory balance, the paper's objective.
    pub const TRAJECTORY_BALANCE: Self = Self(&trajectory_balance::KIND);

    /// The objective of this name.
    ///
    /// # Errors
    /// Names the nearest one and lists all.
    pub fn find(name: &str) -> Result<Self, UnknownObjective> {
        let names = || KINDS.iter().map(|kind| kind.name);
        let found = KINDS.iter().find(|kind| kind.name == name);
        found.map(|kind| Self(kind)).ok_or_else(|| UnknownObjective {
            name: name.into(),
            nearest: nearest(name, names()),
            known: names().collect::<Vec<_>>().join(", "),
        })
    }

    /// What it is.
    pub fn kind(self) -> &'static ObjectiveKind {
        self.0
    }

    /// The loss of a batch.
    pub fn loss(self, terms: &Terms, settings: &Settings) -> Loss {
        (self.0.loss)(terms, settings)
    }
}

impl PartialEq for Objective {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl Serialize for Objective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}

impl<'de> Deserialize<'de> for Objective {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::find(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
