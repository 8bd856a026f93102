//! Runs `fuzz_bodies::frames_response` on what libFuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_bodies::frames_response(bytes));
