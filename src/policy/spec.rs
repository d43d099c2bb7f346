//! What a policy is made of: conditioning and sizes. A value, not a type; the arithmetic is elsewhere.

use serde::{Deserialize, Serialize};

/// How β enters the policy (METHOD.md, Networks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Conditioning {
    /// One fixed β; log Z is one number.
    Unconditional,
    /// T(β)·f(s, s'): the paper's method.
    Logit,
    /// f(s, s', h(β)): the β embedding joins the scorer's input.
    Layer,
    /// As `Layer`, with β as a thermometer code.
    LayerThermometer,
    /// Both a logit scale and an embedding.
    LogitLayer,
}

impl Conditioning {
    /// Logits are multiplied by T(β).
    pub fn scales_logits(self) -> bool {
        matches!(self, Self::Logit | Self::LogitLayer)
    }

    /// The scorer sees an embedding of β, so scores differ between β.
    pub fn embeds_beta(self) -> bool {
        matches!(self, Self::Layer | Self::LayerThermometer | Self::LogitLayer)
    }

    /// β reaches the networks as a thermometer code.
    pub fn uses_thermometer(self) -> bool {
        self == Self::LayerThermometer
    }

    /// Anything but `Unconditional`.
    pub fn is_conditional(self) -> bool {
        self != Self::Unconditional
    }
}

/// What the networks give scores to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Parameterization {
    /// Edges, from both their states: f(s, s'), the published form.
    #[default]
    Edge,
    /// Actions, from the state alone: one MLP with a head for P_F and one for P_B, the usual form elsewhere.
    StateAction,
}

/// Whose quirks to reproduce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Parity {
    /// As the published code: logits clamped to ±`logit_clip` (unconditional: log-probabilities), thermometer linear.
    Published,
    /// Ours: no clamp on the logits, the thermometer saturates.
    Improved,
}

/// How the scale T(β) on the logits comes from β.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogitScale {
    /// As published: any number, from β itself.
    #[default]
    Free,
    /// exp of a network of log β: positive, and a power law of β beyond the trained range.
    Positive,
}

/// Where P_B comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BackwardPolicy {
    /// A network like that of P_F.
    #[default]
    Learned,
    /// Uniform over the distinct parents (maximum entropy).
    Uniform,
}

/// Sizes and kind of a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicySpec {
    /// How β enters.
    pub conditioning: Conditioning,
    /// Whose quirks.
    pub parity: Parity,
    /// What is scored.
    #[serde(default)]
    pub parameterization: Parameterization,
    /// State-action: hidden layers of the MLP.
    #[serde(default = "two_layers")]
    pub layers: usize,
    /// Hidden size H of encoder and scorer, or of every hidden layer of a state-action MLP.
    pub hidden: usize,
    /// Edge: embedding size E of a state.
    pub embed: usize,
    /// Hidden size of the small networks on β.
    pub beta_hidden: usize,
    /// Clamp of `Parity::Published`.
    pub logit_clip: f32,
    /// Number of bins of the thermometer code.
    pub thermometer_bins: usize,
    /// Range of β that the thermometer code spreads over.
    pub thermometer_range: [f32; 2],
    /// How T(β) comes from β.
    #[serde(default)]
    pub logit_scale: LogitScale,
    /// A positive scale is that of this β for every larger one. None: it goes on growing.
    #[serde(default)]
    pub beta_limit: Option<f32>,
    /// An edge has a second score g that is not scaled: logits are g(s, s') + T(β)·f(s, s').
    #[serde(default)]
    pub edge_offset: bool,
    /// Where P_B comes from.
    #[serde(default)]
    pub backward: BackwardPolicy,
    /// There is a network for the flow through a state, log F(s; β) (detailed and sub-trajectory balance need it).
    #[serde(default)]
    pub state_flow: bool,
}

fn two_layers() -> usize {
    2
}

/// log T is kept within ±this: a guard against overflow, far from any value that training reaches.
pub const LOG_SCALE_LIMIT: f32 = 20.0;

impl PolicySpec {
    /// Published sizes of TFBind8 with the given conditioning.
    pub fn published(conditioning: Conditioning) -> Self {
        Self {
            conditioning,
            parity: Parity::Published,
            parameterization: Parameterization::Edge,
            layers: two_layers(),
            hidden: 128,
            embed: 128,
            beta_hidden: 32,
            logit_clip: 20.0,
            thermometer_bins: 32,
            thermometer_range: [1.0, 3.0],
            logit_scale: LogitScale::Free,
            beta_limit: None,
            edge_offset: false,
            backward: BackwardPolicy::Learned,
            state_flow: false,
        }
    }

    /// T(β) is the exponential of what the scaler says.
    pub fn has_positive_scale(&self) -> bool {
        self.conditioning.scales_logits() && self.logit_scale == LogitScale::Positive
    }

    /// Edges have an offset beside their score; without a scale it would be the same as a score.
    pub fn has_offset(&self) -> bool {
        self.conditioning.scales_logits() && self.edge_offset
    }

    /// Scores of an edge: f, and g where there are offsets.
    pub fn edge_outputs(&self) -> usize {
        1 + usize::from(self.has_offset())
    }

    /// Numbers of h(β) that join what the scorer, or the first layer of a state-action MLP, sees.
    pub fn joined_beta(&self) -> usize {
        if self.conditioning.embeds_beta() {
            self.beta_hidden
        } else {
            0
        }
    }

    /// Numbers that describe one β to log F: none where there is one β only.
    pub fn flow_beta_features(&self) -> usize {
        if self.conditioning.is_conditional() {
            self.beta_features()
        } else {
            0
        }
    }

    /// As [`Self::encode_beta`], for the networks within the policies, which see log β where the scale is positive.
    pub fn encode_policy_beta(&self, beta: f32, out: &mut Vec<f32>) {
        if self.has_positive_scale() {
            out.push(beta.min(self.beta_limit.unwrap_or(f32::INFINITY)).ln());
        } else {
            self.encode_beta(beta, out);
        }
    }

    /// Numbers that describe one β to the networks.
    pub fn beta_features(&self) -> usize {
        if self.conditioning.uses_thermometer() {
            self.thermometer_bins
        } else {
            1
        }
    }

    /// Writes the description of one β, `[beta_features]`: β itself, or its thermometer code
    /// min(max((β − bin_i)/gap, 0), 1) for bins at equal gaps over the range (not clamped under `Parity::Published`).
    pub fn encode_beta(&self, beta: f32, out: &mut Vec<f32>) {
        if !self.conditioning.uses_thermometer() {
            out.push(beta);
            return;
        }
        let [low, high] = self.thermometer_range;
        let gap = (high - low) / (self.thermometer_bins - 1) as f32;
        out.extend((0..self.thermometer_bins).map(|bin| {
            let code = (beta - (low + gap * bin as f32)) / gap;
            if self.parity == Parity::Published {
                code
            } else {
                code.clamp(0.0, 1.0)
            }
        }));
    }
}
