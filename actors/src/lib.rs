//! The actor library.
