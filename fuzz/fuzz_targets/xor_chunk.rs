//! Runs `fuzz_bodies::xor_chunk` on what libFuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_bodies::xor_chunk(bytes));
