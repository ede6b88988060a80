//! Sequences of calls of the Rust library.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| anonpipe_fuzz::operations(input));
