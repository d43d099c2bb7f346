//! The actor program.
fn main() {}
