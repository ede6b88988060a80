//! Sequences of calls of the C library.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| anonpipe_fuzz::c_api(input));
