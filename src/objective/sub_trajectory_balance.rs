//! Sub-trajectory balance, SubTB(λ): every sub-trajectory, weight λ^length normalised over the trajectory, with
//! log F(s_0; β) = log Z(β) (METHOD.md; the published one crashes at construction).

use super::potentials::{Pair, Root, balance};
use super::{Loss, ObjectiveKind, Settings, Terms};

/// All sub-trajectories, short ones more than long ones.
pub const KIND: ObjectiveKind = ObjectiveKind {
    name: "subtb",
    summary: "sub-trajectory balance: all sub-trajectories, weight λ^length, log Z(β) at the root",
    needs_flow: true,
    uniform_backward: false,
    beta_group: 1,
    loss,
};

fn loss(terms: &Terms, settings: &Settings) -> Loss {
    let lambda = settings.lambda;
    balance(terms, Root::LogZ, |n| {
        let total: f64 = (1..=n)
            .map(|length| (n + 1 - length) as f64 * lambda.powi(length as i32))
            .sum();
        let starts = (0..n).flat_map(move |i| (i + 1..=n).map(move |j| (i, j)));
        starts.map(move |(i, j)| Pair(i, j, lambda.powi((j - i) as i32) / total))
    })
}
