//! Runs `fuzz_bodies::saved_state` on what libFuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_bodies::saved_state(bytes));
