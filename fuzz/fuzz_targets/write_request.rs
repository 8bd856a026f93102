//! Runs `fuzz_bodies::write_request` on what libFuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_bodies::write_request(bytes));
