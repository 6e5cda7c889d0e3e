//! An event stream by hand (WHATWG HTML, "Server-sent events"): each event is one chunk and one write, and is on the
//! wire when `send` returns.

use std::cell::{Cell, RefCell};
use std::time::Duration;

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
    frame: Frame,
    write_timeout: Duration,
    written_at: Cell<Duration>,
}

impl EventStream {
    pub(super) fn new(
        connection: Option<Connection>,
        slot: Slot,
        frame: Frame,
        head: &[u8],
        write_timeout: Duration,
    ) -> Self {
        let stream =
            Self { open: RefCell::new(connection), slot, frame, write_timeout, written_at: Cell::new(Duration::ZERO) };
        // A client that is gone already is noticed at the first event.
        let _ = stream.write(head);
        stream
    }

    /// Sends one event; `json` is one line.
    pub(crate) fn send(&self, event: &str, json: &str) -> Result<(), ClientGone> {
        self.write(&framed(&format!("event: {event}\ndata: {json}\n\n"), self.frame.is_chunked()))
    }

    /// To be called each second or so of silence: keeps the connection alive, and looks whether the client is there.
    pub(crate) fn tick(&self) -> Result<(), ClientGone> {
        if self.open.borrow().as_ref().is_none_or(Connection::is_gone) {
            return Err(ClientGone);
        }
        if clock::monotonic().saturating_sub(self.written_at.get()) < PING_AFTER {
            return Ok(());
        }
        // Without an empty line after it: some clients take that for the end of an event, and give out an empty one.
        self.write(&framed(": ping\n", self.frame.is_chunked()))
    }

    /// The regular end.
    pub(crate) fn finish(self) {
        if self.frame.is_chunked() && self.write(b"0\r\n\r\n").is_err() {
            return;
        }
        let keep_alive = self.frame.keep_alive && !self.slot.shared.is_draining();
        if let Some(connection) = self.open.take() {
            self.slot.give_back(connection, keep_alive);
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), ClientGone> {
        let open = self.open.borrow();
        let connection = open.as_ref().ok_or(ClientGone)?;
        connection.write_all(bytes, self.write_timeout).map_err(|_| ClientGone)?;
        self.written_at.set(clock::monotonic());
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

/// `payload` as one chunk (RFC 9112, section 7.1), or as it is for HTTP/1.0.
fn framed(payload: &str, is_chunked: bool) -> Vec<u8> {
    if is_chunked { format!("{:x}\r\n{payload}\r\n", payload.len()).into_bytes() } else { payload.as_bytes().to_vec() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::body::Collector;
    use crate::http::head::Framing;

    proptest! {
        /// What goes out in chunks is what a reader of chunks gets.
        #[test]
        fn a_chunk_holds_its_payload(payload in "\\PC{1,200}") {
            let mut wire = framed(&payload, true);
            wire.extend_from_slice(b"0\r\n\r\n");
            let mut reader = Collector::new(Framing::Chunked, 10_000);
            prop_assert_eq!(reader.take(&wire), Ok(wire.len()));
            prop_assert!(reader.is_complete());
            prop_assert_eq!(reader.into_body(), payload.as_bytes());
        }
    }
}
