//! An answer that is arriving event by event, each with the moment at which its last byte was read.

use std::time::Instant;

use serde_json::Value;

use super::client::{Connection, Head};
use super::openapi;

/// One event, checked against its schema.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: Value,
    pub(crate) received: Instant,
}

/// Reads chunk by chunk. A chunk is one event or one comment and nothing else: each left the server in one write.
pub(crate) struct EventStream {
    connection: Connection,
    pub(crate) head: Head,
    /// The last chunk came: the answer ended in order.
    pub(crate) is_complete: bool,
}

impl EventStream {
    pub(super) fn new(connection: Connection, head: Head) -> Self {
        assert_eq!(head.header("Transfer-Encoding"), Some("chunked"));
        Self { connection, head, is_complete: false }
    }

    /// The event that must come next.
    #[track_caller]
    pub(crate) fn expect(&mut self, name: &str) -> Event {
        let event = self.next().unwrap_or_else(|| panic!("the stream ended; {name} was to come"));
        assert_eq!(event.name, name, "{:#}", event.data);
        event
    }

    /// Reads until a comment came, and fails if an event comes first.
    #[track_caller]
    pub(crate) fn wait_for_ping(&mut self) {
        let Ok(Some(chunk)) = self.connection.read_chunk() else { panic!("the stream ended") };
        assert_eq!(String::from_utf8_lossy(&chunk), ": ping\n");
    }

    /// The rest of the stream.
    pub(crate) fn rest(&mut self) -> Turn {
        Turn { events: self.by_ref().collect() }
    }

    /// See [`Connection::acknowledge_late`].
    pub(crate) fn acknowledge_late(&self) {
        self.connection.acknowledge_late();
    }

    /// Closes the connection in the middle of it.
    pub(crate) fn leave(self) {
        self.connection.leave();
    }

    /// The connection, after the last chunk.
    pub(crate) fn into_connection(self) -> Connection {
        assert!(self.is_complete, "the stream has not ended");
        self.connection
    }
}

/// An answer that comes through a proxy, which may put what came at about the same time into one chunk.
pub(crate) struct Relayed {
    connection: Connection,
    read: String,
}

impl EventStream {
    /// The rest of it as a proxy relays it.
    pub(crate) fn relayed(self) -> Relayed {
        Relayed { connection: self.connection, read: String::new() }
    }
}

impl Relayed {
    /// The event that must come next.
    #[track_caller]
    pub(crate) fn expect(&mut self, name: &str) -> Value {
        let (found, data) = self.next().unwrap_or_else(|| panic!("the stream ended; {name} was to come"));
        assert_eq!(found, name, "{data:#}");
        data
    }

    /// Closes the connection in the middle of it.
    pub(crate) fn leave(self) {
        self.connection.leave();
    }

    /// The connection, after the last event.
    #[track_caller]
    pub(crate) fn into_connection(mut self) -> Connection {
        assert_eq!(self.next(), None);
        self.connection
    }
}

impl Iterator for Relayed {
    type Item = (String, Value);

    fn next(&mut self) -> Option<(String, Value)> {
        loop {
            // A comment is a line of its own.
            self.read = self.read.trim_start_matches(": ping\n").to_owned();
            if let Some(end) = self.read.find("\n\n") {
                let rest = self.read.split_off(end + 2);
                let event = parse(&std::mem::replace(&mut self.read, rest));
                openapi::check_event(&event.0, &event.1);
                return Some(event);
            }
            let chunk = self.connection.read_chunk().ok()??;
            self.read.push_str(&String::from_utf8(chunk).expect("events in UTF-8"));
        }
    }
}

impl Iterator for EventStream {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while !self.is_complete {
            let Ok(Some(chunk)) = self.connection.read_chunk().inspect(|chunk| self.is_complete = chunk.is_none())
            else {
                return None;
            };
            let received = Instant::now();
            let text = String::from_utf8(chunk).expect("an event in UTF-8");
            if text.starts_with(':') {
                assert_eq!(text, ": ping\n");
                continue;
            }
            let (name, data) = parse(&text);
            openapi::check_event(&name, &data);
            return Some(Event { name, data, received });
        }
        None
    }
}

/// `event: NAME`, one line of `data:`, an empty line: nothing else, so that the simplest client can read it.
pub(crate) fn parse(text: &str) -> (String, Value) {
    let lines: Vec<_> =
        text.strip_suffix("\n\n").unwrap_or_else(|| panic!("half an event: {text:?}")).split('\n').collect();
    let [event, data] = lines[..] else {
        panic!("not two lines: {text:?}");
    };
    let name = event.strip_prefix("event: ").unwrap_or_else(|| panic!("{text:?}"));
    let data = data.strip_prefix("data: ").unwrap_or_else(|| panic!("{text:?}"));
    let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    assert_eq!(data["type"], name, "the name stands in the data too");
    (name.to_owned(), data)
}

/// The events of one answer.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) events: Vec<Event>,
}

impl Turn {
    /// The concatenated token texts.
    pub(crate) fn text(&self) -> String {
        let tokens = self.events.iter().filter(|event| event.name == "token");
        tokens.map(|event| event.data["text"].as_str().expect("a text")).collect()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.name.as_str()).collect()
    }

    /// The data of the last event, which must be `done`, and the only end.
    #[track_caller]
    pub(crate) fn done(&self) -> &Value {
        self.end("done")
    }

    /// The data of the last event, which must be an `error` with this code.
    #[track_caller]
    pub(crate) fn failed(&self, code: &str) -> &Value {
        let error = self.end("error");
        assert_eq!(error["code"], code, "{error:#}");
        error
    }

    #[track_caller]
    pub(crate) fn start(&self) -> &Value {
        let first = self.events.first().expect("an event");
        assert_eq!(first.name, "start", "{:#}", first.data);
        &first.data
    }

    #[track_caller]
    fn end(&self, name: &str) -> &Value {
        let ends = self.events.iter().filter(|event| ["done", "error"].contains(&event.name.as_str()));
        assert_eq!(ends.count(), 1, "a stream has one end: {:?}", self.names());
        let last = self.events.last().expect("an event");
        assert_eq!(last.name, name, "{:#}", last.data);
        &last.data
    }
}
