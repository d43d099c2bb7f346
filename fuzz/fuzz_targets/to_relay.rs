//! Hostile bytes for `thermoflow::hostile::to_relay`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow::hostile::to_relay(bytes));
