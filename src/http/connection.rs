//! One accepted socket: never blocking, known to the poller for as long as it is open.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use polling::{Event, Poller};
use rustix::event::{PollFd, PollFlags, Timespec};
use socket2::{SockRef, TcpKeepalive};

/// After so long without an acknowledgement of what was sent, the peer is taken for gone (RFC 5482).
const USER_TIMEOUT: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(60);
/// The kernel's memory for what the client has not read yet, of which Linux takes twice as much. Left to itself it grows to
/// megabytes for each client that does not read; an answer fits in. Of event streams there are few, and a fast one that
/// need not wait for its reader costs half.
pub(super) const SEND_BUFFER_BYTES: usize = 128 * 1024;
const STREAM_BUFFER_BYTES: usize = 1024 * 1024;

pub(super) struct Connection {
    socket: TcpStream,
    poller: Arc<Poller>,
    key: usize,
    pub(super) peer: SocketAddr,
    /// What came in and was not used yet.
    pub(super) input: Vec<u8>,
}

/// What a look at the socket brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    Bytes,
    Nothing,
    /// The peer will send no more.
    End,
}

impl Connection {
    /// Takes a socket over; `key` is what the poller calls it.
    pub(super) fn new(socket: TcpStream, peer: SocketAddr, key: usize, poller: Arc<Poller>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let options = SockRef::from(&socket);
        options.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        options.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        // SAFETY: `Drop` takes the socket out of the poller before it is closed, and nothing moves it out of here.
        unsafe { poller.add(&socket, Event::none(key))? };
        Ok(Self { socket, poller, key, peer, input: Vec::new() })
    }

    /// Asks for one event when there is something to read.
    pub(super) fn watch_input(&self) -> io::Result<()> {
        self.poller.modify(&self.socket, Event::readable(self.key))
    }

    /// Asks for one event when there is room to write.
    pub(super) fn watch_output(&self) -> io::Result<()> {
        self.poller.modify(&self.socket, Event::writable(self.key))
    }

    /// One read of at most `scratch`, appended to `input`.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> io::Result<Arrived> {
        loop {
            match self.socket.read(scratch) {
                Ok(0) => return Ok(Arrived::End),
                Ok(bytes) => {
                    self.input.extend_from_slice(&scratch[..bytes]);
                    return Ok(Arrived::Bytes);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Arrived::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// One read that is thrown away.
    pub(super) fn discard(&self, scratch: &mut [u8]) -> io::Result<usize> {
        (&self.socket).read(scratch)
    }

    /// One write of as much as there is room for now.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.socket).write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Writes all, in one write if there is room, else within `timeout`: what went out in part is no progress.
    pub(super) fn write_all(&self, mut bytes: &[u8], timeout: Duration) -> io::Result<()> {
        bytes = &bytes[self.try_write(bytes)?..];
        if bytes.is_empty() {
            return Ok(());
        }
        let deadline = Instant::now() + timeout;
        while !bytes.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.poll(PollFlags::OUT, left)?;
            bytes = &bytes[self.try_write(bytes)?..];
        }
        Ok(())
    }

    /// Whether the peer has closed the connection, or its sending half: who asked and then hung up wants no answer.
    pub(super) fn is_gone(&self) -> bool {
        let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        self.poll(PollFlags::RDHUP, Duration::ZERO).map_or(true, |seen| seen.intersects(gone))
    }

    /// Makes room for an event stream, or takes it away again.
    pub(super) fn make_room_for_stream(&self, is_stream: bool) {
        let bytes = if is_stream { STREAM_BUFFER_BYTES } else { SEND_BUFFER_BYTES };
        // Without it the stream is a little slower, that is all.
        let _ = SockRef::from(&self.socket).set_send_buffer_size(bytes);
    }

    /// No more will be sent: what was is delivered before the connection goes.
    pub(super) fn stop_sending(&self) {
        // It fails only if the peer is gone, and then there is nothing left to deliver.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    fn poll(&self, flags: PollFlags, timeout: Duration) -> io::Result<PollFlags> {
        let mut fds = [PollFd::new(&self.socket, flags)];
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(fds[0].revents()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Err(error) = self.poller.delete(&self.socket) {
            tracing::error!(%error, "a connection could not be taken out of the poller");
        }
    }
}
