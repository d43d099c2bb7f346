//! Small multi-layer perceptrons (the networks on β): LeakyReLU between layers, none after the last.

use super::gradient::Gradient;
use super::kernels::{add_column_sums, broadcast, leaky_relu, leaky_relu_backward};
use super::matrix::{Into, Matrix, MatrixMut, multiply};
use crate::policy::Layout;
use std::ops::Range;

/// Where the layers of one MLP lie in the flat buffer.
#[derive(Debug, Clone)]
pub struct Mlp {
    layers: Vec<Layer>,
}

#[derive(Debug, Clone)]
struct Layer {
    weight: Range<usize>,
    bias: Range<usize>,
    inputs: usize,
    outputs: usize,
}

/// What the backward pass needs: the input and each layer's output.
#[derive(Debug, Default)]
pub struct MlpTape {
    activations: Vec<Vec<f32>>,
}

impl MlpTape {
    /// The input, `[batch, inputs]`.
    pub fn input(&self) -> &[f32] {
        &self.activations[0]
    }

    /// The output, `[batch, outputs]`.
    pub fn output(&self) -> &[f32] {
        self.activations.last().expect("an MLP has an output")
    }
}

impl Mlp {
    /// The MLP whose tensors are `{stem}.0.weight`, `{stem}.0.bias`, `{stem}.2.weight` …
    pub fn new(layout: &Layout, stem: &str) -> Self {
        let names = (0..).map(|layer| format!("{stem}.{}", 2 * layer));
        let has = |name: &String| layout.tensors.iter().any(|t| t.name == format!("{name}.weight"));
        Self::of_layers(layout, &names.take_while(has).collect::<Vec<_>>())
    }

    /// The MLP of the layers with these names, one above the other.
    pub fn of_layers(layout: &Layout, names: &[String]) -> Self {
        let layers = names.iter().map(|name| {
            let [weight, bias] = ["weight", "bias"].map(|part| layout.tensor(&format!("{name}.{part}")));
            Layer {
                weight: weight.range(),
                bias: bias.range(),
                inputs: weight.shape[1],
                outputs: weight.shape[0],
            }
        });
        Self {
            layers: layers.collect(),
        }
    }

    /// Runs on `input`, `[batch, inputs]`.
    pub fn forward(&self, values: &[f32], input: Vec<f32>) -> MlpTape {
        let batch = input.len() / self.layers[0].inputs;
        let mut activations = vec![input];
        for (number, layer) in self.layers.iter().enumerate() {
            let mut out = vec![0.0; batch * layer.outputs];
            broadcast(&values[layer.bias.clone()], &mut out);
            let weight = Matrix::new(&values[layer.weight.clone()], layer.outputs, layer.inputs);
            let input = Matrix::new(&activations[number], batch, layer.inputs);
            multiply(
                MatrixMut::new(&mut out, batch, layer.outputs),
                Into::Add,
                input,
                weight.t(),
            );
            if number + 1 < self.layers.len() {
                leaky_relu(&mut out);
            }
            activations.push(out);
        }
        MlpTape { activations }
    }

    /// Adds the gradient of the parameters for `upstream` (`[batch, outputs]`); returns the gradient of the input.
    pub fn backward(
        &self,
        values: &[f32],
        tape: &MlpTape,
        mut upstream: Vec<f32>,
        gradient: &mut Gradient<'_>,
    ) -> Vec<f32> {
        for (number, layer) in self.layers.iter().enumerate().rev() {
            let batch = upstream.len() / layer.outputs;
            if number + 1 < self.layers.len() {
                leaky_relu_backward(&tape.activations[number + 1], &mut upstream);
            }
            let above = Matrix::new(&upstream, batch, layer.outputs);
            let input = Matrix::new(&tape.activations[number], batch, layer.inputs);
            let weight_gradient = &mut gradient[layer.weight.clone()];
            multiply(
                MatrixMut::new(weight_gradient, layer.outputs, layer.inputs),
                Into::Add,
                above.t(),
                input,
            );
            add_column_sums(&upstream, &mut gradient[layer.bias.clone()]);
            let weight = Matrix::new(&values[layer.weight.clone()], layer.outputs, layer.inputs);
            let mut below = vec![0.0; batch * layer.inputs];
            multiply(
                MatrixMut::new(&mut below, batch, layer.inputs),
                Into::Replace,
                above,
                weight,
            );
            upstream = below;
        }
        upstream
    }
}
