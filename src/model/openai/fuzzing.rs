//! What must hold whatever a model server sends. Each function panics if it does not.

use serde_json::json;

use super::answer::{Answer, Step};
use super::events::{Event, Events};
use super::plain;
use crate::domain::conversation::FinishReason;
use crate::domain::pieces::Pieces;
use crate::model::ModelError;

/// Far below every limit of a stream, so that none of them is in the way.
const WIRE_BYTES_MAX: usize = 64 * 1024;

/// A stream is read alike in one piece and in `pieces`, as another reader would, and what is said of it ends in order.
pub(crate) fn stream(wire: &[u8], pieces: &[&[u8]]) {
    if wire.len() > WIRE_BYTES_MAX {
        return;
    }
    let events = read(&[wire]);
    assert_eq!(events, read(pieces), "the cuts made a difference");
    assert_eq!(events, read_plainly(wire), "another reader has other events");
    answer(&events);
    thoughts(&String::from_utf8_lossy(wire));
}

fn read(pieces: &[&[u8]]) -> Vec<Event> {
    let mut events = Events::default();
    let mut read = Vec::new();
    for mut piece in pieces.iter().copied() {
        while let Some(event) = events.next(&mut piece).unwrap_or_else(|error| panic!("{error} below its limits")) {
            read.push(event.clone());
        }
    }
    read.extend(events.finish().unwrap_or_else(|error| panic!("{error} below its limits")));
    read
}

/// The standard's algorithm (WHATWG HTML, 9.2.6) on text that is there as a whole.
fn read_plainly(wire: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(wire);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let mut event = Event::default();
    // An empty line more: what a stream leaves at its end is an event here.
    for line in text.split('\n').chain([""]) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match name {
            "" if line.is_empty() => {
                let event = std::mem::take(&mut event);
                events.extend((event.lines > 0).then_some(event));
            }
            "event" => event.name = value,
            "data" => add(&mut event, &value),
            "error" => {
                "error".clone_into(&mut event.name);
                add(&mut event, &value);
            }
            _ => {}
        }
    }
    events
}

fn add(event: &mut Event, line: &str) {
    if event.lines > 0 {
        event.data.push('\n');
    }
    event.data.push_str(line);
    event.lines += 1;
}

/// An answer that ends well has said something, and one that is called empty has not.
fn answer(events: &[Event]) {
    let mut answer = Answer::default();
    let mut said = Pieces::default();
    for event in events {
        let before = said.text().len();
        let Ok(step) = answer.event(event, &mut said) else { return };
        assert!(said.text().len() == before || step != Step::Nothing, "words that are no progress");
    }
    said.push(&answer.held_back().unwrap_or_default());
    let said = said.text();
    match answer.conclude(true, true) {
        Ok((reason, _)) => assert!(!said.is_empty() || reason == FinishReason::ContentFilter, "a good end of nothing"),
        Err(ModelError::Empty | ModelError::ToolsOnly | ModelError::Garbled(_)) => assert_eq!(said, "", "it was said"),
        Err(error) => panic!("{error} is no end of a whole stream"),
    }
}

/// However a text comes in deltas, the same of it is said.
fn thoughts(text: &str) {
    let said = |deltas: &mut dyn Iterator<Item = &str>| {
        let mut answer = Answer::default();
        let mut said = Pieces::default();
        for delta in deltas {
            let chunk = json!({"choices": [{"delta": {"content": delta}}]});
            answer.chunk(&chunk, &mut said).unwrap_or_else(|error| panic!("{error}"));
            // What is read in one go, and what is read by looking closer, is the same.
            if let Some(text) = plain::text(&chunk.to_string()) {
                assert_eq!(text, delta);
            }
        }
        said.push(&answer.held_back().unwrap_or_default());
        said.text().to_owned()
    };
    let whole = said(&mut [text].into_iter());
    assert_eq!(whole, said(&mut text.split_inclusive('>')), "tags made a difference");
    assert_eq!(whole, said(&mut text.split_inclusive(|_: char| true)), "single characters made a difference");
}
