//! One CPU backend for a roller and a trainer that take turns in one thread: weights are loaded and folded once, and what a
//! roll-out projected is trained on as it is.

use super::{Backend, BackendError, Batch, Choices, Direction, EdgeScores, LogProbs, NativeBackend, Parameters};
use crate::env::Environment;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A place at the backend.
struct Place(Arc<Mutex<NativeBackend>>);

/// Two places at one CPU backend that has these weights. Whoever computes gradients must not be interrupted by the other
/// between forward and backward.
pub fn shared(env: Arc<dyn Environment>, parameters: &Parameters) -> [Box<dyn Backend>; 2] {
    let backend = Arc::new(Mutex::new(NativeBackend::new(env, parameters).keeping()));
    [Box::new(Place(backend.clone())), Box::new(Place(backend))]
}

impl Place {
    fn backend(&self) -> MutexGuard<'_, NativeBackend> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Place {
    fn load(&mut self, parameters: &Parameters) -> Result<(), BackendError> {
        self.backend().load(parameters)
    }

    fn forward(&mut self, batch: &Batch) -> Result<LogProbs, BackendError> {
        self.backend().forward(batch)
    }

    fn backward(&mut self, batch: &Batch, upstream: &LogProbs, gradient: &mut [f32]) -> Result<(), BackendError> {
        self.backend().backward(batch, upstream, gradient)
    }

    fn edge_scores(
        &mut self,
        direction: Direction,
        choices: &Choices,
        betas: &[f32],
    ) -> Result<EdgeScores, BackendError> {
        self.backend().edge_scores(direction, choices, betas)
    }

    fn log_z(&mut self, betas: &[f32]) -> Result<Vec<f32>, BackendError> {
        self.backend().log_z(betas)
    }

    fn device(&self) -> String {
        self.backend().device()
    }
}
