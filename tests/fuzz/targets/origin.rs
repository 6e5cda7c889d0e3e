//! What is taken for an origin.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| widgetd::fuzzing::origin(bytes));
