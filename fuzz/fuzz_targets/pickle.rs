//! Hostile bytes for `thermoflow::hostile::pickle`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow::hostile::pickle(bytes));
