//! Hostile bytes for `thermoflow_learner::hostile::zmtp`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow_learner::hostile::zmtp(bytes));
