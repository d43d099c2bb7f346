//! The libtorch backend: the plain arithmetic with autograd, on any device. Reference for `native`, and the GPU path.

use crate::failed;
use std::sync::Arc;
use tch::{Device, Kind, TchError, Tensor};
use thermoflow::env::{Environment, States};
use thermoflow::policy::native::steps::Clamp;
use thermoflow::policy::spec::LOG_SCALE_LIMIT;
use thermoflow::policy::{
    Backend, BackendError, BackwardPolicy, Batch, Choices, Direction, EdgeScores, LogProbs, Parameterization,
    Parameters, PolicySpec,
};

/// Computes on a libtorch device.
#[derive(Debug)]
pub struct TorchBackend {
    env: Arc<dyn Environment>,
    parameters: Parameters,
    device: Device,
    /// All parameters as one leaf, `[layout.len()]`; its gradient is the flat gradient.
    flat: Tensor,
    outputs: Option<[Tensor; 4]>,
}

/// The device called `name`.
///
/// # Errors
/// Names the device when it is unknown or not here.
pub fn device(name: &str) -> Result<Device, BackendError> {
    let number = name.strip_prefix("cuda:").map(str::parse);
    match (name, number) {
        ("cpu-torch", _) => Ok(Device::Cpu),
        ("cuda", _) if tch::Cuda::is_available() => Ok(Device::Cuda(0)),
        (_, Some(Ok(n))) if (n as i64) < tch::Cuda::device_count() => Ok(Device::Cuda(n)),
        ("mps", _) if tch::utils::has_mps() => Ok(Device::Mps),
        _ => Err(BackendError::Device(name.into())),
    }
}

impl TorchBackend {
    /// A backend for policies over `env` on `device`, with these weights loaded.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(env: Arc<dyn Environment>, parameters: &Parameters, device: Device) -> Result<Self, BackendError> {
        let flat = leaf(&parameters.values, device).map_err(failed)?;
        Ok(Self {
            env,
            parameters: parameters.clone(),
            device,
            flat,
            outputs: None,
        })
    }

    fn tensor(&self, name: &str) -> Result<Tensor, TchError> {
        let tensor = self.parameters.layout.tensor(name);
        let shape: Vec<i64> = tensor.shape.iter().map(|&n| n as i64).collect();
        self.flat
            .f_narrow(0, tensor.offset as i64, tensor.len() as i64)?
            .f_view(&shape[..])
    }

    fn linear(&self, input: &Tensor, stem: &str) -> Result<Tensor, TchError> {
        input.f_linear(
            &self.tensor(&format!("{stem}.weight"))?,
            Some(self.tensor(&format!("{stem}.bias"))?),
        )
    }

    /// `layers` linear layers called `{stem}.0`, `{stem}.2` …
    fn mlp(&self, input: &Tensor, stem: &str, layers: usize) -> Result<Tensor, TchError> {
        let mut out = self.linear(input, &format!("{stem}.0"))?;
        for layer in 1..layers {
            out = self.linear(&out.f_leaky_relu()?, &format!("{stem}.{}", 2 * layer))?;
        }
        Ok(out)
    }

    fn indices(&self, values: &[u32]) -> Result<Tensor, TchError> {
        let values: Vec<i64> = values.iter().map(|&v| v.into()).collect();
        Tensor::f_from_slice(&values)?.f_to_device(self.device)
    }

    /// `[count, features]`.
    fn one_hot<'a>(&self, states: impl Iterator<Item = &'a [u8]>, count: usize) -> Result<Tensor, TchError> {
        let features = self.env.feature_count();
        let mut dense = vec![0f32; count * features];
        let mut ones = Vec::new();
        for (state, row) in states.zip(dense.chunks_exact_mut(features)) {
            ones.clear();
            self.env.features(state, &mut ones);
            ones.iter().for_each(|&one| row[one as usize] = 1.0);
        }
        let dense = Tensor::f_from_slice(&dense)?.f_view([count as i64, features as i64])?;
        dense.f_to_device(self.device)
    }

    fn beta_codes(&self, betas: &[f32], encode: fn(&PolicySpec, f32, &mut Vec<f32>)) -> Result<Tensor, TchError> {
        let spec = &self.parameters.layout.spec;
        let mut codes = Vec::new();
        betas.iter().for_each(|&beta| encode(spec, beta, &mut codes));
        let shape = [betas.len() as i64, (codes.len() / betas.len()) as i64];
        Tensor::f_from_slice(&codes)?.f_view(shape)?.f_to_device(self.device)
    }

    fn scores(&self, direction: Direction, choices: &Choices, betas: &[f32]) -> Result<Scores, TchError> {
        let stem = direction.stem();
        let spec = &self.parameters.layout.spec;
        let conditioning = spec.conditioning;
        if direction == Direction::Backward && spec.backward == BackwardPolicy::Uniform {
            let scores = Tensor::f_zeros([choices.edges() as i64], (Kind::Float, self.device))?;
            return Ok(Scores {
                scores,
                offsets: None,
                scales: None,
            });
        }
        let mut embedding = None;
        let mut scale = None;
        if conditioning.is_conditional() {
            let embedded = self.mlp(
                &self.beta_codes(betas, PolicySpec::encode_policy_beta)?,
                &format!("{stem}.beta_encoder"),
                3,
            )?;
            if conditioning.scales_logits() {
                let output = self
                    .mlp(&embedded, &format!("{stem}.logit_scaler"), 3)?
                    .f_squeeze_dim(1)?;
                let limit = f64::from(LOG_SCALE_LIMIT);
                scale = Some(if spec.has_positive_scale() {
                    output.f_clamp(-limit, limit)?.f_exp()?
                } else {
                    output
                });
            }
            if conditioning.embeds_beta() {
                embedding = Some(embedded);
            }
        }
        let outputs = match spec.parameterization {
            Parameterization::Edge => self.score_edges(stem, choices, embedding.as_ref())?,
            Parameterization::StateAction => self.score_actions(stem, choices, embedding.as_ref())?,
        };
        let offsets = spec.has_offset().then(|| outputs.f_select(1, 1)).transpose()?;
        Ok(Scores {
            scores: outputs.f_select(1, 0)?,
            offsets,
            scales: scale,
        })
    }

    /// `[edges, outputs]` from the states at both ends; `embedding` is h(β), `[groups, β hidden]`, where the scorer sees it.
    fn score_edges(&self, stem: &str, choices: &Choices, embedding: Option<&Tensor>) -> Result<Tensor, TchError> {
        let embed = |states: &States| {
            self.mlp(
                &self.one_hot(states.iter(), states.len())?,
                &format!("{stem}.encoder"),
                2,
            )
        };
        let sources = embed(choices.sources.states())?.f_index_select(0, &self.indices(&edge_sources(choices))?)?;
        let targets = embed(choices.targets.states())?.f_index_select(0, &self.indices(&choices.edge_target)?)?;
        let mut joined = vec![sources, targets];
        if let Some(embedding) = embedding {
            joined.push(embedding.f_index_select(0, &self.indices(&edge_groups(choices))?)?);
        }
        self.mlp(&Tensor::f_cat(&joined, 1)?, &format!("{stem}.scorer"), 2)
    }

    /// `[edges, outputs]` from the state that chooses, by action.
    fn score_actions(&self, stem: &str, choices: &Choices, embedding: Option<&Tensor>) -> Result<Tensor, TchError> {
        let states = choices.sources.states();
        let sources = choices.row_source.iter().map(|&source| states.row(source as usize));
        let mut joined = vec![self.one_hot(sources, choices.rows())?];
        if let Some(embedding) = embedding {
            joined.push(embedding.f_index_select(0, &self.indices(&choices.row_group)?)?);
        }
        let spec = &self.parameters.layout.spec;
        let trunk = self.mlp(&Tensor::f_cat(&joined, 1)?, "forward.trunk", spec.layers)?;
        let scores = self.linear(&trunk.f_leaky_relu()?, &format!("{stem}.head"))?;
        // From [rows, outputs · actions] to a row of outputs for every row and action.
        let (outputs, actions) = (spec.edge_outputs() as i64, self.env.action_count());
        let scores = scores.f_view([-1, outputs, actions as i64])?;
        let scores = scores.f_permute([0, 2, 1])?.f_reshape([-1, outputs])?;
        let place = |row: usize, edge: usize| (row * actions + usize::from(choices.edge_action[edge])) as u32;
        let of_row = |row: usize| choices.row(row).map(move |edge| place(row, edge));
        let places: Vec<u32> = (0..choices.rows()).flat_map(of_row).collect();
        scores.f_index_select(0, &self.indices(&places)?)
    }

    fn log_probabilities(&self, direction: Direction, batch: &Batch) -> Result<Tensor, TchError> {
        let choices = batch.choices(direction);
        if choices.steps() == 0 {
            return Tensor::f_zeros([0], (Kind::Float, self.device));
        }
        let Scores {
            scores,
            offsets,
            scales,
        } = self.scores(direction, choices, &batch.betas)?;
        let Padded {
            edges,
            padding,
            chosen,
            width,
        } = Padded::new(choices);
        let shape = [choices.steps() as i64, width as i64];
        let mut logits = scores.f_index_select(0, &self.indices(&edges)?)?.f_view(shape)?;
        if let Some(scale) = scales {
            let beta_of: Vec<u32> = choices
                .step_trajectory
                .iter()
                .map(|&t| batch.beta_of[t as usize])
                .collect();
            logits = logits.f_mul(&scale.f_index_select(0, &self.indices(&beta_of)?)?.f_unsqueeze(1)?)?;
        }
        if let Some(offsets) = offsets {
            logits = logits.f_add(&offsets.f_index_select(0, &self.indices(&edges)?)?.f_view(shape)?)?;
        }
        let clamp = Clamp::of(&self.parameters.layout.spec);
        if let Clamp::Logits(limit) = clamp {
            logits = logits.f_clamp(f64::from(-limit), f64::from(limit))?;
        }
        let padding = Tensor::f_from_slice(&padding)?
            .f_view(shape)?
            .f_to_device(self.device)?;
        let log_p = logits
            .f_masked_fill(&padding, f64::NEG_INFINITY)?
            .f_log_softmax(1, Kind::Float)?;
        let log_p = log_p
            .f_gather(1, &self.indices(&chosen)?.f_unsqueeze(1)?, false)?
            .f_squeeze_dim(1)?;
        match clamp {
            Clamp::LogProbabilities(limit) => log_p.f_clamp(f64::from(-limit), f64::from(limit)),
            _ => Ok(log_p),
        }
    }

    fn log_z_tensor(&self, betas: &[f32]) -> Result<Tensor, TchError> {
        if self.parameters.layout.spec.conditioning.is_conditional() {
            let codes = self.beta_codes(betas, PolicySpec::encode_beta)?;
            return self.mlp(&codes, "log_z", 3)?.f_squeeze_dim(1);
        }
        self.tensor("log_z")?.f_expand([betas.len() as i64], false)
    }

    /// log F per row of the batch's flows.
    fn log_flow(&self, batch: &Batch) -> Result<Tensor, TchError> {
        let Some(flows) = &batch.flows else {
            return Tensor::f_zeros([0], (Kind::Float, self.device));
        };
        let counts = flows.offsets.windows(2).map(|pair| pair[1] - pair[0]);
        let row_state: Vec<u32> = (0..).zip(counts).flat_map(|(s, n)| vec![s; n as usize]).collect();
        let mut joined = vec![
            self.one_hot(flows.states.iter(), flows.states.len())?
                .f_index_select(0, &self.indices(&row_state)?)?,
        ];
        if self.parameters.layout.spec.flow_beta_features() > 0 {
            let codes = self.beta_codes(&batch.betas, PolicySpec::encode_beta)?;
            joined.push(codes.f_index_select(0, &self.indices(&flows.row_beta)?)?);
        }
        self.mlp(&Tensor::f_cat(&joined, 1)?, "log_flow", 2)?.f_squeeze_dim(1)
    }

    fn load_values(&mut self, values: &[f32]) -> Result<(), TchError> {
        self.parameters.values.copy_from_slice(values);
        self.flat = leaf(values, self.device)?;
        self.outputs = None;
        Ok(())
    }

    fn evaluate(&mut self, batch: &Batch) -> Result<LogProbs, TchError> {
        let forward = self.log_probabilities(Direction::Forward, batch)?;
        let backward = self.log_probabilities(Direction::Backward, batch)?;
        let log_z = self.log_z_tensor(&batch.betas)?;
        let log_flow = self.log_flow(batch)?;
        let out = LogProbs {
            forward: host(&forward)?,
            backward: host(&backward)?,
            log_z: host(&log_z)?,
            log_flow: host(&log_flow)?,
        };
        self.outputs = Some([forward, backward, log_z, log_flow]);
        Ok(out)
    }

    fn differentiate(&mut self, upstream: &LogProbs, gradient: &mut [f32]) -> Result<(), TchError> {
        let outputs = self.outputs.take().expect("backward follows forward");
        let mut total = Tensor::f_zeros([], (Kind::Float, self.device))?;
        let upstream = [
            &upstream.forward,
            &upstream.backward,
            &upstream.log_z,
            &upstream.log_flow,
        ];
        // An objective without flows has no gradient for them.
        for (output, upstream) in outputs.iter().zip(upstream).filter(|(_, u)| !u.is_empty()) {
            let upstream = Tensor::f_from_slice(upstream)?.f_to_device(self.device)?;
            total = total.f_add(&output.f_mul(&upstream)?.f_sum(Kind::Float)?)?;
        }
        total.f_backward()?;
        gradient
            .iter_mut()
            .zip(host(&self.flat.f_grad()?)?)
            .for_each(|(g, new)| *g += new);
        self.flat.zero_grad();
        Ok(())
    }

    fn evaluate_edges(&self, direction: Direction, choices: &Choices, betas: &[f32]) -> Result<EdgeScores, TchError> {
        tch::no_grad(|| {
            let found = self.scores(direction, choices, betas)?;
            let scales = found
                .scales
                .map_or_else(|| Ok(vec![1.0; betas.len()]), |scale| host(&scale))?;
            Ok(EdgeScores {
                scores: host(&found.scores)?,
                offsets: found.offsets.map_or_else(|| Ok(Vec::new()), |offsets| host(&offsets))?,
                scales,
            })
        })
    }
}

impl Backend for TorchBackend {
    fn load(&mut self, parameters: &Parameters) -> Result<(), BackendError> {
        self.load_values(&parameters.values).map_err(failed)
    }

    fn forward(&mut self, batch: &Batch) -> Result<LogProbs, BackendError> {
        self.evaluate(batch).map_err(failed)
    }

    fn backward(&mut self, _batch: &Batch, upstream: &LogProbs, gradient: &mut [f32]) -> Result<(), BackendError> {
        self.differentiate(upstream, gradient).map_err(failed)
    }

    fn edge_scores(
        &mut self,
        direction: Direction,
        choices: &Choices,
        betas: &[f32],
    ) -> Result<EdgeScores, BackendError> {
        self.evaluate_edges(direction, choices, betas).map_err(failed)
    }

    fn log_z(&mut self, betas: &[f32]) -> Result<Vec<f32>, BackendError> {
        tch::no_grad(|| host(&self.log_z_tensor(betas)?)).map_err(failed)
    }

    fn device(&self) -> String {
        format!("{:?} (libtorch)", self.device).to_lowercase()
    }
}

/// What logits are made of, with gradients to follow.
struct Scores {
    /// f per edge.
    scores: Tensor,
    /// g per edge.
    offsets: Option<Tensor>,
    /// T per β.
    scales: Option<Tensor>,
}

/// The edges of every step, padded to the widest row.
struct Padded {
    edges: Vec<u32>,
    padding: Vec<bool>,
    chosen: Vec<u32>,
    width: usize,
}

impl Padded {
    fn new(choices: &Choices) -> Self {
        let width = (0..choices.rows()).map(|row| choices.row(row).len()).max().unwrap_or(0);
        let mut padded = Self {
            edges: Vec::new(),
            padding: Vec::new(),
            chosen: Vec::new(),
            width,
        };
        for (&row, &chosen) in choices.step_row.iter().zip(&choices.step_edge) {
            let edges = choices.row(row as usize);
            padded.chosen.push(chosen - edges.start as u32);
            let spare = width - edges.len();
            padded.padding.extend((0..width).map(|place| place >= edges.len()));
            padded.edges.extend(edges.map(|edge| edge as u32));
            padded.edges.extend(std::iter::repeat_n(0, spare));
        }
        padded
    }
}

fn edge_sources(choices: &Choices) -> Vec<u32> {
    (0..choices.rows())
        .flat_map(|row| choices.row(row).map(move |_| choices.row_source[row]))
        .collect()
}

fn edge_groups(choices: &Choices) -> Vec<u32> {
    (0..choices.rows())
        .flat_map(|row| choices.row(row).map(move |_| choices.row_group[row]))
        .collect()
}

fn leaf(values: &[f32], device: Device) -> Result<Tensor, TchError> {
    Ok(Tensor::f_from_slice(values)?
        .f_to_device(device)?
        .set_requires_grad(true))
}

fn host(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    Vec::<f32>::try_from(tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?)
}
