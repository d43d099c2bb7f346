//! Trajectory balance: L(τ; β) = (log Z(β) + Σ log P_F − β·log R(x) − Σ log P_B)², mean over the batch (METHOD.md).

use super::{Loss, ObjectiveKind, Settings, Terms};

/// The paper's objective.
pub const KIND: ObjectiveKind = ObjectiveKind {
    name: "tb",
    summary: "trajectory balance: log Z(β) and whole trajectories",
    needs_flow: false,
    uniform_backward: false,
    beta_group: 1,
    loss,
};

/// The loss of a batch.
pub fn loss(terms: &Terms, _: &Settings) -> Loss {
    let n = terms.len() as f64;
    let residuals: Vec<f64> = (0..terms.len()).map(|i| terms.log_z[i] + terms.excess(i)).collect();
    let slope: Vec<f32> = residuals.iter().map(|r| (2.0 * r / n) as f32).collect();
    let mut gradient = terms.spread(&slope);
    for (&beta, slope) in terms.batch.beta_of.iter().zip(&slope) {
        gradient.log_z[beta as usize] += slope;
    }
    Loss {
        loss: residuals.iter().map(|r| r * r).sum::<f64>() / n,
        gradient,
    }
}
