//! Clients that keep a server busy by hardly doing anything.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// Just below what one address may have open.
const OF_AN_ADDRESS: usize = 30;
const BETWEEN_BYTES: Duration = Duration::from_secs(1);
/// A reader's window: so small that the server feels at once how slow it is.
const WINDOW_BYTES: usize = 4096;

const HEAD: &str =
    "POST /v1/widget/init HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n\r\n";

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A header line now and then, and never the last one.
    Heads,
    /// A byte of the body now and then.
    Bodies,
    /// As these, but most of the body comes at once.
    Stalls,
    /// Asks for much and reads a byte now and then.
    Readers,
}

impl Kind {
    fn opening(self) -> String {
        match self {
            Self::Heads => "GET / HTTP/1.1\r\nHost: a\r\n".to_owned(),
            Self::Bodies => format!("{HEAD}{{"),
            Self::Stalls => format!("{HEAD}{}", " ".repeat(60_000)),
            Self::Readers => "GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20),
        }
    }

    /// Keeps the connection alive; fails if the server has closed it.
    fn go_on(self, mut socket: &TcpStream) -> io::Result<()> {
        match self {
            Self::Heads => socket.write_all(b"X-More: to come\r\n")?,
            Self::Bodies | Self::Stalls => socket.write_all(b" ")?,
            Self::Readers => return (socket.read(&mut [0])? > 0).then_some(()).ok_or(ErrorKind::UnexpectedEof.into()),
        }
        match socket.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            // An answer, which can only be a refusal, or the end.
            _ => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

pub(crate) struct Besiegers {
    kind: Kind,
    server: SocketAddr,
    sockets: Vec<Option<TcpStream>>,
    /// The next that goes on: all of them do within `BETWEEN_BYTES`.
    next: usize,
    since: Instant,
    opened: usize,
}

impl Besiegers {
    pub(crate) fn new(kind: Kind, server: SocketAddr, connections: usize) -> Self {
        let sockets = (0..connections).map(|_| None).collect();
        Self { kind, server, sockets, next: 0, since: Instant::now(), opened: 0 }
    }

    pub(crate) fn open_all(&mut self) {
        (0..self.sockets.len()).for_each(|number| self.open(number));
        self.since = Instant::now();
    }

    /// How many were closed by the server and opened again.
    pub(crate) fn reopened(&self) -> usize {
        self.opened.saturating_sub(self.sockets.len())
    }

    /// Has those go on whose turn has come.
    pub(crate) fn go_on(&mut self) {
        let turns = self.sockets.len() as f64 * self.since.elapsed().as_secs_f64() / BETWEEN_BYTES.as_secs_f64();
        for _ in 0..(turns as usize).min(self.sockets.len()) {
            let is_open = self.sockets[self.next].as_ref().is_some_and(|socket| self.kind.go_on(socket).is_ok());
            if !is_open {
                self.open(self.next);
            }
            self.next = (self.next + 1) % self.sockets.len();
            self.since = Instant::now();
        }
    }

    /// If the server will not have it, it is tried again at its next turn.
    fn open(&mut self, number: usize) {
        let address = number / OF_AN_ADDRESS;
        let address = [127, 1, (address / 200) as u8, (address % 200) as u8 + 1];
        let window = matches!(self.kind, Kind::Readers).then_some(WINDOW_BYTES);
        let open = connect_from(address, self.server, window).and_then(|mut socket| {
            socket.write_all(self.kind.opening().as_bytes())?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        self.sockets[number] = open.ok();
        self.opened += 1;
    }
}

/// All of 127.0.0.0/8 are addresses of this machine.
pub(crate) fn connect_from(client: [u8; 4], server: SocketAddr, window_bytes: Option<usize>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if let Some(bytes) = window_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(&SocketAddr::from((Ipv4Addr::from(client), 0)).into())?;
    socket.connect(&server.into())?;
    Ok(socket.into())
}

/// Sends `requests` on one connection, reads nothing, and gives up when the server took nothing for a second. How many it
/// took.
pub(crate) fn pipeline(server: SocketAddr, requests: usize, time: Duration) -> usize {
    const REQUEST: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut socket = connect_from([127, 1, 0, 1], server, None).expect("the server accepts");
    socket.set_write_timeout(Some(Duration::from_secs(1))).expect("an open socket");
    let all = REQUEST.repeat(requests);
    let (mut sent, end) = (0, Instant::now() + time);
    while sent < all.len() && Instant::now() < end {
        match socket.write(&all.as_bytes()[sent..]) {
            Ok(bytes) => sent += bytes,
            Err(_) => break,
        }
    }
    sent / REQUEST.len()
}
