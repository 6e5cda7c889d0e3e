//! The door for the fuzzers of `tests/fuzz`: a function a target. Each takes any bytes and panics if a promise of the
//! room behind it does not hold for them. The promises stand in the rooms, in a `fuzzing` of their own.
//!
//! Compiled by `scripts/fuzz.sh` (`cfg(fuzzing)`), and for the tests, which replay the corpus.

use crate::{api, domain, http, model};

/// A model's stream, as it comes over the wire.
pub fn model_stream(wire: &[u8]) {
    for pieces in ways_to_cut(wire) {
        model::fuzzing::stream(wire, &pieces);
    }
}

/// The bytes of one connection: a request, and perhaps the next.
pub fn request(wire: &[u8]) {
    for pieces in ways_to_cut(wire) {
        http::fuzzing::request(wire, &pieces);
    }
}

/// An `Origin` header, or a URL.
pub fn origin(text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text) {
        domain::fuzzing::origin(text);
    }
}

/// A body for each of the endpoints that take one.
pub fn json_body(body: &[u8]) {
    api::fuzzing::body(body);
}

/// The reads that may bring `bytes`: one byte each; and as many as the first byte of each says, up to 16, so that a file
/// of the corpus is nothing but what is on the wire and a fuzzer can still move the cuts.
fn ways_to_cut(bytes: &[u8]) -> [Vec<&[u8]>; 2] {
    let mut uneven = Vec::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let (piece, after) = rest.split_at((usize::from(first % 16) + 1).min(rest.len()));
        uneven.push(piece);
        rest = after;
    }
    [bytes.chunks(1).collect(), uneven]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Whatever a fuzzer once found, and what it begins with.
    fn replay(target: &str, run: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
        let mut files = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display()); // shown if the next line panics
            run(&std::fs::read(&path).unwrap());
            files += 1;
        }
        assert!(files > 0);
    }

    #[test]
    fn the_corpus_of_model_streams_holds() {
        replay("model_stream", model_stream);
    }

    #[test]
    fn the_corpus_of_requests_holds() {
        replay("request", request);
    }

    #[test]
    fn the_corpus_of_origins_holds() {
        replay("origin", origin);
    }

    #[test]
    fn the_corpus_of_bodies_holds() {
        replay("json_body", json_body);
    }
}
