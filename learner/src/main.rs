//! The learner program.
fn main() {}
