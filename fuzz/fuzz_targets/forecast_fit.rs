//! Runs `fuzz_bodies::forecast_fit` on what libFuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_bodies::forecast_fit(bytes));
