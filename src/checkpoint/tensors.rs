//! Parameters and optimiser state as safetensors files: names and shapes of [`Layout`], nothing else in them.

use super::error::CheckpointError;
use super::guess::guess_spec;
use crate::env::Sizes;
use crate::optimizer::AdamState;
use crate::policy::{Layout, Parameterization, Parameters, PolicySpec};
use crate::units::PolicyVersion;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// What policy.safetensors says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyMeta {
    /// Kind and sizes.
    pub spec: PolicySpec,
    /// Name of the task it was trained on.
    pub task: String,
    /// Features and actions of the task; files from before policies scored actions say 0 actions.
    pub sizes: Sizes,
    /// Which weights they are.
    pub policy_version: PolicyVersion,
}

/// Weights read from a file.
#[derive(Debug, Clone)]
pub struct LoadedPolicy {
    /// The weights.
    pub parameters: Parameters,
    /// What the file says about them; None for a file of bare tensors.
    pub meta: Option<PolicyMeta>,
}

/// A name, a shape and the bytes of little-endian floats.
type Bytes = (String, Vec<usize>, Vec<u8>);

/// The file policy.safetensors.
///
/// # Errors
/// A number that is not finite, or parameters that do not fit their layout.
pub fn encode_policy(parameters: &Parameters, task: &str, version: PolicyVersion) -> Result<Vec<u8>, CheckpointError> {
    let layout = &parameters.layout;
    let tensors = split(layout, &parameters.values, "", "the policy")?;
    let spec = serde_json::to_string(&layout.spec).expect("a spec is plain data");
    let meta = HashMap::from([
        ("format".into(), "thermoflow-policy-1".into()),
        ("spec".into(), spec),
        ("task".into(), task.into()),
        ("features".into(), layout.sizes.features.to_string()),
        ("actions".into(), layout.sizes.actions.to_string()),
        ("policy_version".into(), version.0.to_string()),
    ]);
    Ok(serialize(tensors, meta))
}

/// The file optimizer.safetensors: `<name>.exp_avg`, `<name>.exp_avg_sq` and the number of steps.
///
/// # Errors
/// A number that is not finite, or a state that does not fit the layout.
pub fn encode_optimizer(state: &AdamState, layout: &Layout) -> Result<Vec<u8>, CheckpointError> {
    let mut tensors = split(layout, &state.first, FIRST, "the optimiser state")?;
    tensors.extend(split(layout, &state.second, SECOND, "the optimiser state")?);
    let meta = HashMap::from([
        ("format".into(), "thermoflow-adam-1".into()),
        ("step".into(), state.step.to_string()),
    ]);
    Ok(serialize(tensors, meta))
}

const FIRST: &str = ".exp_avg";
const SECOND: &str = ".exp_avg_sq";

fn split(layout: &Layout, values: &[f32], suffix: &str, what: &'static str) -> Result<Vec<Bytes>, CheckpointError> {
    if values.len() != layout.len() {
        return Err(CheckpointError::Length {
            what,
            found: values.len(),
            expected: layout.len(),
        });
    }
    let tensors = layout.tensors.iter().map(|tensor| {
        let name = format!("{}{suffix}", tensor.name);
        let values = &values[tensor.range()];
        check_finite(values, &name, what)?;
        Ok((
            name,
            tensor.shape.clone(),
            values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ))
    });
    tensors.collect()
}

fn serialize(tensors: Vec<Bytes>, meta: HashMap<String, String>) -> Vec<u8> {
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (
            name.as_str(),
            TensorView::new(Dtype::F32, shape.clone(), bytes).expect("four bytes an element"),
        )
    });
    safetensors::serialize(views, Some(meta)).expect("tensors lie one after the other")
}

fn check_finite(values: &[f32], name: &str, place: &str) -> Result<(), CheckpointError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(element) => {
            let (place, name) = (place.into(), name.into());
            Err(CheckpointError::NotFinite {
                place,
                name,
                element,
                value: values[element],
            })
        }
    }
}

/// Reads weights. What policy they are says `expected` (spec and sizes) if given, else the file's metadata,
/// else the names and shapes of its tensors.
///
/// # Errors
/// Names the tensor that is missing, unexpected, of a wrong shape or type, or not finite.
pub fn decode_policy(
    bytes: &[u8],
    path: &Path,
    expected: Option<(&PolicySpec, Sizes)>,
) -> Result<LoadedPolicy, CheckpointError> {
    let file = File::parse(bytes, path)?;
    let meta = file.policy_meta()?;
    let (spec, sizes) = match (expected, &meta) {
        (Some((spec, sizes)), _) => (spec.clone(), sizes),
        (None, Some(meta)) => (meta.spec.clone(), meta.sizes),
        (None, None) => guess_spec(&file.shapes()).map_err(|reason| CheckpointError::Unknown {
            path: path.into(),
            reason,
        })?,
    };
    // Sizes come from the file: a layout that could not be the file's is refused before it is built.
    file.check_plausible(&spec, sizes)?;
    let layout = Layout::new(&spec, sizes);
    file.refuse_extras(&layout, &[""])?;
    let values = file.join(&layout, "")?;
    Ok(LoadedPolicy {
        parameters: Parameters { layout, values },
        meta,
    })
}

/// Reads optimiser state for a policy of this layout.
///
/// # Errors
/// As [`decode_policy`].
pub fn decode_optimizer(bytes: &[u8], path: &Path, layout: &Arc<Layout>) -> Result<AdamState, CheckpointError> {
    let file = File::parse(bytes, path)?;
    file.refuse_extras(layout, &[FIRST, SECOND])?;
    let step = file.number("step")?;
    Ok(AdamState {
        step,
        first: file.join(layout, FIRST)?,
        second: file.join(layout, SECOND)?,
    })
}

/// Sizes and layers beyond these are no policy's.
const MOST_SIZE: usize = 1 << 24;
const MOST_LAYERS: usize = 64;

/// A parsed safetensors file.
struct File<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    meta: HashMap<String, String>,
}

impl<'a> File<'a> {
    fn parse(bytes: &'a [u8], path: &'a Path) -> Result<Self, CheckpointError> {
        let refuse = |error: safetensors::SafeTensorError| CheckpointError::Format {
            path: path.into(),
            reason: error.to_string(),
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(refuse)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(refuse)?;
        Ok(Self {
            path,
            tensors,
            meta: header.metadata().clone().unwrap_or_default(),
        })
    }

    fn shapes(&self) -> HashMap<String, Vec<usize>> {
        self.tensors
            .iter()
            .map(|(name, view)| (name.to_owned(), view.shape().to_vec()))
            .collect()
    }

    fn number<T: std::str::FromStr>(&self, key: &'static str) -> Result<T, CheckpointError> {
        let value = self.meta.get(key).cloned().unwrap_or_default();
        value
            .parse()
            .map_err(|_| self.bad_meta(key, value, "it must be a whole number".into()))
    }

    fn bad_meta(&self, key: &'static str, value: String, reason: String) -> CheckpointError {
        CheckpointError::Metadata {
            path: self.path.into(),
            key,
            value,
            reason,
        }
    }

    fn policy_meta(&self) -> Result<Option<PolicyMeta>, CheckpointError> {
        let Some(spec) = self.meta.get("spec") else {
            return Ok(None);
        };
        let spec = serde_json::from_str(spec).map_err(|e| self.bad_meta("spec", spec.clone(), e.to_string()))?;
        let task = self.meta.get("task").cloned().unwrap_or_default();
        let policy_version = PolicyVersion(self.number("policy_version")?);
        Ok(Some(PolicyMeta {
            spec,
            task,
            sizes: Sizes {
                features: self.number("features")?,
                actions: self.meta.get("actions").map_or(Ok(0), |_| self.number("actions"))?,
            },
            policy_version,
        }))
    }

    /// A layout holds at least this many numbers; a file with fewer bytes cannot have it, and sizes that overflow are
    /// never built.
    fn check_plausible(&self, spec: &PolicySpec, sizes: Sizes) -> Result<(), CheckpointError> {
        let [actions, layers] = match spec.parameterization {
            Parameterization::Edge => [1, 1],
            Parameterization::StateAction => [sizes.actions, spec.layers],
        };
        let sizes = [
            sizes.features,
            actions,
            layers,
            spec.hidden,
            spec.embed,
            spec.beta_hidden,
            spec.beta_features(),
        ];
        if layers <= MOST_LAYERS && sizes.iter().all(|size| (1..=MOST_SIZE).contains(size)) {
            return Ok(());
        }
        let value = format!("{sizes:?}");
        Err(self.bad_meta(
            "sizes (features, actions, layers, hidden, embed, beta_hidden, beta features)",
            value,
            format!("each must be between 1 and {MOST_SIZE}, layers at most {MOST_LAYERS}"),
        ))
    }

    /// There are no tensors besides those of the layout (with one of these suffixes).
    fn refuse_extras(&self, layout: &Layout, suffixes: &[&str]) -> Result<(), CheckpointError> {
        let belongs = |name: &str| {
            let mut names = layout.tensors.iter().map(|tensor| &tensor.name);
            names.any(|own| suffixes.iter().any(|suffix| name.strip_suffix(suffix) == Some(own)))
        };
        let mut names = self.tensors.names();
        names.sort_unstable();
        match names.into_iter().find(|name| !belongs(name)) {
            None => Ok(()),
            Some(name) => Err(CheckpointError::Unexpected {
                path: self.path.into(),
                name: name.into(),
                conditioning: kebab(layout.spec.conditioning),
            }),
        }
    }

    /// The tensors of a layout as one flat buffer.
    fn join(&self, layout: &Layout, suffix: &str) -> Result<Vec<f32>, CheckpointError> {
        let mut values = Vec::with_capacity(layout.len().min(self.tensors.iter().map(|(_, v)| v.data().len()).sum()));
        for tensor in &layout.tensors {
            let (path, name) = (self.path, format!("{}{suffix}", tensor.name));
            let expected = tensor.shape.clone();
            let Ok(view) = self.tensors.tensor(&name) else {
                return Err(CheckpointError::Missing {
                    path: path.into(),
                    name,
                    expected,
                });
            };
            if view.dtype() != Dtype::F32 {
                return Err(CheckpointError::Dtype {
                    path: path.into(),
                    name,
                    found: format!("{:?}", view.dtype()),
                });
            }
            if view.shape() != expected {
                let found = view.shape().to_vec();
                return Err(CheckpointError::Shape {
                    path: path.into(),
                    name,
                    found,
                    expected,
                });
            }
            let start = values.len();
            let (chunks, _) = view.data().as_chunks::<4>();
            values.extend(chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            check_finite(&values[start..], &name, &path.display().to_string())?;
        }
        Ok(values)
    }
}

fn kebab(conditioning: crate::policy::Conditioning) -> String {
    let json = serde_json::to_string(&conditioning).expect("a unit variant");
    json.trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests;
