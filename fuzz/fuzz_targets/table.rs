//! Hostile bytes for `thermoflow::hostile::table`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow::hostile::table(bytes));
