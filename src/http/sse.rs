//! An event stream by hand (WHATWG HTML, "Server-sent events"): each event is one chunk, and what is known together
//! leaves in one write: the head with the first event, the last event with the last chunk, words that came together.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use super::connection::Connection;
use super::response::Frame;
use super::slot::Slot;
use crate::clock;

/// A comment goes out when nothing else did for so long: proxies cut what they think is dead.
const PING_AFTER: Duration = Duration::from_secs(15);

/// The client closed its connection, or took longer than the write timeout to read an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientGone;

/// An answer under way. Dropped without `finish`, the connection is closed without the last chunk: a client sees that
/// the answer was cut.
pub(crate) struct EventStream {
    /// Until it is finished.
    open: RefCell<Option<Connection>>,
    slot: Slot,
    keep_alive: bool,
    output: RefCell<Output>,
    write_timeout: Duration,
    written_at: Cell<Duration>,
}

impl EventStream {
    /// `head` leaves with the first event.
    pub(super) fn new(
        connection: Option<Connection>,
        slot: Slot,
        frame: &Frame,
        head: Vec<u8>,
        write_timeout: Duration,
    ) -> Self {
        if let Some(connection) = &connection {
            connection.make_room_for_stream(true);
        }
        Self {
            open: RefCell::new(connection),
            slot,
            keep_alive: frame.keep_alive,
            output: RefCell::new(Output { bytes: head, json: Vec::new(), is_chunked: frame.is_chunked() }),
            write_timeout,
            written_at: Cell::new(Duration::ZERO),
        }
    }

    /// Adds an event to what leaves next; `data` becomes one line of JSON.
    pub(crate) fn queue(&self, event: &str, data: &impl Serialize) {
        self.output.borrow_mut().add_event(event, data);
    }

    /// Writes what is queued, in one write if there is room.
    pub(crate) fn flush(&self) -> Result<(), ClientGone> {
        let open = self.open.borrow();
        let connection = open.as_ref().ok_or(ClientGone)?;
        let mut output = self.output.borrow_mut();
        connection.write_all(&output.bytes, self.write_timeout).map_err(|_| ClientGone)?;
        output.bytes.clear();
        self.written_at.set(clock::monotonic());
        Ok(())
    }

    /// To be called each second or so: keeps the connection alive, and looks whether the client is there.
    pub(crate) fn tick(&self) -> Result<(), ClientGone> {
        if self.open.borrow().as_ref().is_none_or(Connection::is_gone) {
            return Err(ClientGone);
        }
        if clock::monotonic().saturating_sub(self.written_at.get()) < PING_AFTER {
            return Ok(());
        }
        // Without an empty line after it: some clients take that for the end of an event, and give out an empty one.
        self.output.borrow_mut().add_payload(&[b": ping\n"]);
        self.flush()
    }

    /// The regular end: what is queued and the last chunk.
    pub(crate) fn finish(self) -> Result<(), ClientGone> {
        let since = clock::monotonic();
        self.output.borrow_mut().end();
        self.flush()?;
        let keep_alive = self.keep_alive && !self.slot.shared.is_draining();
        if let Some(connection) = self.open.take() {
            connection.make_room_for_stream(false);
            self.slot.give_back(connection, keep_alive, since);
        }
        Ok(())
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        // Not finished: the socket closes first, so that its place is free when the intake hears of it.
        if let Some(connection) = self.open.take() {
            drop(connection);
            self.slot.close();
        }
    }
}

/// What is to be written. Its buffers are used again, so that a token costs no memory.
struct Output {
    bytes: Vec<u8>,
    json: Vec<u8>,
    /// RFC 9112, section 7.1; HTTP/1.0 has no chunks.
    is_chunked: bool,
}

impl Output {
    fn add_event(&mut self, event: &str, data: &impl Serialize) {
        let mut json = std::mem::take(&mut self.json);
        json.clear();
        // Strings and numbers alone, into memory: it cannot fail.
        if serde_json::to_writer(&mut json, data).is_ok() {
            self.add_payload(&[b"event: ", event.as_bytes(), b"\ndata: ", &json, b"\n\n"]);
        }
        self.json = json;
    }

    fn add_payload(&mut self, parts: &[&[u8]]) {
        if self.is_chunked {
            let length: usize = parts.iter().map(|part| part.len()).sum();
            let _ = write!(self.bytes, "{length:x}\r\n");
        }
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        if self.is_chunked {
            self.bytes.extend_from_slice(b"\r\n");
        }
    }

    fn end(&mut self) {
        if self.is_chunked {
            self.bytes.extend_from_slice(b"0\r\n\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::body::Collector;
    use crate::http::head::Framing;

    fn output(is_chunked: bool) -> Output {
        Output { bytes: Vec::new(), json: Vec::new(), is_chunked }
    }

    #[test]
    fn an_event_is_a_chunk_of_its_own() {
        let mut output = output(true);
        output.add_event("token", &json!({"text": "a\nb"}));
        output.add_payload(&[b": ping\n\n"]);
        output.end();
        let expected = "24\r\nevent: token\ndata: {\"text\":\"a\\nb\"}\n\n\r\n8\r\n: ping\n\n\r\n0\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&output.bytes), expected);
    }

    #[test]
    fn http_1_0_gets_the_events_as_they_are() {
        let mut output = output(false);
        output.add_event("token", &json!({"text": "a"}));
        output.end();
        assert_eq!(output.bytes, b"event: token\ndata: {\"text\":\"a\"}\n\n");
    }

    proptest! {
        /// What goes out in chunks is what a reader of chunks gets.
        #[test]
        fn chunks_hold_their_payloads(texts in prop::collection::vec("\\PC{0,200}", 1..8)) {
            let (mut chunked, mut plain) = (output(true), output(false));
            for text in &texts {
                chunked.add_event("token", text);
                plain.add_event("token", text);
            }
            chunked.end();
            let mut reader = Collector::new(Framing::Chunked, 10_000);
            prop_assert_eq!(reader.take(&chunked.bytes), Ok(chunked.bytes.len()));
            prop_assert!(reader.is_complete());
            prop_assert_eq!(reader.into_body(), plain.bytes);
        }
    }
}
