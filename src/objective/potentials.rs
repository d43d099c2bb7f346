//! Balance between pairs of states of a trajectory: what detailed and sub-trajectory balance have in common.
//!
//! With a_t = log F(s_t; β) − Σ_{u<t} (log P_F(s_{u+1}|s_u; β) − log P_B(s_u|s_{u+1}; β)), the residual between s_i and
//! s_j is a_i − a_j: consistent flows make all a_t of a trajectory equal. log F(x) is β·log R(x).

use super::{Loss, Terms};
use crate::policy::{Flows, LogProbs};
use std::ops::Range;

/// What stands for the flow of the initial state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// log F(s_0; β), as for any state.
    Flow,
    /// log Z(β).
    LogZ,
}

/// Two states of a trajectory by their places, and the weight of their squared residual.
pub struct Pair(pub usize, pub usize, pub f64);

/// Mean over the trajectories of Σ weight·(a_i − a_j)² over the pairs that `pairs` gives for a trajectory of so many
/// transitions.
///
/// # Panics
/// When the batch has no flows: an objective that `needs_flow` is only used with a policy that has them.
pub fn balance<P: Iterator<Item = Pair>>(terms: &Terms, root: Root, pairs: impl Fn(usize) -> P) -> Loss {
    let flows = terms.batch.flows.as_ref().expect("the policy has a network for log F");
    let potentials = potentials(terms, flows, root);
    let scale = 1.0 / terms.len() as f64;
    let mut loss = 0.0;
    let mut slopes = vec![0.0; potentials.len()];
    for trajectory in 0..terms.len() {
        let visits = visits(flows, trajectory);
        let (a, slope) = (&potentials[visits.clone()], &mut slopes[visits.clone()]);
        for Pair(i, j, weight) in pairs(visits.len() - 1) {
            let residual = a[i] - a[j];
            loss += scale * weight * residual * residual;
            let step = 2.0 * scale * weight * residual;
            slope[i] += step;
            slope[j] -= step;
        }
    }
    Loss {
        loss,
        gradient: gradient(terms, flows, root, slopes),
    }
}

fn visits(flows: &Flows, trajectory: usize) -> Range<usize> {
    flows.visits[trajectory] as usize..flows.visits[trajectory + 1] as usize
}

/// a_t of every visited state, trajectory after trajectory.
fn potentials(terms: &Terms, flows: &Flows, root: Root) -> Vec<f64> {
    let mut a: Vec<f64> = flows
        .visit_row
        .iter()
        .map(|&row| {
            terms
                .log_probs
                .log_flow
                .get(row as usize)
                .map_or(0.0, |&flow| flow.into())
        })
        .collect();
    let mut steps = vec![0.0; a.len()];
    for (choices, log_p, sign) in [
        (&terms.batch.forward, &terms.log_probs.forward, 1.0),
        (&terms.batch.backward, &terms.log_probs.backward, -1.0),
    ] {
        let places = choices.step_trajectory.iter().zip(&choices.step_place);
        for ((&trajectory, &place), &log_p) in places.zip(log_p) {
            steps[(flows.visits[trajectory as usize] + place + 1) as usize] += sign * f64::from(log_p);
        }
    }
    for trajectory in 0..terms.len() {
        let visits = visits(flows, trajectory);
        if root == Root::LogZ {
            a[visits.start] = terms.log_z[trajectory];
        }
        a[visits.end - 1] = terms.log_target[trajectory];
        let mut sum = 0.0;
        for visit in visits {
            sum += steps[visit];
            a[visit] -= sum;
        }
    }
    a
}

/// From the gradient for every a_t to that for the log-probabilities.
fn gradient(terms: &Terms, flows: &Flows, root: Root, mut slopes: Vec<f64>) -> LogProbs {
    let mut gradient = LogProbs {
        forward: Vec::with_capacity(terms.log_probs.forward.len()),
        backward: Vec::with_capacity(terms.log_probs.backward.len()),
        log_z: vec![0.0; terms.batch.betas.len()],
        log_flow: vec![0.0; terms.log_probs.log_flow.len()],
    };
    for trajectory in 0..terms.len() {
        let visits = visits(flows, trajectory);
        let (first, last) = (visits.start, visits.end - 1);
        let own = match root {
            Root::Flow => first..last,
            Root::LogZ => {
                gradient.log_z[terms.batch.beta_of[trajectory] as usize] += slopes[first] as f32;
                first + 1..last
            }
        };
        for (&slope, &row) in slopes[own.clone()].iter().zip(&flows.visit_row[own]) {
            gradient.log_flow[row as usize] += slope as f32;
        }
        // From now on the sum over the later states: what a step before them changes.
        for visit in (first..last).rev() {
            slopes[visit] += slopes[visit + 1];
        }
    }
    for (choices, out, sign) in [
        (&terms.batch.forward, &mut gradient.forward, -1.0),
        (&terms.batch.backward, &mut gradient.backward, 1.0),
    ] {
        let places = choices.step_trajectory.iter().zip(&choices.step_place);
        out.extend(places.map(|(&trajectory, &place)| {
            let target = flows.visits[trajectory as usize] + place + 1;
            sign * slopes[target as usize] as f32
        }));
    }
    gradient
}
