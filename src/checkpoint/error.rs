//! Why a checkpoint could not be written or read; tensors are named.

use std::io;
use std::path::PathBuf;

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Reading or writing failed.
    #[error("{doing} {path} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// There is no checkpoint where one was expected.
    #[error("{path} holds no checkpoint: give a .safetensors file, a checkpoint directory or a run directory")]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A directory that was never finished, or lost a file.
    #[error("the checkpoint {path} is incomplete: {missing} is missing")]
    Incomplete {
        /// The checkpoint.
        path: PathBuf,
        /// The missing file.
        missing: String,
    },
    /// A file that is not what was written.
    #[error("the checkpoint file {path} is damaged: {found}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// There are checkpoints, and not one can be read.
    #[error("none of the {count} checkpoints in {path} can be read; the newest: {newest}")]
    AllDamaged {
        /// The directory of checkpoints.
        path: PathBuf,
        /// How many there are.
        count: usize,
        /// What is wrong with the newest.
        newest: Box<CheckpointError>,
    },
    /// Not the format.
    #[error("{path} is not a safetensors file: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        reason: String,
    },
    /// A tensor that the policy needs.
    #[error("{path} has no tensor {name}, which this policy needs with shape {expected:?}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// A tensor that the policy does not have.
    #[error("{path} has a tensor {name} that a {conditioning} policy does not have")]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The kind of the policy.
        conditioning: String,
    },
    /// A tensor of other sizes.
    #[error("tensor {name} of {path} has shape {found:?}, this policy needs {expected:?}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// A tensor of other numbers.
    #[error("tensor {name} of {path} holds {found} numbers, F32 is needed")]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A number that would poison everything after it.
    #[error("element {element} of tensor {name} is {value}: {place} must hold finite numbers only")]
    NotFinite {
        /// The file, or what was to be written.
        place: String,
        /// The tensor.
        name: String,
        /// Which element.
        element: usize,
        /// Its value.
        value: f32,
    },
    /// Metadata that does not say what it should.
    #[error("{path} says {key} = {value:?}: {reason}")]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value; empty when it is not there.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// Weights without metadata, whose names and shapes fit no policy.
    #[error("{path} does not say what policy it holds, and its tensors do not tell: {reason}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// What was to be written does not fit together.
    #[error("{what} has {found} numbers, the policy has {expected}")]
    Length {
        /// What was to be written.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The policy's.
        expected: usize,
    },
}
