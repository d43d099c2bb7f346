//! What policy a file of bare tensors holds, from their names and shapes.

use crate::env::Sizes;
use crate::policy::{BackwardPolicy, Conditioning, PolicySpec};
use std::collections::HashMap;

/// The policy, one that scores edges, and the sizes that tensors of these names and shapes belong to.
///
/// What shapes do not tell is taken as published: parity, logit clip, range of the thermometer.
///
/// # Errors
/// Says which tensor does not fit any policy.
pub fn guess_spec(shapes: &HashMap<String, Vec<usize>>) -> Result<(PolicySpec, Sizes), String> {
    let matrix = |name: &str| match shapes.get(name).map(Vec::as_slice) {
        Some(&[rows, columns]) => Ok([rows, columns]),
        Some(other) => Err(format!("{name} has shape {other:?}, two dimensions are needed")),
        None => Err(format!("there is no {name}")),
    };
    let [hidden, features] = matrix("forward.encoder.0.weight")?;
    let sizes = Sizes { features, actions: 0 };
    let [embed, _] = matrix("forward.encoder.2.weight")?;
    let [_, joined] = matrix("forward.scorer.0.weight")?;
    let mut spec = PolicySpec {
        hidden,
        embed,
        edge_offset: matrix("forward.scorer.2.weight")?[0] == 2,
        state_flow: shapes.contains_key("log_flow.0.weight"),
        backward: if shapes.contains_key("backward.encoder.0.weight") {
            BackwardPolicy::Learned
        } else {
            BackwardPolicy::Uniform
        },
        ..PolicySpec::published(Conditioning::Unconditional)
    };
    if shapes.contains_key("log_z") {
        return Ok((spec, sizes));
    }
    let [beta_hidden, beta_features] = matrix("forward.beta_encoder.0.weight")?;
    let scales = shapes.contains_key("forward.logit_scaler.0.weight");
    let extra = joined.checked_sub(embed.saturating_mul(2));
    let embeds = match extra {
        Some(0) => false,
        Some(extra) if extra == beta_hidden => true,
        _ => {
            return Err(format!(
                "forward.scorer.0.weight takes {joined} inputs, neither twice the embedding of {embed} nor {beta_hidden} more"
            ));
        }
    };
    spec.beta_hidden = beta_hidden;
    spec.conditioning = match (scales, embeds, beta_features) {
        (true, false, 1) => Conditioning::Logit,
        (true, true, 1) => Conditioning::LogitLayer,
        (false, true, 1) => Conditioning::Layer,
        (false, true, bins) => {
            spec.thermometer_bins = bins;
            Conditioning::LayerThermometer
        }
        (false, false, _) => return Err("β reaches neither the logits nor the scorer".into()),
        (true, _, bins) => return Err(format!("a logit scale on {bins} features of β is not known")),
    };
    Ok((spec, sizes))
}
