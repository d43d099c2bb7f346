//! The small networks on β: its embedding, and the scale T(β) on the logits.

use super::gradient::Gradient;
use super::matrix::{Into, Matrix, MatrixMut, multiply};
use super::mlp::{Mlp, MlpTape};
use crate::policy::spec::LOG_SCALE_LIMIT;
use crate::policy::{Layout, PolicySpec};

/// Those of one direction; none where the policy does not see β.
#[derive(Debug)]
pub struct BetaNetworks {
    spec: PolicySpec,
    encoder: Option<Mlp>,
    scaler: Option<Mlp>,
}

/// What the backward pass needs.
#[derive(Debug, Default)]
pub struct BetaTape {
    encoder: Option<MlpTape>,
    scaler: Option<MlpTape>,
    /// T(β), per β; empty when logits are not scaled.
    pub scales: Vec<f32>,
}

impl BetaTape {
    /// h(β), `[betas, β hidden]`; empty where the policy does not see β.
    pub fn embedded(&self) -> &[f32] {
        self.encoder.as_ref().map_or(&[], MlpTape::output)
    }

    /// h(β) times the transpose of `weight`, `[outputs, β hidden]`, the columns of a layer that see β: `[betas, outputs]`.
    pub fn project(&self, weight: Matrix<'_>, [outputs, beta_hidden]: [usize; 2]) -> Vec<f32> {
        let betas = self.embedded().len() / beta_hidden;
        let mut out = vec![0.0; betas * outputs];
        let input = Matrix::new(self.embedded(), betas, beta_hidden);
        multiply(
            MatrixMut::new(&mut out, betas, outputs),
            Into::Replace,
            input,
            weight.t(),
        );
        out
    }

    /// Gradient of [`Self::project`] for `upstream`, `[betas, outputs]`: adds that of the weight to `into`, returns that of
    /// h(β).
    pub fn project_backward(
        &self,
        upstream: &[f32],
        (weight, into): (Matrix<'_>, MatrixMut<'_>),
        [outputs, beta_hidden]: [usize; 2],
    ) -> Vec<f32> {
        let betas = upstream.len() / outputs;
        let above = Matrix::new(upstream, betas, outputs);
        multiply(
            into,
            Into::Add,
            above.t(),
            Matrix::new(self.embedded(), betas, beta_hidden),
        );
        let mut below = vec![0.0; betas * beta_hidden];
        multiply(
            MatrixMut::new(&mut below, betas, beta_hidden),
            Into::Replace,
            above,
            weight,
        );
        below
    }
}

impl BetaNetworks {
    /// The networks of the direction whose tensors begin with `stem`.
    pub fn new(layout: &Layout, stem: &str) -> Self {
        let conditioning = layout.spec.conditioning;
        let mlp = |wanted: bool, part: &str| wanted.then(|| Mlp::new(layout, &format!("{stem}.{part}")));
        Self {
            spec: layout.spec.clone(),
            encoder: mlp(conditioning.is_conditional(), "beta_encoder"),
            scaler: mlp(conditioning.scales_logits(), "logit_scaler"),
        }
    }

    /// Embeds and scales each of `betas`.
    pub fn forward(&self, values: &[f32], betas: &[f32], tape: &mut BetaTape) {
        tape.encoder = self.encoder.as_ref().map(|encoder| {
            let mut codes = Vec::with_capacity(betas.len() * self.spec.beta_features());
            betas
                .iter()
                .for_each(|&beta| self.spec.encode_policy_beta(beta, &mut codes));
            encoder.forward(values, codes)
        });
        let scaler = self.scaler.as_ref().zip(tape.encoder.as_ref());
        tape.scaler = scaler.map(|(scaler, tape)| scaler.forward(values, tape.output().to_vec()));
        tape.scales.clear();
        let outputs = tape.scaler.iter().flat_map(MlpTape::output);
        tape.scales.extend(outputs.map(|&output| self.scale(output)));
    }

    /// Adds the gradient for `embedded` (that of h(β); empty: zero) and `scales` (that of T(β)).
    pub fn backward(
        &self,
        values: &[f32],
        tape: &BetaTape,
        embedded: Vec<f32>,
        mut scales: Vec<f32>,
        gradient: &mut Gradient<'_>,
    ) {
        let (Some(encoder), Some(output)) = (&self.encoder, &tape.encoder) else {
            return;
        };
        let mut upstream = embedded;
        upstream.resize(output.output().len(), 0.0);
        if let (Some(scaler), Some(output)) = (&self.scaler, &tape.scaler) {
            self.scale_backward(tape, output, &mut scales);
            let below = scaler.backward(values, output, scales, gradient);
            upstream.iter_mut().zip(below).for_each(|(g, b)| *g += b);
        }
        encoder.backward(values, output, upstream, gradient);
    }

    /// T from what the scaler says.
    fn scale(&self, output: f32) -> f32 {
        if self.spec.has_positive_scale() {
            output.clamp(-LOG_SCALE_LIMIT, LOG_SCALE_LIMIT).exp()
        } else {
            output
        }
    }

    /// From the gradient for T to that for what the scaler says, in place.
    fn scale_backward(&self, tape: &BetaTape, scaler: &MlpTape, gradient: &mut [f32]) {
        if self.spec.has_positive_scale() {
            for ((g, t), output) in gradient.iter_mut().zip(&tape.scales).zip(scaler.output()) {
                *g *= if output.abs() < LOG_SCALE_LIMIT { *t } else { 0.0 };
            }
        }
    }
}
