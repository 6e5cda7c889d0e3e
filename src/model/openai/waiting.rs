//! Waiting that can be looked up from and given up, on the one thread that waits.
//!
//! ureq's own limits cannot tell a first word from the next, and only another thread could wake a blocked read. So its
//! TCP transport is wrapped: it waits for at most a [`TICK`], then the call under way says whether to go on. Cancelling
//! is an error from the wait, which closes this connection alone; the agent and its pool of connections live on. (An
//! agent of its own for each call, whose `shutdown` wakes the reader, would do without `unversioned`, and pay for each
//! answer with a TLS handshake.)
//!
//! ureq has no place for what belongs to one request, so the call is found in a thread-local: a blocking call runs on
//! the thread that made it.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time};
use ureq::{Error, Timeout};

use super::exchange::Exchange;
use crate::model::{Listener, ModelError, Update};

/// How long nobody looks whether the client is still there.
pub(super) const TICK: Duration = Duration::from_millis(500);

thread_local! {
    static CALL: RefCell<Option<Rc<Call>>> = const { RefCell::new(None) };
}

/// The call that this thread makes.
pub(super) fn current_call() -> Option<Rc<Call>> {
    CALL.with_borrow(Clone::clone)
}

/// The limits of a call, and who listens to it.
pub(super) struct Call {
    listener: Listener,
    /// When to give up, and what that is called.
    deadline: Cell<(Instant, Limit)>,
    /// When the listener was last told that there is something to wait for.
    told: Cell<Option<Instant>>,
    pub(super) exchange: Cell<Exchange>,
    /// Why this side gave up.
    given_up: RefCell<Option<ModelError>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    FirstToken,
    Idle,
    Total,
    /// All was said; what still comes is nice to have.
    Grace,
}

impl Call {
    /// The call that this thread makes, until the guard is dropped.
    pub(super) fn begin(listener: &Listener, deadline: (Instant, Limit)) -> CallGuard {
        let call = Rc::new(Self {
            listener: listener.clone(),
            deadline: Cell::new(deadline),
            told: Cell::new(None),
            exchange: Cell::default(),
            given_up: RefCell::new(None),
        });
        CALL.set(Some(call.clone()));
        CallGuard(call)
    }

    pub(super) fn set_deadline(&self, deadline: (Instant, Limit)) {
        self.deadline.set(deadline);
    }

    /// Passes a piece of the answer on.
    pub(super) fn tell(&self, update: Update<'_>) -> Result<(), ModelError> {
        if (self.listener)(update).is_break() {
            self.given_up.replace(Some(ModelError::Cancelled));
            return Err(ModelError::Cancelled);
        }
        Ok(())
    }

    /// Tells that the question is on its way, and again after each [`TICK`], whatever came meanwhile: thoughts and
    /// comments come for minutes without a word, and whoever gathers words learns from them nothing of its client.
    fn keep_told(&self, now: Instant) -> Result<(), ModelError> {
        if self.told.get().is_some_and(|told| now.saturating_duration_since(told) < TICK) {
            return Ok(());
        }
        self.told.set(Some(now));
        self.tell(Update::Waiting)
    }

    /// Why this side gave up, if it did.
    pub(super) fn given_up(&self) -> Option<ModelError> {
        self.given_up.borrow().clone()
    }

    /// How long to wait before the next look, or that there is nothing more to wait for. Keeps the listener told.
    fn look(&self, now: Instant) -> Result<Duration, ModelError> {
        // A name that cannot be looked up is taken from memory: the call goes on then, unless it was given up.
        if let Some(error) = self.given_up() {
            return Err(error);
        }
        self.keep_told(now)?;
        let (end, limit) = self.deadline.get();
        let left = end.saturating_duration_since(now);
        if left.is_zero() {
            let error = match limit {
                Limit::FirstToken => ModelError::FirstToken,
                Limit::Idle => ModelError::Stalled,
                Limit::Total => ModelError::Total,
                Limit::Grace => ModelError::Cut,
            };
            self.given_up.replace(Some(error.clone()));
            return Err(error);
        }
        Ok(left.min(TICK))
    }
}

pub(super) struct CallGuard(Rc<Call>);

impl std::ops::Deref for CallGuard {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.0
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        CALL.set(None);
    }
}

/// For what else this thread waits for: tells the listener of its call, if that is due, and fails if the call is over.
pub(super) fn look_up_from_waiting() -> Result<(), Error> {
    match current_call() {
        Some(call) => call.look(Instant::now()).map(|_| ()).map_err(|_| closed()),
        None => Ok(()),
    }
}

/// Stands before the connector that opens a socket: connecting may take seconds, and nobody should wait for that to hear
/// that the question is on its way.
#[derive(Debug)]
pub(super) struct AnnouncingConnector;

impl<In: Transport> Connector<In> for AnnouncingConnector {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<In>, Error> {
        look_up_from_waiting()?;
        Ok(chained)
    }
}

/// Wraps what the connector before it made.
#[derive(Debug)]
pub(super) struct TickingConnector;

impl<In: Transport> Connector<In> for TickingConnector {
    type Out = Ticking<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(Ticking))
    }
}

#[derive(Debug)]
pub(super) struct Ticking<T>(T);

impl<T: Transport> Transport for Ticking<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let Some(call) = current_call() else {
            return self.0.await_input(timeout);
        };
        let begun = Instant::now();
        let mut now = begun;
        loop {
            let tick = call.look(now).map_err(|_| closed())?;
            // Always the same length but for the last: another one costs a system call.
            let brief = NextTimeout { after: time::Duration::Exact(tick), reason: Timeout::PerRead, ..timeout };
            match self.0.await_input(brief) {
                Err(Error::Timeout(Timeout::PerRead)) => {
                    now = Instant::now();
                    if now.saturating_duration_since(begun) >= *timeout.after {
                        return Err(Error::Timeout(timeout.reason));
                    }
                }
                result => return result,
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

/// For ureq: this connection is not to be used again. Why, the call knows.
fn closed() -> Error {
    Error::Io(io::ErrorKind::ConnectionAborted.into())
}
