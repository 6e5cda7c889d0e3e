//! What a model server sends.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| widgetd::fuzzing::model_stream(bytes));
