//! Hostile bytes for `thermoflow::hostile::oracle_line`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| thermoflow::hostile::oracle_line(bytes));
