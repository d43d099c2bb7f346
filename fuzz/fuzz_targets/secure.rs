//! Hostile bytes for `thermoflow::hostile::secure`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow::hostile::secure(bytes));
