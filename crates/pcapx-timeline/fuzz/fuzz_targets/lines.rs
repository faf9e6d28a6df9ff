//! Runs [`pcapx_fuzz::lines`] on what libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| pcapx_fuzz::lines::check(input));
