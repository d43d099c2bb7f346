//! Hostile bytes for `thermoflow::hostile::config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow::hostile::config(bytes));
