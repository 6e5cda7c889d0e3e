//! What a client sends before any handler sees it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| widgetd::fuzzing::request(bytes));
