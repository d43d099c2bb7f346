//! The libtorch backend.
/// libtorch backend.
pub struct TorchBackend {}
