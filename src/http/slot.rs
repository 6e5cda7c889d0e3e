//! A connection's place: with the intake, or with a worker. Between the two it changes hands under the slot's lock.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use polling::{Events, Poller};

use super::Settings;
use super::body::Collector;
use super::connection::Connection;
use super::head::{Head, Scan};
use super::hearsay::Hearsay;
use super::pool::Pool;
use super::pulse::Pulse;
use crate::clock;
use crate::metrics::Connections;

/// A client that was refused gets so long to read the answer and hang up.
const LINGER: Duration = Duration::from_secs(2);

/// After a wait that failed for no reason we know.
const WAIT_PAUSE: Duration = Duration::from_millis(50);

/// Of all answers together that their clients have not taken yet, beyond what the system holds for them.
const UNSENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where a connection stands.
pub(super) enum State {
    /// The intake collects its next request.
    Reading(Box<Reading>),
    /// A worker has it.
    Busy,
    /// The intake writes what a worker could not.
    Writing(Box<Writing>),
    /// All is said; what still comes in is thrown away, so that no reset overtakes the last answer.
    Lingering(Box<Lingering>),
    Closed,
}

/// What becomes of a connection whose time is up.
pub(super) enum Overdue {
    Close,
    Refuse,
}

impl State {
    /// What is due, if its time is up at `now`.
    pub(super) fn overdue(&self, settings: &Settings, is_draining: bool, now: Duration) -> Option<Overdue> {
        let (since, limit, verdict) = match self {
            State::Reading(reading) if !reading.has_begun => {
                // Whoever has sent nothing need not be waited for when all others are.
                let limit = if is_draining { Duration::ZERO } else { settings.idle_timeout };
                (reading.since, limit, Overdue::Close)
            }
            State::Reading(reading) if reading.head.is_none() => {
                (reading.since, settings.head_timeout, Overdue::Refuse)
            }
            State::Reading(reading) => (reading.since, settings.body_timeout, Overdue::Refuse),
            State::Writing(writing) => (writing.since, settings.write_timeout, Overdue::Close),
            State::Lingering(lingering) => (lingering.since, LINGER, Overdue::Close),
            State::Closed => return Some(Overdue::Close),
            State::Busy => return None,
        };
        (now.saturating_sub(since) >= limit).then_some(verdict)
    }
}

impl State {
    /// One more of its kind.
    pub(super) fn count_in(&self, seen: &mut Connections) {
        let kind = match self {
            State::Reading(reading) if !reading.has_begun => &mut seen.idle,
            State::Reading(_) => &mut seen.reading,
            State::Busy => &mut seen.answering,
            State::Writing(_) => &mut seen.writing,
            State::Lingering(_) => &mut seen.lingering,
            // It is gone, and only has to be taken out.
            State::Closed => return,
        };
        *kind += 1;
    }
}

pub(super) struct Reading {
    pub(super) connection: Connection,
    pub(super) scan: Scan,
    /// The head, once it is whole, and the body as far as it has come.
    pub(super) head: Option<(Head, Collector)>,
    /// Whether anything of the request has come.
    pub(super) has_begun: bool,
    /// When it went idle, or the request began, or its head was whole.
    pub(super) since: Duration,
}

impl Reading {
    pub(super) fn new(connection: Connection, now: Duration) -> Self {
        Self { connection, scan: Scan::default(), head: None, has_begun: false, since: now }
    }

    /// What is kept of a request that is not whole yet.
    pub(super) fn held_bytes(&self) -> usize {
        self.connection.input.capacity() + self.head.as_ref().map_or(0, |(_, body)| body.held_bytes())
    }
}

pub(super) struct Writing {
    pub(super) connection: Connection,
    pub(super) output: Unsent,
    pub(super) sent: usize,
    pub(super) keep_alive: bool,
    pub(super) since: Duration,
}

/// The rest of an answer, counted for as long as it is kept.
pub(super) struct Unsent {
    pub(super) bytes: Vec<u8>,
    shared: Arc<Shared>,
}

impl Unsent {
    /// None if too much is kept already.
    fn new(bytes: Vec<u8>, shared: &Arc<Shared>) -> Option<Self> {
        let before = shared.unsent.fetch_add(bytes.len(), Ordering::Relaxed);
        let unsent = Self { bytes, shared: shared.clone() };
        (before + unsent.bytes.len() <= UNSENT_BYTES_MAX).then_some(unsent)
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.shared.unsent.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

pub(super) struct Lingering {
    pub(super) connection: Connection,
    pub(super) discarded: usize,
    pub(super) since: Duration,
}

/// What the intake and everybody who holds a connection share.
pub(super) struct Shared {
    pub(super) poller: Arc<Poller>,
    pub(super) pulse: Pulse,
    /// Keys of slots that the intake should look at.
    attention: Mutex<Vec<usize>>,
    /// Bytes of all [`Unsent`].
    unsent: AtomicUsize,
    draining: AtomicBool,
    closing: AtomicBool,
    /// The connections as the intake last went through them, a tenth of a second ago.
    pub(super) seen: Mutex<Connections>,
    /// Once they have started.
    pub(super) workers: OnceLock<Pool>,
    /// What the owner was told of proxies.
    pub(super) hearsay: Hearsay,
}

impl Shared {
    pub(super) fn new(poller: Poller) -> Self {
        Self {
            poller: Arc::new(poller),
            pulse: Pulse::default(),
            attention: Mutex::default(),
            unsent: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            seen: Mutex::default(),
            workers: OnceLock::new(),
            hearsay: Hearsay::default(),
        }
    }

    /// Waits until there is something to attend to, `tick` at most.
    pub(super) fn wait(&self, events: &mut Events, tick: Duration) {
        events.clear();
        match self.poller.wait(events, Some(tick)) {
            Ok(_) => self.pulse.turn(),
            Err(error) => {
                tracing::error!(%error, "waiting for connections failed");
                std::thread::sleep(WAIT_PAUSE);
            }
        }
    }

    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(super) fn take_attention(&self) -> Vec<usize> {
        std::mem::take(&mut self.attention.lock())
    }

    /// Has the intake look at a slot.
    pub(super) fn request_attention(&self, key: usize) {
        self.attention.lock().push(key);
        self.wake();
    }

    fn wake(&self) {
        if let Err(error) = self.poller.notify() {
            tracing::error!(%error, "the intake could not be woken");
        }
    }
}

/// The way of a connection back to the intake.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) key: usize,
    pub(super) state: Arc<Mutex<State>>,
    pub(super) shared: Arc<Shared>,
}

impl Slot {
    /// After a whole answer: for the next request, or to linger and close. `since` is the time before its last write, so
    /// that of two connections the one that was answered first has been idle longer, whatever becomes of this thread.
    pub(super) fn give_back(&self, connection: Connection, keep_alive: bool, since: Duration) {
        if !keep_alive {
            connection.stop_sending();
            self.hand_over(State::Lingering(Box::new(Lingering { connection, discarded: 0, since })));
        } else if connection.input.is_empty() {
            // The common way, without waking the intake: the next event is the next request.
            let mut state = self.state.lock();
            let reading = Box::new(Reading::new(connection, since));
            let watched = reading.connection.watch_input();
            *state = State::Reading(reading);
            drop(state);
            if watched.is_err() || self.shared.is_draining() {
                self.shared.request_attention(self.key);
            }
        } else {
            self.hand_over(State::Reading(Box::new(Reading::new(connection, since))));
        }
    }

    /// What is left of an answer, for the intake to write. If too many clients take too little, this one is given up.
    pub(super) fn give_output(&self, connection: Connection, rest: &[u8], keep_alive: bool) {
        let Some(output) = Unsent::new(rest.to_vec(), &self.shared) else {
            drop(connection);
            return self.close();
        };
        let since = clock::monotonic();
        self.hand_over(State::Writing(Box::new(Writing { connection, output, sent: 0, keep_alive, since })));
    }

    /// The connection is gone; its place may be given to another.
    pub(super) fn close(&self) {
        *self.state.lock() = State::Closed;
        self.shared.attention.lock().push(self.key);
        // A newcomer wakes the intake anyway; only one that waits for the last to go must hear of it.
        if self.shared.is_draining() {
            self.shared.wake();
        }
    }

    fn hand_over(&self, state: State) {
        *self.state.lock() = state;
        self.shared.request_attention(self.key);
    }
}
