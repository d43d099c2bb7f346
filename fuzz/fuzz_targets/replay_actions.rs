//! Hostile bytes for `thermoflow::hostile::replay_actions`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow::hostile::replay_actions(bytes));
