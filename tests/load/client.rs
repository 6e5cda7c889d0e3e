//! The load: one thread and a poller drive any number of connections, so that it takes little from what it measures.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use polling::{Event, Events, PollMode, Poller};

use crate::clock_ns;

/// Nothing for so long is a hang.
const HANG: Duration = Duration::from_secs(60);

/// A connection and what is asked on it, one request after another.
pub struct Slot {
    pub requests: Vec<Vec<u8>>,
    /// Before its first request.
    pub delay: Duration,
    /// Hangs up so long after each request was sent, if it is still being answered.
    pub leave_after: Option<Duration>,
}

/// What was seen of streamed answers.
#[derive(Default)]
pub struct Seen {
    /// From the request's last byte to the first token, microseconds.
    pub first_us: Vec<f64>,
    /// From the model's write of a token to its arrival, microseconds.
    pub lag_us: Vec<f64>,
    pub answers: usize,
    /// Answers whose status was not 200, or that ended without their last chunk.
    pub failed: usize,
    pub elapsed: Duration,
}

struct Running {
    socket: TcpStream,
    slot: Slot,
    next: usize,
    input: Vec<u8>,
    sent_ns: u64,
    begun: Option<Instant>,
    has_token: bool,
}

/// Asks everything that the slots say, and reads the answers to their ends. `marker` stands before each token's stamp.
pub fn stream(target: SocketAddr, marker: &str, slots: Vec<Slot>) -> Seen {
    let (poller, mut events) = (Poller::new().expect("a poller"), Events::new());
    let finder = Finder::new(marker.as_bytes());
    let (mut seen, begun) = (Seen::default(), Instant::now());
    let mut waiting: Vec<(usize, Instant)> =
        slots.iter().enumerate().map(|(key, slot)| (key, begun + slot.delay)).collect();
    waiting.sort_by_key(|&(_, at)| std::cmp::Reverse(at));
    let mut running: Vec<Option<Running>> =
        slots.into_iter().enumerate().map(|(key, slot)| Some(Running::connect(target, slot, key, &poller))).collect();
    let (mut open, mut heard) = (running.len(), Instant::now());
    while open > 0 {
        while let Some(&(key, at)) = waiting.last()
            && at <= Instant::now()
        {
            waiting.pop();
            if let Some(connection) = &mut running[key] {
                connection.ask();
            }
        }
        let timeout = waiting.last().map_or(Duration::from_millis(20), |(_, at)| {
            at.saturating_duration_since(Instant::now()).min(Duration::from_millis(20))
        });
        events.clear();
        poller.wait(&mut events, Some(timeout)).expect("a poller");
        if !events.is_empty() {
            heard = Instant::now();
        }
        assert!(heard.elapsed() < HANG, "{open} answers hang");
        for event in events.iter() {
            let Some(connection) = &mut running[event.key] else { continue };
            if !connection.read(&finder, &mut seen) {
                poller.delete(&connection.socket).expect("a socket");
                running[event.key] = None;
                open -= 1;
            }
        }
        for place in &mut running {
            if place.as_ref().is_some_and(Running::is_leaving)
                && let Some(connection) = place.take()
            {
                poller.delete(&connection.socket).expect("a socket");
                open -= 1;
            }
        }
    }
    seen.elapsed = begun.elapsed();
    seen
}

impl Running {
    fn connect(target: SocketAddr, slot: Slot, key: usize, poller: &Poller) -> Self {
        let socket = connect(target, key);
        // SAFETY: it is taken out before it is closed.
        unsafe { poller.add_with_mode(&socket, Event::readable(key), PollMode::Level).expect("a socket") };
        Self { socket, slot, next: 0, input: Vec::new(), sent_ns: 0, begun: None, has_token: false }
    }

    fn ask(&mut self) {
        self.has_token = false;
        self.socket.write_all(&self.slot.requests[self.next]).expect("room for a request");
        (self.sent_ns, self.begun) = (clock_ns(), Some(Instant::now()));
        self.next += 1;
    }

    fn is_leaving(&self) -> bool {
        self.begun.zip(self.slot.leave_after).is_some_and(|(begun, after)| begun.elapsed() >= after)
    }

    /// Takes what came; false when there is no more to come.
    fn read(&mut self, marker: &Finder<'_>, seen: &mut Seen) -> bool {
        let mut buffer = [0; 64 * 1024];
        let bytes = match self.socket.read(&mut buffer) {
            Ok(0) => 0,
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(_) => 0,
        };
        if bytes == 0 {
            seen.failed += usize::from(self.begun.is_some());
            return false;
        }
        let now = clock_ns();
        self.input.extend_from_slice(&buffer[..bytes]);
        if self.input.starts_with(b"HTTP/1.1 ") && !self.input.starts_with(b"HTTP/1.1 200") {
            let text = String::from_utf8_lossy(&self.input);
            if seen.failed == 0 {
                eprintln!("refused: {text}");
            }
            seen.failed += 1;
            return false;
        }
        let mut used = 0;
        for at in marker.find_iter(&self.input) {
            let stamp = at + marker.needle().len();
            let Some(digits) = self.input.get(stamp..stamp + 16) else { break };
            used = stamp + 16;
            let written: u64 = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).unwrap_or(now);
            seen.lag_us.push(now.saturating_sub(written) as f64 / 1e3);
            if !std::mem::replace(&mut self.has_token, true) {
                seen.first_us.push(now.saturating_sub(self.sent_ns) as f64 / 1e3);
            }
        }
        let is_whole = self.input.ends_with(b"\n0\r\n\r\n");
        // A marker and its stamp may be split between two reads, and so may the end.
        let keep = self.input.len().saturating_sub(marker.needle().len() + 24).max(used);
        self.input.drain(..keep);
        if !is_whole {
            return true;
        }
        seen.answers += 1;
        self.input.clear();
        self.begun = None;
        if self.next == self.slot.requests.len() {
            return false;
        }
        self.ask();
        true
    }
}

/// What was seen of short requests.
#[derive(Default)]
pub struct Short {
    pub latency_us: Vec<f64>,
    /// Answers by their status' first digit.
    pub by_class: [u64; 6],
    pub elapsed: Duration,
    /// The last answer's body.
    pub last: String,
}

impl Short {
    pub fn ok(&self) -> u64 {
        self.by_class[2]
    }

    pub fn a_second(&self) -> f64 {
        self.ok() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends `requests[i]` on connection i again and again, each after the answer to the one before, for `time`.
pub fn repeat(target: SocketAddr, requests: &[Vec<u8>], time: Duration, pause: Duration) -> Short {
    let (poller, mut events) = (Poller::new().expect("a poller"), Events::new());
    let mut seen = Short::default();
    let mut open: Vec<(TcpStream, Vec<u8>, u64)> = Vec::new();
    let begun = Instant::now();
    for (key, request) in requests.iter().enumerate() {
        let mut socket = connect(target, key);
        // SAFETY: it is closed together with the poller.
        unsafe { poller.add_with_mode(&socket, Event::readable(key), PollMode::Level).expect("a socket") };
        socket.write_all(request).expect("room for a request");
        open.push((socket, Vec::new(), clock_ns()));
    }
    let mut buffer = [0; 64 * 1024];
    while begun.elapsed() < time {
        events.clear();
        poller.wait(&mut events, Some(Duration::from_millis(100))).expect("a poller");
        for event in events.iter() {
            let (socket, input, sent) = &mut open[event.key];
            match socket.read(&mut buffer) {
                Ok(bytes) if bytes > 0 => input.extend_from_slice(&buffer[..bytes]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                _ => {
                    poller.delete(&*socket).expect("a socket");
                    *socket = connect(target, event.key);
                    // SAFETY: it is closed together with the poller.
                    unsafe { poller.add_with_mode(&*socket, Event::readable(event.key), PollMode::Level) }
                        .expect("a socket");
                }
            }
            if let Some((class, body)) = whole_answer(input) {
                seen.latency_us.push((clock_ns() - *sent) as f64 / 1e3);
                seen.by_class[class] += 1;
                seen.last = String::from_utf8_lossy(&input[body..]).into_owned();
                input.clear();
                std::thread::sleep(pause);
                *sent = clock_ns();
                socket.write_all(&requests[event.key]).expect("room for a request");
            }
        }
    }
    seen.elapsed = begun.elapsed();
    for (socket, ..) in &open {
        poller.delete(socket).expect("a socket");
    }
    seen
}

/// One request on a connection of its own: the status' first digit and the body.
pub fn once(target: SocketAddr, request: &[u8]) -> (usize, String) {
    let mut socket = TcpStream::connect(target).expect("a server");
    socket.set_read_timeout(Some(HANG)).expect("a socket");
    socket.write_all(request).expect("room for a request");
    let (mut input, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let bytes = socket.read(&mut buffer).expect("an answer");
        assert!(bytes > 0, "closed: {}", String::from_utf8_lossy(&input));
        input.extend_from_slice(&buffer[..bytes]);
        if let Some((class, body)) = whole_answer(&input) {
            return (class, String::from_utf8_lossy(&input[body..]).into_owned());
        }
    }
}

/// The status' first digit and where the body begins, once all is there.
fn whole_answer(input: &[u8]) -> Option<(usize, usize)> {
    let head = memchr::memmem::find(input, b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&input[..head]).ok()?;
    let length: usize = text
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|value| value.trim().parse()))?
        .ok()?;
    let class = text.as_bytes().get(9).map_or(0, |digit| usize::from(digit.saturating_sub(b'0')).min(5));
    (input.len() >= head + length).then_some((class, head))
}

/// Each hundred connections from an address of their own, so that many are not one client.
fn connect(target: SocketAddr, key: usize) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let host = u8::try_from(2 + key / 100).expect("at most 25 000 connections");
    socket.bind(&SocketAddr::from(([127, 0, 0, host], 0)).into()).expect("an address");
    socket.connect(&target.into()).expect("a server");
    let socket = TcpStream::from(socket);
    socket.set_nonblocking(true).and_then(|()| socket.set_nodelay(true)).expect("a socket");
    socket
}
