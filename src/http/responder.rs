//! The right, and the duty, to answer one request.

use std::time::Duration;

use rouille::Response;

use super::connection::Connection;
use super::problem::Problem;
use super::response::{self, Frame};
use super::slot::Slot;
use super::sse::EventStream;
use crate::clock;
use crate::domain::id;

/// Answers once. Dropped unanswered, because its handler panicked, it answers with the problem `internal`.
pub(crate) struct Responder {
    /// Until it is answered.
    open: Option<Connection>,
    slot: Slot,
    frame: Frame,
    write_timeout: Duration,
}

impl Responder {
    pub(super) fn new(connection: Connection, slot: Slot, frame: Frame, write_timeout: Duration) -> Self {
        Self { open: Some(connection), slot, frame, write_timeout }
    }

    /// The whole answer, in one write. What the client has no room for is left to the intake: no thread waits for it.
    pub(crate) fn send(mut self, response: Response) {
        self.answer(response);
    }

    /// An event stream; its head leaves with the first event.
    pub(crate) fn stream(mut self, head: Response) -> EventStream {
        self.frame.keep_alive &= self.frame.is_chunked() && !self.slot.shared.is_draining();
        let head = response::encode_stream_head(&head, &self.frame);
        let connection = self.open.take();
        EventStream::new(connection, self.slot.clone(), &self.frame, head, self.write_timeout)
    }

    /// Whether the client hung up while it waited.
    pub(crate) fn is_client_gone(&self) -> bool {
        self.open.as_ref().is_none_or(Connection::is_gone)
    }

    /// Closes the connection without a word: there is nobody to hear it.
    pub(crate) fn close(mut self) {
        drop(self.open.take());
        self.slot.close();
    }

    fn answer(&mut self, response: Response) {
        let Some(connection) = self.open.take() else {
            return;
        };
        self.frame.keep_alive &= !self.slot.shared.is_draining();
        let bytes = response::encode(response, &self.frame);
        let since = clock::monotonic();
        match connection.try_write(&bytes) {
            Ok(sent) if sent == bytes.len() => self.slot.give_back(connection, self.frame.keep_alive, since),
            Ok(sent) => self.slot.give_output(connection, &bytes[sent..], self.frame.keep_alive),
            Err(_) => {
                drop(connection);
                self.slot.close();
            }
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if self.open.is_some() {
            self.frame.keep_alive = false;
            let problem = Problem {
                status: 500,
                code: "internal",
                title: "Something went wrong here",
                detail: "The log has the cause.".into(),
                errors: Vec::new(),
                retry_after_s: None,
            };
            let request_id = id::random_hex();
            tracing::error!(%request_id, "a request was left unanswered");
            self.answer(problem.response(&request_id));
        }
    }
}
