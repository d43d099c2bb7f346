//! What programs that are linked with libtorch can do more: GPUs, and TorchScript models.
//!
//! Starting libtorch takes some tenths of a second and as many hundreds of MB, for every process, and most never use it.
//! So it is a crate of its own, `thermoflow-torch`, which a program that wants it installs here first. A program
//! without it that turns out to need it becomes the one beside it that has it (`console::run`).

use crate::console::check::Check;
use crate::env::{Environment, SequenceEnv};
use crate::policy::{Backend, BackendError, Parameters};
use crate::task::Scorer;
use crate::task::oracle::ModelError;
use std::sync::{Arc, OnceLock};

/// Makes a backend on a device, with weights.
pub type MakeBackend = fn(&str, Arc<dyn Environment>, &Parameters) -> Result<Box<dyn Backend>, BackendError>;

/// Makes a scorer from the bytes of a model.
pub type MakeScorer = fn(&[u8], SequenceEnv) -> Result<Arc<dyn Scorer>, ModelError>;

/// What `thermoflow-torch` brings.
#[derive(Debug)]
pub struct Libtorch {
    /// A backend on a device of this name.
    pub backend: MakeBackend,
    /// A scorer by the bytes of a TorchScript model.
    pub scorer: MakeScorer,
    /// Sets how many threads its products take.
    pub set_threads: fn(usize),
    /// Which libtorch it is, and what it can compute on.
    pub checks: fn() -> Vec<Check>,
}

static INSTALLED: OnceLock<Libtorch> = OnceLock::new();

/// This program has no libtorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this program works without libtorch, which {0} needs")]
pub struct Missing(pub &'static str);

/// From now on there is libtorch.
pub fn install(libtorch: Libtorch) {
    let _ = INSTALLED.set(libtorch);
}

/// libtorch, which `what` needs.
///
/// # Errors
/// When this program has none.
pub fn needed_by(what: &'static str) -> Result<&'static Libtorch, Missing> {
    INSTALLED.get().ok_or(Missing(what))
}

/// Threads of libtorch's products in this process, if it has any (our own kernels use the calling thread).
pub fn set_threads(threads: usize) {
    if let Some(libtorch) = INSTALLED.get() {
        (libtorch.set_threads)(threads);
    }
}
