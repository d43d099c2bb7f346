//! Why a TorchScript model cannot be an oracle; the oracle itself is in `thermoflow-torch`.

use crate::libtorch::Missing;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It is no TorchScript.
    #[error("this is no TorchScript model (torch.jit.script or torch.jit.trace, then save): {0}")]
    Load(String),
    /// It fails on an input of the right shape.
    #[error("the model fails on an input of shape [{rows}, {columns}]: {reason}")]
    Run {
        /// Objects.
        rows: usize,
        /// Features of an object.
        columns: usize,
        /// What libtorch says.
        reason: String,
    },
    /// This program has no libtorch.
    #[error("a TorchScript model cannot be run")]
    Libtorch(#[from] Missing),
    /// Its output is not a score for each object.
    #[error("the model gives an output of shape {found:?} for {rows} objects; [{rows}] or [{rows}, 1] is needed")]
    Shape {
        /// The shape of the output.
        found: Vec<i64>,
        /// Objects.
        rows: usize,
    },
}
