//! `ablation-thermometer`: β as a number or as a thermometer code of several sizes, with and without the quirks of the
//! published code.

use super::{TEMPLATE, findings, variant};
use crate::experiment::settings::name_of;
use crate::experiment::{Experiment, ExperimentError, Options, Variant};
use crate::policy::{Conditioning, Parity};

/// See the module.
pub(in crate::experiment) const EXPERIMENT: Experiment = Experiment {
    name: "ablation-thermometer",
    summary: "Layer conditioning with β as a number, or as a thermometer code of 8, 32 or 128 bins",
    cost: "2000 rounds each, about a minute of one core",
    variants,
    analyse: |jobs| findings(jobs, "description of β", NOTE),
    ..TEMPLATE
};

const NOTE: &str = "The published thermometer does not saturate, so its code is a linear function of β; the improved \
                    one does. Improved parity also leaves out the clamp on logits, which is why the plain number \
                    differs between the two as well.";

/// Bins of the published thermometer are 32.
const BINS: [usize; 3] = [8, 32, 128];

fn variants(task: &str, options: &Options) -> Result<Vec<Variant>, ExperimentError> {
    let mut variants = Vec::new();
    for parity in [Parity::Published, Parity::Improved] {
        let label = name_of(parity);
        variants.push(variant(task, options, ["number", &label], |raw| {
            raw.policy.conditioning = Some(Conditioning::Layer);
            raw.policy.parity = Some(parity);
        })?);
        for bins in BINS {
            variants.push(variant(task, options, [&format!("{bins} bins"), &label], |raw| {
                raw.policy.conditioning = Some(Conditioning::LayerThermometer);
                raw.policy.parity = Some(parity);
                raw.policy.thermometer_bins = Some(bins);
            })?);
        }
    }
    Ok(variants)
}
