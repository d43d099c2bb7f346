//! Hostile bytes for `thermoflow::hostile::checkpoint`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow::hostile::checkpoint(bytes));
