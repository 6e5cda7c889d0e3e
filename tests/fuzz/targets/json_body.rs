//! What is taken for the JSON body of a request.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| widgetd::fuzzing::json_body(bytes));
