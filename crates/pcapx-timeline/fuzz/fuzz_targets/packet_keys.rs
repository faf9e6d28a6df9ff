//! Runs [`pcapx_fuzz::packet_keys`] on what libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| pcapx_fuzz::packet_keys::check(input));
