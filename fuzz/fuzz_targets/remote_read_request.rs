//! Runs `fuzz_bodies::remote_read_request` on what libFuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_bodies::remote_read_request(bytes));
