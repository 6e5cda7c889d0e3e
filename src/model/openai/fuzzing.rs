//! What must hold whatever a model server sends. Each function panics if it does not.

use serde_json::json;

use super::answer::{Answer, Step};
use super::events::{Event, Events};
use crate::domain::conversation::FinishReason;
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
    let read: Result<Vec<_>, _> = pieces.iter().map(|piece| events.take(piece)).collect();
    let (Ok(read), Ok(last)) = (read, events.finish()) else {
        panic!("refused below its limits");
    };
    read.into_iter().flatten().chain(last).collect()
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
                events.extend((!event.data.is_empty()).then_some(event));
            }
            "event" => event.name = value,
            "data" => event.data.push(value),
            "error" => {
                "error".clone_into(&mut event.name);
                event.data.push(value);
            }
            _ => {}
        }
    }
    events
}

/// An answer that ends well has said something, and one that is called empty has not.
fn answer(events: &[Event]) {
    let mut answer = Answer::default();
    let mut said = String::new();
    for event in events {
        let Ok(steps) = answer.event(event) else { return };
        for step in steps {
            if let Step::Text(text) = step {
                assert!(!text.is_empty(), "a piece without a word");
                said.push_str(&text);
            }
        }
    }
    said.push_str(&answer.held_back().unwrap_or_default());
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
        let mut said = String::new();
        for delta in deltas {
            match answer.chunk(&json!({"choices": [{"delta": {"content": delta}}]})) {
                Ok(Step::Text(text)) => said.push_str(&text),
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
        said + &answer.held_back().unwrap_or_default()
    };
    let whole = said(&mut [text].into_iter());
    assert_eq!(whole, said(&mut text.split_inclusive('>')), "tags made a difference");
    assert_eq!(whole, said(&mut text.split_inclusive(|_: char| true)), "single characters made a difference");
}
