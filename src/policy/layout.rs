//! Where each named tensor lies in one flat buffer of parameters. Names as in `golden/*.safetensors` (DESIGN.md).

use super::spec::{BackwardPolicy, Parameterization, PolicySpec};
use crate::env::Sizes;
use crate::random::{Purpose, Stream};
use std::ops::Range;
use std::sync::Arc;

/// Tensors that are clipped together and share a learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// The forward policy with its β networks.
    Forward,
    /// The backward policy with its β networks.
    Backward,
    /// log Z(β).
    LogZ,
    /// The flow through states, log F(s; β).
    LogFlow,
}

/// How many groups there are.
pub const GROUPS: usize = 4;

impl Group {
    /// Every group, in the order of the flat buffer.
    pub const ALL: [Self; GROUPS] = [Self::Forward, Self::Backward, Self::LogZ, Self::LogFlow];

    fn prefix(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::LogZ => "log_z",
            Self::LogFlow => "log_flow",
        }
    }
}

/// A named tensor within the flat buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// For example `forward.encoder.0.weight`.
    pub name: String,
    /// `[out, in]` for weights, `[out]` for biases.
    pub shape: Vec<usize>,
    /// First element in the flat buffer.
    pub offset: usize,
    /// Its group.
    pub group: Group,
}

impl TensorSpec {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Never true: shapes have no zeros.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its elements in the flat buffer.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// All tensors of a policy, in order; groups are contiguous.
#[derive(Debug, PartialEq)]
pub struct Layout {
    /// The policy it is for.
    pub spec: PolicySpec,
    /// What networks see of a state, and how many actions they score.
    pub sizes: Sizes,
    /// The tensors by offset.
    pub tensors: Vec<TensorSpec>,
}

impl Layout {
    /// The tensors of a policy over an environment of these sizes.
    pub fn new(spec: &PolicySpec, sizes: Sizes) -> Arc<Self> {
        let mut layout = Self {
            spec: spec.clone(),
            sizes,
            tensors: Vec::new(),
        };
        layout.add_policy(Group::Forward);
        if spec.backward == BackwardPolicy::Learned {
            layout.add_policy(Group::Backward);
        }
        if spec.conditioning.is_conditional() {
            layout.add_mlp(
                Group::LogZ,
                "",
                &[spec.beta_features(), spec.beta_hidden, spec.beta_hidden, 1],
            );
        } else {
            layout.add(Group::LogZ, "log_z".into(), vec![1]);
        }
        if spec.state_flow {
            let inputs = sizes.features + spec.flow_beta_features();
            layout.add_mlp(Group::LogFlow, "", &[inputs, spec.hidden, 1]);
        }
        Arc::new(layout)
    }

    fn add_policy(&mut self, group: Group) {
        let PolicySpec {
            conditioning,
            beta_hidden,
            ..
        } = self.spec;
        let beta_features = self.spec.beta_features();
        match self.spec.parameterization {
            Parameterization::Edge => self.add_edges(group),
            Parameterization::StateAction => self.add_state_action(group),
        }
        if conditioning.is_conditional() {
            self.add_mlp(
                group,
                ".beta_encoder",
                &[beta_features, beta_hidden, beta_hidden, beta_hidden],
            );
        }
        if conditioning.scales_logits() {
            self.add_mlp(group, ".logit_scaler", &[beta_hidden, beta_hidden, beta_hidden, 1]);
        }
    }

    fn add_edges(&mut self, group: Group) {
        let PolicySpec { hidden, embed, .. } = self.spec;
        self.add_mlp(group, ".encoder", &[self.sizes.features, hidden, embed]);
        let joined = 2 * embed + self.spec.joined_beta();
        self.add_mlp(group, ".scorer", &[joined, hidden, self.spec.edge_outputs()]);
    }

    /// The layers that both directions share belong to the forward policy.
    fn add_state_action(&mut self, group: Group) {
        let PolicySpec { hidden, layers, .. } = self.spec;
        if group == Group::Forward {
            let inputs = self.sizes.features + self.spec.joined_beta();
            let sizes: Vec<usize> = std::iter::once(inputs).chain(vec![hidden; layers]).collect();
            self.add_mlp(group, ".trunk", &sizes);
        }
        let outputs = self.sizes.actions * self.spec.edge_outputs();
        self.add_linear(group, format!("{}.head", group.prefix()), [hidden, outputs]);
    }

    /// Layers get even numbers, as in a PyTorch `Sequential` with activations between.
    fn add_mlp(&mut self, group: Group, part: &str, sizes: &[usize]) {
        for (layer, pair) in sizes.windows(2).enumerate() {
            self.add_linear(
                group,
                format!("{}{part}.{}", group.prefix(), 2 * layer),
                [pair[0], pair[1]],
            );
        }
    }

    fn add_linear(&mut self, group: Group, stem: String, [inputs, outputs]: [usize; 2]) {
        self.add(group, format!("{stem}.weight"), vec![outputs, inputs]);
        self.add(group, format!("{stem}.bias"), vec![outputs]);
    }

    fn add(&mut self, group: Group, name: String, shape: Vec<usize>) {
        self.tensors.push(TensorSpec {
            name,
            shape,
            offset: self.len(),
            group,
        });
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.tensors.last().map_or(0, |t| t.offset + t.len())
    }

    /// Never true for a real policy.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The elements of a group; none when the policy has no such tensors.
    pub fn group(&self, group: Group) -> Range<usize> {
        let mut members = self.tensors.iter().filter(|t| t.group == group);
        let Some(first) = members.next() else {
            return 0..0;
        };
        first.offset..members.next_back().unwrap_or(first).range().end
    }

    /// The tensor called `name`.
    ///
    /// # Panics
    /// When there is none: names come from this layout.
    pub fn tensor(&self, name: &str) -> &TensorSpec {
        self.tensors
            .iter()
            .find(|t| t.name == name)
            .unwrap_or_else(|| panic!("no tensor {name}"))
    }
}

/// The weights of a policy: a flat buffer with its layout.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// Names and shapes.
    pub layout: Arc<Layout>,
    /// `[layout.len()]`.
    pub values: Vec<f32>,
}

/// Where log Z starts when it is one number (METHOD.md, Networks).
const UNCONDITIONAL_LOG_Z: f32 = 5.0;

impl Parameters {
    /// Nothing yet.
    pub fn zeros(layout: Arc<Layout>) -> Self {
        let values = vec![0.0; layout.len()];
        Self { layout, values }
    }

    /// PyTorch's default initialisation: weights and biases uniform in ±1/√inputs. Tensor i draws from stream i.
    pub fn initial(layout: Arc<Layout>, seed: u64) -> Self {
        let mut values = vec![0.0; layout.len()];
        let mut inputs = 1;
        for (number, tensor) in layout.tensors.iter().enumerate() {
            // A bias follows its weight and shares its bound.
            inputs = if tensor.shape.len() == 2 {
                tensor.shape[1]
            } else {
                inputs
            };
            let bound = 1.0 / (inputs as f64).sqrt();
            let mut stream = Stream::new(seed, Purpose::Weights, 0, number as u64);
            let lone_log_z = tensor.name == "log_z";
            for value in &mut values[tensor.range()] {
                *value = if lone_log_z {
                    UNCONDITIONAL_LOG_Z
                } else {
                    stream.uniform(-bound, bound) as f32
                };
            }
        }
        Self { layout, values }
    }

    /// The elements of the tensor called `name`.
    pub fn tensor(&self, name: &str) -> &[f32] {
        &self.values[self.layout.tensor(name).range()]
    }

    /// The elements of a group.
    pub fn group(&self, group: Group) -> &[f32] {
        &self.values[self.layout.group(group)]
    }

    /// True when every number is finite.
    pub fn is_finite(&self) -> bool {
        self.values.iter().all(|v| v.is_finite())
    }
}
