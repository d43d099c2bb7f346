//! Hostile bytes for `thermoflow::hostile::from_relay`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow::hostile::from_relay(bytes));
