//! From edge scores to log-probabilities of steps and back: scale, clamp, log-softmax.

use super::Tape;
use crate::policy::{Choices, Conditioning, Parity, PolicySpec};

/// Where the published code clamps; elsewhere softmax needs no guard, it subtracts the largest logit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clamp {
    /// Nowhere.
    None,
    /// Logits, before the softmax.
    Logits(f32),
    /// Log-probabilities, after it.
    LogProbabilities(f32),
}

impl Clamp {
    /// What `spec` asks for (METHOD.md, quirks of the published code).
    pub fn of(spec: &PolicySpec) -> Self {
        match (spec.parity, spec.conditioning) {
            (Parity::Improved, _) => Self::None,
            (Parity::Published, Conditioning::Unconditional) => Self::LogProbabilities(spec.logit_clip),
            (Parity::Published, _) => Self::Logits(spec.logit_clip),
        }
    }
}

/// Logits of a row from its scores and offsets (which may be empty), in `out`.
pub fn logits(scores: &[f32], offsets: &[f32], scale: f32, clamp: Clamp, out: &mut Vec<f32>) {
    out.clear();
    out.extend(scores.iter().map(|f| f * scale));
    out.iter_mut().zip(offsets).for_each(|(logit, g)| *logit += g);
    if let Clamp::Logits(limit) = clamp {
        out.iter_mut().for_each(|logit| *logit = logit.clamp(-limit, limit));
    }
}

/// The offsets of some edges; none when there are none at all.
pub fn offsets_of(offsets: &[f32], edges: std::ops::Range<usize>) -> &[f32] {
    offsets.get(edges).unwrap_or_default()
}

/// log Σ exp.
pub fn log_sum_exp(values: &[f32]) -> f32 {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    largest + values.iter().map(|v| (v - largest).exp()).sum::<f32>().ln()
}

/// Clamps a log-probability if the published code does.
pub fn clamp_log_probability(log_p: f32, clamp: Clamp) -> f32 {
    match clamp {
        Clamp::LogProbabilities(limit) => log_p.clamp(-limit, limit),
        _ => log_p,
    }
}

/// log P of each step; `beta_of` gives the β of each trajectory.
pub fn log_probabilities(choices: &Choices, tape: &Tape, beta_of: &[u32], clamp: Clamp) -> Vec<f32> {
    let mut row = Vec::new();
    let steps = choices
        .step_row
        .iter()
        .zip(&choices.step_edge)
        .zip(&choices.step_trajectory);
    let log_p = steps.map(|((&step_row, &chosen), &trajectory)| {
        let edges = choices.row(step_row as usize);
        let first = edges.start;
        logits(
            &tape.scores[edges.clone()],
            offsets_of(&tape.offsets, edges),
            scale_of(tape, beta_of, trajectory),
            clamp,
            &mut row,
        );
        clamp_log_probability(row[chosen as usize - first] - log_sum_exp(&row), clamp)
    });
    log_p.collect()
}

/// Gradients with respect to what logits are made of.
#[derive(Debug)]
pub struct LogitGradient {
    /// Per edge.
    pub scores: Vec<f32>,
    /// Per edge; empty when there are no offsets.
    pub offsets: Vec<f32>,
    /// Per β; empty when logits are not scaled.
    pub scales: Vec<f32>,
}

/// Gradients of Σ upstream·log P.
pub fn log_probabilities_backward(
    choices: &Choices,
    tape: &Tape,
    beta_of: &[u32],
    clamp: Clamp,
    upstream: &[f32],
) -> LogitGradient {
    let mut scores = vec![0.0; choices.edges()];
    let mut offsets = vec![0.0; tape.offsets.len()];
    let mut scales = vec![0.0; tape.beta.scales.len()];
    let mut row = Vec::new();
    for (step, &upstream) in upstream.iter().enumerate() {
        let edges = choices.row(choices.step_row[step] as usize);
        let chosen = choices.step_edge[step] as usize;
        let trajectory = choices.step_trajectory[step];
        let scale = scale_of(tape, beta_of, trajectory);
        let row_offsets = offsets_of(&tape.offsets, edges.clone());
        logits(&tape.scores[edges.clone()], row_offsets, scale, clamp, &mut row);
        let total = log_sum_exp(&row);
        if matches!(clamp, Clamp::LogProbabilities(limit) if row[chosen - edges.start] - total < -limit) {
            continue;
        }
        for (edge, &logit) in edges.zip(&row) {
            let f = tape.scores[edge];
            let unclamped = f * scale + tape.offsets.get(edge).copied().unwrap_or_default();
            if matches!(clamp, Clamp::Logits(limit) if unclamped.abs() > limit) {
                continue;
            }
            let hit = if edge == chosen { 1.0 } else { 0.0 };
            let logit_gradient = upstream * (hit - (logit - total).exp());
            scores[edge] += logit_gradient * scale;
            if let Some(slot) = offsets.get_mut(edge) {
                *slot += logit_gradient;
            }
            if let Some(slot) = scales.get_mut(beta_of[trajectory as usize] as usize) {
                *slot += logit_gradient * f;
            }
        }
    }
    LogitGradient {
        scores,
        offsets,
        scales,
    }
}

fn scale_of(tape: &Tape, beta_of: &[u32], trajectory: u32) -> f32 {
    tape.beta
        .scales
        .get(beta_of[trajectory as usize] as usize)
        .copied()
        .unwrap_or(1.0)
}
