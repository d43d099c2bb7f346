//! The learner library.
mod router;
pub mod training;
