//! The learner library.
