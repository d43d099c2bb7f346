//! The CPU backend: own kernels over distinct states and edges, forward and backward written out.
//!
//! It agrees with libtorch to 1e-5 (`torch/src/tests.rs`); that one is the reference and the way to GPUs.

mod beta;
mod edges;
pub mod flops;
mod flow;
mod kernels;
pub mod matrix;
mod mlp;
mod network;
mod one_hot;
mod state_action;
pub mod steps;

use super::{
    Backend, BackendError, BackwardPolicy, Batch, Choices, Direction, EdgeScores, Group, LogProbs, Parameters,
};
use crate::env::Environment;
use flow::{FlowNetwork, FlowTape};
use mlp::{Mlp, MlpTape};
use network::{Folded, Network, Scratch, Side, Tape, zeros};
use std::sync::Arc;
use steps::Clamp;

/// Computes on the calling thread.
#[derive(Debug)]
pub struct NativeBackend {
    env: Arc<dyn Environment>,
    parameters: Parameters,
    /// None where P_B is uniform.
    networks: [Option<Network>; 2],
    /// None until first used with the weights at hand: an actor never folds the backward policy.
    folded: [Option<Folded>; 2],
    log_z: Option<Mlp>,
    tapes: [Tape; 2],
    log_z_tape: Option<MlpTape>,
    flow: Option<FlowNetwork>,
    flow_tape: Option<FlowTape>,
}

const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Backward];

impl NativeBackend {
    /// A backend for policies over `env`, with these weights loaded.
    pub fn new(env: Arc<dyn Environment>, parameters: &Parameters) -> Self {
        let layout = &parameters.layout;
        let conditional = layout.spec.conditioning.is_conditional();
        let network = |direction| {
            let uniform = direction == Direction::Backward && layout.spec.backward == BackwardPolicy::Uniform;
            (!uniform).then(|| Network::new(layout, direction))
        };
        Self {
            env,
            networks: DIRECTIONS.map(network),
            folded: [None, None],
            log_z: conditional.then(|| Mlp::new(layout, "log_z")),
            tapes: [Tape::default(), Tape::default()],
            log_z_tape: None,
            flow: FlowNetwork::new(layout),
            flow_tape: None,
            parameters: parameters.clone(),
        }
    }

    /// Scores the edges of `choices` into the direction's tape.
    fn score(&mut self, direction: Direction, choices: &Choices, betas: &[f32]) {
        let values = &self.parameters.values;
        let Some(network) = &self.networks[direction as usize] else {
            self.tapes[direction as usize].score_uniformly(choices);
            return;
        };
        let folded = self.folded[direction as usize].get_or_insert_with(|| network.fold(values));
        network.forward(
            &*self.env,
            values,
            folded,
            (choices, betas),
            &mut self.tapes[direction as usize],
        );
    }

    fn run_log_z(&self, betas: &[f32]) -> Option<MlpTape> {
        let mlp = self.log_z.as_ref()?;
        let mut codes = Vec::new();
        betas
            .iter()
            .for_each(|&beta| self.parameters.layout.spec.encode_beta(beta, &mut codes));
        Some(mlp.forward(&self.parameters.values, codes))
    }

    fn log_z_values(&self, tape: Option<&MlpTape>, betas: &[f32]) -> Vec<f32> {
        tape.map_or_else(
            || vec![self.parameters.group(Group::LogZ)[0]; betas.len()],
            |tape| tape.output().to_vec(),
        )
    }
}

impl Backend for NativeBackend {
    fn load(&mut self, parameters: &Parameters) -> Result<(), BackendError> {
        self.parameters.values.copy_from_slice(&parameters.values);
        self.folded = [None, None];
        Ok(())
    }

    fn forward(&mut self, batch: &Batch) -> Result<LogProbs, BackendError> {
        let clamp = Clamp::of(&self.parameters.layout.spec);
        let [forward, backward] = DIRECTIONS.map(|direction| {
            self.score(direction, batch.choices(direction), &batch.betas);
            let tape = &self.tapes[direction as usize];
            steps::log_probabilities(batch.choices(direction), tape, &batch.beta_of, clamp)
        });
        self.log_z_tape = self.run_log_z(&batch.betas);
        let log_z = self.log_z_values(self.log_z_tape.as_ref(), &batch.betas);
        let flows = self.flow.as_ref().zip(batch.flows.as_ref());
        let flows =
            flows.map(|(network, flows)| network.forward(&*self.env, &self.parameters.values, flows, &batch.betas));
        let (log_flow, tape) = flows.unzip();
        self.flow_tape = tape;
        Ok(LogProbs {
            forward,
            backward,
            log_z,
            log_flow: log_flow.unwrap_or_default(),
        })
    }

    fn backward(&mut self, batch: &Batch, upstream: &LogProbs, gradient: &mut [f32]) -> Result<(), BackendError> {
        let clamp = Clamp::of(&self.parameters.layout.spec);
        let values = &self.parameters.values;
        for (direction, upstream) in DIRECTIONS.into_iter().zip([&upstream.forward, &upstream.backward]) {
            let Some(network) = &self.networks[direction as usize] else {
                continue;
            };
            let (choices, tape) = (batch.choices(direction), &mut self.tapes[direction as usize]);
            let logits = steps::log_probabilities_backward(choices, tape, &batch.beta_of, clamp, upstream);
            let folded = self.folded[direction as usize].as_ref().expect("folded by forward");
            network.backward(values, folded, (choices, tape), logits, gradient);
        }
        match (&self.log_z, &self.log_z_tape) {
            (Some(mlp), Some(tape)) => drop(mlp.backward(values, tape, upstream.log_z.clone(), gradient)),
            _ => gradient[self.parameters.layout.group(Group::LogZ).start] += upstream.log_z.iter().sum::<f32>(),
        }
        if let (Some(network), Some(flows), Some(tape)) = (&self.flow, &batch.flows, &self.flow_tape)
            && !upstream.log_flow.is_empty()
        {
            network.backward(values, flows, tape, &upstream.log_flow, gradient);
        }
        Ok(())
    }

    fn edge_scores(
        &mut self,
        direction: Direction,
        choices: &Choices,
        betas: &[f32],
    ) -> Result<EdgeScores, BackendError> {
        self.score(direction, choices, betas);
        let tape = &self.tapes[direction as usize];
        let scales = &tape.beta.scales;
        Ok(EdgeScores {
            scores: tape.scores.clone(),
            offsets: tape.offsets.clone(),
            scales: if scales.is_empty() {
                vec![1.0; betas.len()]
            } else {
                scales.clone()
            },
        })
    }

    fn log_z(&mut self, betas: &[f32]) -> Result<Vec<f32>, BackendError> {
        Ok(self.log_z_values(self.run_log_z(betas).as_ref(), betas))
    }

    fn device(&self) -> String {
        "cpu (native)".into()
    }
}
