//! Tests of `thermoflow-replay` as a user runs it. One test binary, a module per subject.

#[path = "programs/bad_places.rs"]
mod bad_places;
#[path = "programs/bad_questions.rs"]
mod bad_questions;
#[path = "programs/example.rs"]
mod example;
#[path = "programs/locks.rs"]
mod locks;
#[path = "../../tests/shared/output.rs"]
mod output;
#[path = "programs/outputs.rs"]
mod outputs;
#[allow(dead_code, reason = "other test binaries use the rest")]
#[path = "../../tests/shared/processes.rs"]
mod processes;
#[cfg(target_os = "linux")]
#[path = "programs/read_only.rs"]
mod read_only;
#[path = "programs/serving.rs"]
mod serving;
#[cfg(target_os = "linux")]
#[path = "../../src/small_disk.rs"]
mod small_disk;
