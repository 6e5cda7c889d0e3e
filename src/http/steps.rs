//! Steps of a connection from one state to the next that need nothing of the intake but the connection.

use std::time::Duration;

use super::connection::Connection;
use super::response::{self, Frame};
use super::slot::{Lingering, Reading, Slot, State, Writing};
use super::wire_error::WireError;
use crate::clock;
use crate::domain::id;
use crate::metrics;

/// Writes what a worker left over.
pub(super) fn write(slot: &Slot, mut writing: Box<Writing>) -> State {
    match writing.connection.try_write(&writing.output.bytes[writing.sent..]) {
        Ok(sent) => writing.sent += sent,
        Err(_) => return State::Closed,
    }
    if writing.sent < writing.output.bytes.len() {
        return if writing.connection.watch_output().is_err() { State::Closed } else { State::Writing(writing) };
    }
    let Writing { connection, keep_alive, .. } = *writing;
    let now = clock::monotonic();
    if keep_alive && !slot.shared.is_draining() {
        if connection.watch_input().is_err() {
            return State::Closed;
        }
        slot.shared.request_attention(slot.key); // what was pipelined behind it
        State::Reading(Box::new(Reading::new(connection, now)))
    } else {
        connection.stop_sending();
        lingering(connection, now)
    }
}

/// Answers a request that no handler shall see, and closes.
pub(super) fn refuse(connection: Connection, error: WireError) -> State {
    metrics::requests().refused_early(error.problem().status);
    tracing::debug!(status = error.problem().status, reason = %error, "refused");
    let frame = Frame { is_head: false, version: tiny_http::HTTPVersion(1, 1), keep_alive: false };
    let answer = response::encode(error.problem().response(&id::random_hex()), &frame);
    // It fits into an empty socket; who has not read what came before need not read this.
    let _ = connection.try_write(&answer);
    connection.stop_sending();
    lingering(connection, clock::monotonic())
}

/// For its first request. If it cannot be watched, its time runs out.
pub(super) fn reading(connection: Connection) -> State {
    if let Err(error) = connection.watch_input() {
        tracing::warn!(%error, "a connection could not be watched");
    }
    State::Reading(Box::new(Reading::new(connection, clock::monotonic())))
}

fn lingering(connection: Connection, now: Duration) -> State {
    if connection.watch_input().is_err() {
        return State::Closed;
    }
    State::Lingering(Box::new(Lingering { connection, discarded: 0, since: now }))
}
