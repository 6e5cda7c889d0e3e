//! The HTTP/1.1 front: half-sync, half-async (Schmidt, POSA vol. 2). It is a library that is handed a function.
//!
//! One thread, the intake, accepts connections and collects each request until it is complete and checked; a fixed pool
//! of workers runs the handler on requests that are complete; whoever answers writes the answer itself. Nothing here
//! knows of agents, storage, models or who may read what.
//!
//! Why not `tiny_http`'s own server, or `rouille`'s on top of it: of 0.12.0 it was measured that its pool forgets
//! connections that come in a burst, that one request with a huge `Content-Length` and no body aborts the process, that
//! an `HTTP/2.0` request line costs a thread for ever, that any error of `accept` ends it, that stalled bodies stop its
//! workers, that nothing bounds threads, header bytes or time, and that streams are held back in an 8 KiB buffer. None
//! can be mended from outside. So `tiny_http` gives its wire types, `rouille` the types that handlers are written in,
//! and the handling of connections between them is here.

mod body;
mod client_addr;
mod connection;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod head;
mod hearsay;
mod intake;
mod permits;
mod pool;
pub(crate) mod problem;
mod pulse;
mod request;
mod responder;
mod response;
mod slot;
mod sse;
mod steps;
mod table;
mod wire_error;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use polling::Poller;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;

pub(crate) use client_addr::{AddressKey, TrustedProxies, address_key, network_key};
pub(crate) use permits::{Permit, Permits};
pub(crate) use pool::Rest;
pub(crate) use pulse::Signs;
pub(crate) use request::{Forwarded, Request};
pub(crate) use responder::Responder;
pub(crate) use sse::{ClientGone, EventStream};

use crate::metrics::{Connections, Level};
use intake::Intake;
use pool::{Pool, Sizes};
use slot::Shared;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    /// Handlers that run at once.
    pub(crate) workers: usize,
    /// Rests that handlers leave, which run at once beside them: answers that take seconds.
    pub(crate) generations: usize,
    /// More rests, of requests that wait for a slow disk.
    pub(crate) commits: usize,
    /// Open connections in all; lowered to what the descriptor limit allows.
    pub(crate) connections_max: usize,
    /// Open connections of one address, trusted proxies excepted; of IPv6 a /64 is one.
    pub(crate) connections_per_address_max: usize,
    pub(crate) trusted_proxies: TrustedProxies,
    /// From the first byte of a request to the end of its head.
    pub(crate) head_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub(crate) body_timeout: Duration,
    /// How long a connection may be open without a request.
    pub(crate) idle_timeout: Duration,
    /// For one write: a whole answer, or an event.
    pub(crate) write_timeout: Duration,
    pub(crate) body_bytes_max: usize,
}

/// A thread waits for a model most of its life; its requests, answers and buffers are on the heap.
const WORKER_STACK_BYTES: usize = 512 * 1024;
/// Requests that may wait for a worker, beside those that run. What waits too long is refused anyway.
const WAITING_MAX: usize = 1024;
/// Connections that may wait to be accepted; the system may allow fewer. One that finds no place in this queue tries again
/// after a second, so a burst should fit.
const BACKLOG: usize = 1024;
/// The kernel's memory for what no one has read yet, of which Linux takes twice as much; a body fits in.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// Descriptors that are not connections: database, listener, poller, log, and one for each call to a model.
const OTHER_DESCRIPTORS: usize = 64;

/// A bound port.
pub(crate) struct Front {
    settings: Settings,
    shared: Arc<Shared>,
    listener: TcpListener,
    local_addr: SocketAddr,
}

/// For stopping the front from another thread.
#[derive(Clone)]
pub(crate) struct FrontHandle(Arc<Shared>);

impl Front {
    /// Takes the port. Raises the soft limit of descriptors to the hard one.
    pub(crate) fn bind(mut settings: Settings) -> io::Result<Self> {
        let descriptors = raise_descriptor_limit();
        let for_connections = descriptors.saturating_sub(OTHER_DESCRIPTORS + settings.generations).max(16);
        if settings.connections_max > for_connections {
            tracing::warn!(
                descriptors,
                "server.max_connections is lowered to {for_connections}: raise the limit of open files"
            );
            settings.connections_max = for_connections;
        }
        let listener = TcpListener::bind(settings.listen)?;
        // Again, for a longer queue than the standard library asks for.
        rustix::net::listen(&listener, i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
        // What is accepted inherits them.
        let options = SockRef::from(&listener);
        options.set_send_buffer_size(connection::SEND_BUFFER_BYTES)?;
        options.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        listener.set_nonblocking(true)?;
        let local_addr = listener.local_addr()?;
        Ok(Self { settings, shared: Arc::new(Shared::new(Poller::new()?)), listener, local_addr })
    }

    /// Where it really listens, also if port 0 was asked for.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    pub(crate) fn handle(&self) -> FrontHandle {
        FrontHandle(self.shared.clone())
    }

    /// Serves on this thread; returns when it was drained and the last connection has gone, or when it was closed. What
    /// the handler leaves to be done runs on its thread, while others take the next requests.
    pub(crate) fn run(
        self,
        handler: impl Fn(Request, Responder) -> Option<Rest> + Send + Sync + 'static,
    ) -> io::Result<()> {
        let Self { settings, shared, listener, .. } = self;
        let threads = settings.workers + settings.generations + settings.commits;
        let workers = Pool::start(Sizes { threads, jobs: settings.workers, waiting: WAITING_MAX }, WORKER_STACK_BYTES)?;
        let _ = shared.workers.set(workers.clone());
        shared.pulse.watch(workers.clone());
        Intake::new(Arc::new(settings), shared, listener, workers, Arc::new(handler))?.run();
        Ok(())
    }
}

impl FrontHandle {
    /// Accepts no more, closes what is idle and lets the rest end; answers say `Connection: close`.
    pub(crate) fn drain(&self) {
        self.0.drain();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.is_draining()
    }

    /// The open connections, as they were a tenth of a second ago at most.
    pub(crate) fn connections(&self) -> Connections {
        *self.0.seen.lock()
    }

    /// Short requests that run, and those that wait for their turn. None before the front runs.
    pub(crate) fn work(&self) -> Option<[Level; 2]> {
        self.0.workers.get().map(Pool::load)
    }

    /// What was warned of once may be warned of again: somebody may have mended it.
    pub(crate) fn warn_again(&self) {
        self.0.hearsay.forget();
    }

    pub(crate) fn signs(&self) -> Signs {
        self.0.pulse.signs()
    }

    /// Waits for nobody any longer. Only after `drain`.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    current.map_or(usize::MAX, |current| usize::try_from(current).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
