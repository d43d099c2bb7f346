//! libtorch for Thermoflow: the second backend of policies (the reference for the built-in one, and the way to GPUs), and
//! TorchScript models as oracles. Why it is a crate of its own: see `thermoflow::libtorch`.

mod arithmetic;
mod backend;
mod script;
#[cfg(test)]
mod tests;

pub use backend::TorchBackend;
pub use script::TorchScriptScorer;

use std::sync::Arc;
use tch::TchError;
use thermoflow::libtorch::{self, Libtorch};
use thermoflow::policy::BackendError;

/// Gives this program libtorch; to be called first of all.
pub fn install() {
    libtorch::install(Libtorch {
        backend: |device, env, parameters| {
            let device = backend::device(device)?;
            Ok(Box::new(TorchBackend::new(env, parameters, device)?))
        },
        scorer: |bytes, env| Ok(Arc::new(TorchScriptScorer::load(bytes, env)?)),
        set_threads: |threads| tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX)),
        checks: arithmetic::checks,
    });
}

fn failed(error: TchError) -> BackendError {
    BackendError::Torch(Box::new(error))
}
