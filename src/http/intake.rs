//! The one readiness loop: accepts connections, collects requests until they are whole, and owns every deadline and cap.
//!
//! An incomplete request costs a small buffer, never a thread. A connection serves one request at a time: while a worker
//! answers it is not watched, and what was pipelined waits in its buffer. The loop never ends for an error: a socket that
//! cannot be accepted is logged and the next one is tried.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, Events};
use tiny_http::Method;

use super::body::Collector;
use super::connection::{Arrived, Connection};
use super::head::{self, Framing};
use super::pool::{Pool, Rest};
use super::request::Request;
use super::responder::Responder;
use super::response::Frame;
use super::slot::{Lingering, Overdue, Reading, Shared, Slot, State};
use super::steps::{reading, refuse, write};
use super::table::Table;
use super::wire_error::WireError;
use super::{BACKLOG, Settings};
use crate::clock;
use crate::domain::id;
use crate::metrics::{self, Connections};

const LISTENER: usize = usize::MAX - 1;
/// How often deadlines are looked at: how late one may be noticed.
const TICK: Duration = Duration::from_millis(100);
/// Connections that are accepted before those that are there get their turn.
const ACCEPTS_MAX: usize = 64;
/// Reads of one connection before the others get their turn.
pub(super) const READS_MAX: usize = 8;
/// In tests of this room so few that a request takes several.
pub(super) const READ_BYTES: usize = if cfg!(test) { 64 } else { 16 * 1024 };
/// A client that was refused may send so much more until it has read the answer.
const LINGER_BYTES_MAX: usize = 256 * 1024;
/// A request that waited longer for a worker is refused: its client has lost patience, and the next ones wait behind it.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// After an `accept` that failed for no reason we know.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Between two warnings of that: whoever opens connections must not write the log.
const WARNING_PAUSE: Duration = Duration::from_secs(1);

pub(super) type Handler = dyn Fn(Request, Responder) -> Option<Rest> + Send + Sync;

pub(super) struct Intake {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    /// Gone once the server drains.
    listener: Option<TcpListener>,
    /// Given up to accept and close a connection when no descriptor is left.
    reserve: Option<File>,
    workers: Pool,
    handler: Arc<Handler>,
    table: Table,
    scratch: Vec<u8>,
    looked_at: Duration,
    /// When it was last told that a connection could not be accepted.
    warned_at: Option<Duration>,
}

impl Intake {
    pub(super) fn new(
        settings: Arc<Settings>,
        shared: Arc<Shared>,
        listener: TcpListener,
        workers: Pool,
        handler: Arc<Handler>,
    ) -> io::Result<Self> {
        // SAFETY: the listener is taken out of the poller before it is closed, in `stop_accepting`.
        unsafe { shared.poller.add(&listener, Event::readable(LISTENER))? };
        Ok(Self {
            settings,
            shared,
            listener: Some(listener),
            reserve: File::open("/dev/null").ok(),
            workers,
            handler,
            table: Table::default(),
            scratch: vec![0; READ_BYTES],
            looked_at: Duration::ZERO,
            warned_at: None,
        })
    }

    /// Runs until the server drains and the last connection has gone.
    pub(super) fn run(mut self) {
        let mut events = Events::new();
        loop {
            self.shared.wait(&mut events, TICK);
            for key in self.shared.take_attention() {
                self.attend(key);
            }
            let mut is_accepting = false;
            for event in events.iter() {
                match event.key {
                    LISTENER => is_accepting = true,
                    key => self.attend(key),
                }
            }
            // Last: a place that becomes free above may be given away here.
            if is_accepting {
                self.accept_some();
            }
            self.look_at_deadlines();
            if self.shared.is_draining() {
                self.stop_accepting();
                if self.table.open() == 0 || self.shared.is_closing() {
                    return;
                }
            }
        }
    }

    fn accept_some(&mut self) {
        self.accept_up_to(ACCEPTS_MAX);
        if let Some(listener) = &self.listener
            && let Err(error) = self.shared.poller.modify(listener, Event::readable(LISTENER))
        {
            tracing::error!(%error, "the listener could not be watched");
        }
    }

    fn accept_up_to(&mut self, connections: usize) {
        for _ in 0..connections {
            let Some(listener) = &self.listener else {
                return;
            };
            match listener.accept() {
                Ok((socket, peer)) => self.admit(socket, peer),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) => return self.accept_failed(&error),
            }
        }
    }

    /// Out of descriptors, most likely: the reserve takes one connection in so that it can be refused, and the one that
    /// has been idle longest makes room.
    fn accept_failed(&mut self, error: &io::Error) {
        let now = clock::monotonic();
        if self.warned_at.is_none_or(|then| now.saturating_sub(then) >= WARNING_PAUSE) {
            tracing::warn!(%error, open = self.table.open(), "a connection could not be accepted");
            self.warned_at = Some(now);
        }
        if self.reserve.take().is_some() {
            if !self.table.evict()
                && let Some(listener) = &self.listener
            {
                drop(listener.accept());
            }
            self.reserve = File::open("/dev/null").ok();
        } else {
            self.reserve = File::open("/dev/null").ok();
            std::thread::sleep(ACCEPT_PAUSE);
        }
    }

    /// Gives a newcomer a place. One too many of its address or its network is refused, and one too many in all if nobody
    /// can make room. That one has a place beyond the last until it has read so, or until the next newcomer comes.
    fn admit(&mut self, socket: TcpStream, peer: SocketAddr) {
        let mut has_place = true;
        while has_place && self.table.open() >= self.settings.connections_max {
            has_place = self.table.evict();
        }
        let connection = match Connection::new(socket, peer, self.table.next_key(), self.shared.poller.clone()) {
            Ok(connection) => connection,
            Err(error) => return tracing::warn!(%error, "a connection could not be set up"),
        };
        let is_proxy = self.settings.trusted_proxies.contain(peer.ip()); // it speaks for many
        let of_address_max = self.settings.connections_per_address_max;
        if has_place && (is_proxy || self.table.has_share_for(peer.ip(), of_address_max)) {
            self.table.insert(reading(connection), (!is_proxy).then_some(peer.ip()));
        } else {
            self.table.insert(refuse(connection, WireError::Overloaded), None);
        }
    }

    /// Does what there is to do for a connection.
    fn attend(&mut self, key: usize) {
        let Some(state) = self.table.state(key) else { return };
        let slot = Slot { key, state: state.clone(), shared: self.shared.clone() };
        let mut state = slot.state.lock();
        let next = match std::mem::replace(&mut *state, State::Busy) {
            State::Reading(reading) => self.read(&slot, reading),
            State::Writing(writing) => write(&slot, writing),
            State::Lingering(lingering) => self.linger(lingering),
            state => state,
        };
        let is_closed = matches!(next, State::Closed);
        let held_bytes = if let State::Reading(reading) = &next { reading.held_bytes() } else { 0 };
        match next {
            // With a worker now, which waits for this lock before it gives the connection back.
            State::Busy => {}
            next => *state = next,
        }
        drop(state);
        if is_closed {
            self.table.remove(key);
        } else {
            self.table.hold(key, held_bytes);
        }
    }

    /// Reads what has come; a whole request goes to a worker.
    fn read(&mut self, slot: &Slot, mut reading: Box<Reading>) -> State {
        for reads_left in (0..=READS_MAX).rev() {
            // Also after the last read: if it brought the end of a request, nothing more comes that would wake anybody.
            match self.advance(&mut reading) {
                Ok(false) => {}
                Ok(true) => return self.dispatch(slot, *reading),
                Err(error) => return refuse(reading.connection, error),
            }
            if reads_left == 0 {
                break;
            }
            match reading.connection.read(&mut self.scratch) {
                Ok(Arrived::Bytes) => {}
                Ok(Arrived::Nothing) => break,
                Ok(Arrived::End) | Err(_) => return State::Closed,
            }
        }
        if reading.connection.input.is_empty() {
            reading.connection.input = Vec::new(); // a body that stalls keeps no second buffer
        }
        let is_idle = !reading.has_begun && reading.connection.input.is_empty();
        if (is_idle && self.shared.is_draining()) || reading.connection.watch_input().is_err() {
            return State::Closed;
        }
        State::Reading(reading)
    }

    /// Uses what has come in; true when the request is whole.
    fn advance(&self, reading: &mut Reading) -> Result<bool, WireError> {
        let Reading { connection, scan, head, has_begun, since } = reading;
        if !*has_begun && !connection.input.is_empty() {
            (*has_begun, *since) = (true, clock::monotonic());
        }
        if head.is_none() {
            let Some(end) = scan.end(&connection.input)? else {
                return Ok(false);
            };
            let parsed = head::parse(&connection.input[..end], self.settings.body_bytes_max)?;
            connection.input.drain(..end);
            *since = clock::monotonic();
            if parsed.expects_continue && parsed.body != Framing::None && connection.input.is_empty() {
                // If there is no room for it the client is not reading, and its time runs out.
                let _ = connection.try_write(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            let body = Collector::new(parsed.body, self.settings.body_bytes_max);
            *head = Some((parsed, body));
        }
        let Some((_, body)) = head else {
            return Ok(false);
        };
        let used = body.take(&connection.input)?;
        connection.input.drain(..used);
        Ok(body.is_complete())
    }

    fn dispatch(&self, slot: &Slot, reading: Reading) -> State {
        let Reading { mut connection, head: Some((head, body)), .. } = reading else {
            return State::Closed;
        };
        if self.workers.is_full() {
            return refuse(connection, WireError::Overloaded);
        }
        if connection.input.is_empty() {
            connection.input = Vec::new(); // an idle connection keeps no buffer
        }
        let frame =
            Frame { is_head: head.method == Method::Head, version: head.version.clone(), keep_alive: head.keep_alive };
        self.shared.hearsay.judge(&self.settings.trusted_proxies, connection.peer.ip(), &head.headers);
        let received = clock::monotonic();
        let request = Request::new(head, body.into_body(), &connection, &self.settings.trusted_proxies, received);
        let responder = Responder::new(connection, slot.clone(), frame, self.settings.write_timeout);
        let handler = self.handler.clone();
        self.workers.spawn(move || {
            if clock::monotonic().saturating_sub(received) <= WAIT_MAX {
                return handler(request, responder);
            }
            let problem = WireError::Overloaded.problem();
            metrics::requests().refused_early(problem.status);
            responder.send(problem.response(&id::random_hex()));
            None
        });
        State::Busy
    }

    /// Throws away what still comes.
    fn linger(&mut self, mut lingering: Box<Lingering>) -> State {
        for _ in 0..READS_MAX {
            match lingering.connection.discard(&mut self.scratch) {
                Ok(0) => return State::Closed,
                Ok(bytes) => lingering.discarded += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return State::Closed,
            }
            if lingering.discarded > LINGER_BYTES_MAX {
                return State::Closed;
            }
        }
        if lingering.connection.watch_input().is_err() { State::Closed } else { State::Lingering(lingering) }
    }

    fn look_at_deadlines(&mut self) {
        let now = clock::monotonic();
        if now.saturating_sub(self.looked_at) < TICK {
            return;
        }
        self.looked_at = now;
        let is_draining = self.shared.is_draining();
        let mut seen = Connections { max: self.settings.connections_max, ..Connections::default() };
        for key in self.table.keys() {
            let Some(state) = self.table.state(key) else { continue };
            let mut state = state.lock();
            state.count_in(&mut seen);
            match state.overdue(&self.settings, is_draining, now) {
                None => continue,
                // It may have sent a request that was not seen yet: read it before the system throws it away.
                Some(Overdue::Close) if is_draining && matches!(*state, State::Reading(_)) => {
                    drop(state);
                    self.attend(key);
                    continue;
                }
                Some(Overdue::Close) => {}
                Some(Overdue::Refuse) => {
                    if let State::Reading(reading) = std::mem::replace(&mut *state, State::Closed) {
                        *state = refuse(reading.connection, WireError::Slow);
                        continue;
                    }
                }
            }
            drop(state);
            self.table.remove(key);
        }
        *self.shared.seen.lock() = seen;
    }

    /// New connections are refused by the system from here on. Those that wait to be accepted, it would reset, and their
    /// requests with them: they are taken in first.
    fn stop_accepting(&mut self) {
        self.accept_up_to(BACKLOG);
        if let Some(listener) = self.listener.take() {
            if let Err(error) = self.shared.poller.delete(&listener) {
                tracing::error!(%error, "the listener could not be taken out of the poller");
            }
            // Also for a process that has inherited it.
            let _ = rustix::net::shutdown(&listener, rustix::net::Shutdown::Both);
        }
    }
}
