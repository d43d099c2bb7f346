//! The learner library.
mod router;
