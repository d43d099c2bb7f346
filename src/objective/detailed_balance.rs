//! Detailed balance: Σ_t (log F(s_t; β) + log P_F − log F(s_{t+1}; β) − log P_B)², log F(x) = β·log R(x) (METHOD.md).

use super::potentials::{Pair, Root, balance};
use super::{Loss, ObjectiveKind, Settings, Terms};

/// Every transition by itself.
pub const KIND: ObjectiveKind = ObjectiveKind {
    name: "db",
    summary: "detailed balance: flows of states and single transitions",
    needs_flow: true,
    uniform_backward: false,
    beta_group: 1,
    loss,
};

fn loss(terms: &Terms, _: &Settings) -> Loss {
    balance(terms, Root::Flow, |n| (0..n).map(|t| Pair(t, t + 1, 1.0)))
}
