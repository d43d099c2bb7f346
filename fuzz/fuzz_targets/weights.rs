//! Hostile bytes for `thermoflow::hostile::weights`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow::hostile::weights(bytes));
