//! The CPU backend.
/// CPU backend.
pub struct NativeBackend {}
