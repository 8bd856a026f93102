//! Runs `fuzz_bodies::rule_file` on what libFuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_bodies::rule_file(bytes));
