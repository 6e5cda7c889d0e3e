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

use crate::model::{Listener, ModelError, Update};

/// How long nobody looks whether the client is still there.
pub(super) const TICK: Duration = Duration::from_millis(500);

thread_local! {
    static CALL: RefCell<Option<Rc<Call>>> = const { RefCell::new(None) };
}

/// The limits of a call, and who listens to it.
pub(super) struct Call {
    listener: Listener,
    /// When to give up, and what that is called.
    deadline: Cell<(Instant, Limit)>,
    /// Whether the listener has heard that the question is on its way.
    is_announced: Cell<bool>,
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
            is_announced: Cell::new(false),
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

    /// Tells, once, that the question is on its way.
    fn announce(&self) -> Result<(), ModelError> {
        if self.is_announced.replace(true) { Ok(()) } else { self.tell(Update::Waiting) }
    }

    /// Why this side gave up, if it did.
    pub(super) fn given_up(&self) -> Option<ModelError> {
        self.given_up.borrow().clone()
    }

    /// How long to wait before the next look, or that there is nothing more to wait for.
    fn look(&self) -> Result<Duration, ModelError> {
        let (end, limit) = self.deadline.get();
        let left = end.saturating_duration_since(Instant::now());
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

/// Stands before the connector that opens a socket: connecting may take seconds, and nobody should wait for that to hear
/// that the question is on its way.
#[derive(Debug)]
pub(super) struct AnnouncingConnector;

impl<In: Transport> Connector<In> for AnnouncingConnector {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<In>, Error> {
        if let Some(call) = CALL.with_borrow(Clone::clone) {
            call.announce().map_err(|_| closed())?;
        }
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
        let Some(call) = CALL.with_borrow(Clone::clone) else {
            return self.0.await_input(timeout);
        };
        let begun = Instant::now();
        call.announce().map_err(|_| closed())?;
        loop {
            let tick = call.look().map_err(|_| closed())?;
            let brief = NextTimeout { after: time::Duration::Exact(tick), reason: Timeout::PerRead, ..timeout };
            match self.0.await_input(brief) {
                Err(Error::Timeout(Timeout::PerRead)) => {
                    if begun.elapsed() >= *timeout.after {
                        return Err(Error::Timeout(timeout.reason));
                    }
                    call.tell(Update::Waiting).map_err(|_| closed())?;
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
