//! The CPU backend: own kernels over distinct states and edges, forward and backward written out.
//!
//! It agrees with libtorch to 1e-5 (`torch/src/tests.rs`); that one is the reference and the way to GPUs.

mod beta;
mod edges;
pub mod flops;
mod flow;
mod gradient;
mod kept;
mod kernels;
pub mod matrix;
mod mlp;
mod network;
mod one_hot;
mod projection;
mod state_action;
pub mod steps;

use super::{
    Backend, BackendError, BackwardPolicy, Batch, Choices, Direction, EdgeScores, Group, LogProbs, Parameterization,
    Parameters,
};
use crate::env::Environment;
use crate::spread;
use flow::{FlowNetwork, FlowTape};
use gradient::Gradient;
use kept::Kept;
use mlp::{Mlp, MlpTape};
use network::{Folded, Network, Scratch, Side, Tape, room, zeros};
use std::sync::Arc;
use steps::Clamp;

/// Computes on the calling thread, or on those of the pool that it is called in.
#[derive(Debug)]
pub struct NativeBackend {
    env: Arc<dyn Environment>,
    parameters: Parameters,
    /// None where P_B is uniform.
    networks: [Option<Network>; 2],
    /// None until first used with the weights at hand: an actor never folds the backward policy.
    folded: [Option<Folded>; 2],
    /// Of the forward direction.
    kept: Option<Kept>,
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
            kept: None,
            log_z: conditional.then(|| Mlp::new(layout, "log_z")),
            tapes: [Tape::default(), Tape::default()],
            log_z_tape: None,
            flow: FlowNetwork::new(layout),
            flow_tape: None,
            parameters: parameters.clone(),
        }
    }

    /// Keeps what roll-outs project for training with the same weights: for a backend that does both.
    pub fn keeping(mut self) -> Self {
        self.kept = Kept::new(self.env.state_width(), self.parameters.layout.spec.hidden);
        self
    }

    /// What each direction computes with.
    fn passes(&mut self) -> [Pass<'_>; 2] {
        let Self {
            env,
            parameters,
            networks,
            folded,
            kept,
            tapes,
            ..
        } = self;
        let clamp = Clamp::of(&parameters.layout.spec);
        let [forward, backward] = networks.each_ref().map(Option::as_ref);
        let [folded_forward, folded_backward] = folded;
        let [tape_forward, tape_backward] = tapes;
        let pass = |network, folded, kept, tape| Pass {
            env: &**env,
            values: &parameters.values,
            clamp,
            network,
            folded,
            kept,
            tape,
        };
        [
            pass(forward, folded_forward, kept.as_ref(), tape_forward),
            pass(backward, folded_backward, None, tape_backward),
        ]
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

/// One direction at work.
struct Pass<'a> {
    env: &'a dyn Environment,
    values: &'a [f32],
    clamp: Clamp,
    network: Option<&'a Network>,
    folded: &'a mut Option<Folded>,
    kept: Option<&'a Kept>,
    tape: &'a mut Tape,
}

impl Pass<'_> {
    /// Scores the edges of `choices` into the tape.
    fn score(&mut self, choices: &Choices, betas: &[f32]) {
        let Some(network) = self.network else {
            self.tape.score_uniformly(choices);
            return;
        };
        let folded = self.folded.get_or_insert_with(|| network.fold(self.values));
        network.forward(self.env, self.values, folded, (choices, betas), self.kept, self.tape);
    }

    /// log P of the steps of `choices`, those of `batch` in this direction.
    fn log_probabilities(&mut self, choices: &Choices, batch: &Batch) -> Vec<f32> {
        self.score(choices, &batch.betas);
        steps::log_probabilities(choices, self.tape, &batch.beta_of, self.clamp)
    }

    /// Adds the gradient of Σ upstream·log P.
    fn gradient(&mut self, choices: &Choices, batch: &Batch, upstream: &[f32], gradient: &mut Gradient<'_>) {
        let Some(network) = self.network else { return };
        let logits = steps::log_probabilities_backward(choices, self.tape, &batch.beta_of, self.clamp, upstream);
        let folded = self.folded.as_ref().expect("folded by forward");
        network.backward(self.values, folded, (choices, self.tape), logits, gradient);
    }
}

impl Backend for NativeBackend {
    fn load(&mut self, parameters: &Parameters) -> Result<(), BackendError> {
        // Who shares a backend loads what is there.
        if self.parameters.values != parameters.values {
            self.parameters.values.copy_from_slice(&parameters.values);
            self.folded = [None, None];
            self.kept.iter_mut().for_each(Kept::forget);
        }
        Ok(())
    }

    fn forward(&mut self, batch: &Batch) -> Result<LogProbs, BackendError> {
        let [mut forwards, mut backwards] = self.passes();
        let (forward, backward) = spread::both(
            || forwards.log_probabilities(&batch.forward, batch),
            || backwards.log_probabilities(&batch.backward, batch),
        );
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
        let gradient = &mut Gradient::new(gradient);
        let layout = self.parameters.layout.clone();
        let [mut forwards, mut backwards] = self.passes();
        let mut forwards = |into: &mut Gradient<'_>| forwards.gradient(&batch.forward, batch, &upstream.forward, into);
        let mut backwards =
            |into: &mut Gradient<'_>| backwards.gradient(&batch.backward, batch, &upstream.backward, into);
        if layout.spec.parameterization == Parameterization::Edge {
            let [mut of_forward, mut of_rest] = gradient.split_at(layout.group(Group::Forward).end);
            spread::both(|| forwards(&mut of_forward), || backwards(&mut of_rest));
        } else {
            // One network has both, and a gradient to which both add.
            forwards(gradient);
            backwards(gradient);
        }
        let values = &self.parameters.values;
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
        self.passes()[direction as usize].score(choices, betas);
        let tape = &self.tapes[direction as usize];
        if let (Direction::Forward, Some(kept), Some(network)) = (direction, &mut self.kept, &self.networks[0]) {
            network.keep(choices, tape, kept);
        }
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
