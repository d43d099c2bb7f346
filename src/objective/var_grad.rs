//! VarGrad: trajectory balance with log Z(β) replaced by its estimate from the trajectories at the same β, so the loss
//! is the variance of the excess within each group of β (METHOD.md, Other objectives).
//!
//! It needs several trajectories per β; a β that is alone in its batch contributes nothing.

use super::{Loss, ObjectiveKind, Settings, Terms};

/// Trajectory balance without log Z.
pub const KIND: ObjectiveKind = ObjectiveKind {
    name: "vargrad",
    summary: "trajectory balance with log Z(β) estimated from the batch",
    needs_flow: false,
    uniform_backward: false,
    beta_group: 8,
    loss,
};

fn loss(terms: &Terms, _: &Settings) -> Loss {
    let (n, groups) = (terms.len() as f64, terms.batch.betas.len());
    let (mut sums, mut counts) = (vec![0.0; groups], vec![0.0; groups]);
    let group = |i: usize| terms.batch.beta_of[i] as usize;
    for i in 0..terms.len() {
        sums[group(i)] += terms.excess(i);
        counts[group(i)] += 1.0;
    }
    let residuals: Vec<f64> = (0..terms.len())
        .map(|i| terms.excess(i) - sums[group(i)] / counts[group(i)])
        .collect();
    // The residuals of a group sum to 0, so the estimate's own gradient vanishes.
    let slope: Vec<f32> = residuals.iter().map(|r| (2.0 * r / n) as f32).collect();
    Loss {
        loss: residuals.iter().map(|r| r * r).sum::<f64>() / n,
        gradient: terms.spread(&slope),
    }
}
