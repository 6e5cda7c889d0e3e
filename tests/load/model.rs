//! A model server for measuring: one thread and a timer, so that what it costs itself is small and always the same.
//!
//! It runs as a process of its own (`measure model`), prints its address, and answers every POST as the question says:
//! the last `bench:TOKENS:PACE_US:THINK_US` in the body. Each token is a chunk of its own in a write of its own, and says
//! when it was written (nanoseconds of the monotonic clock), so that whoever reads it knows how long it was under way.
//! With a pace of 0 it writes as fast as it is read. `GET /stats` tells how many connections were opened, how many
//! answers are under way, and how many were left in the middle.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use polling::{Event, Events, PollMode, Poller};

use crate::clock_ns;

const LISTENER: usize = usize::MAX - 1;
/// Tokens written to one connection before the others get their turn, at full speed.
const TURN: u32 = 16;
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const BEFORE: &str = r#"data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1700000000,"model":"scripted","choices":[{"index":0,"delta":{"content":""#;
const AFTER: &str = "\"},\"finish_reason\":null}]}\n\n";

pub fn main() -> ! {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    println!("{}", listener.local_addr().expect("an address"));
    Model::new(listener).run()
}

struct Model {
    listener: TcpListener,
    poller: Poller,
    connections: HashMap<usize, Connection>,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    next_key: usize,
    left: usize,
    last_left_ns: u64,
    ending: Vec<u8>,
}

struct Connection {
    socket: TcpStream,
    input: Vec<u8>,
    /// What did not fit into the socket.
    output: Vec<u8>,
    answer: Option<Answer>,
    /// Whether it is watched for room to write instead of for input.
    is_full: bool,
}

struct Answer {
    left: u32,
    pace: Duration,
    due: Instant,
}

impl Model {
    fn new(listener: TcpListener) -> Self {
        let poller = Poller::new().expect("a poller");
        // SAFETY: both live until the process ends.
        unsafe { poller.add_with_mode(&listener, Event::readable(LISTENER), PollMode::Level).expect("a socket") };
        let mut ending = Vec::new();
        for event in [
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":20}}"#,
            "[DONE]",
        ] {
            chunk(&format!("data: {event}\n\n"), &mut ending);
        }
        ending.extend_from_slice(b"0\r\n\r\n");
        Self {
            listener,
            poller,
            connections: HashMap::new(),
            timers: BinaryHeap::new(),
            next_key: 0,
            left: 0,
            last_left_ns: 0,
            ending,
        }
    }

    fn run(mut self) -> ! {
        let mut events = Events::new();
        loop {
            events.clear();
            let timeout = self.timers.peek().map(|Reverse((due, _))| due.saturating_duration_since(Instant::now()));
            self.poller.wait(&mut events, timeout).expect("a poller");
            for event in events.iter() {
                match event.key {
                    LISTENER => self.accept(),
                    key => self.attend(key),
                }
            }
            let now = Instant::now();
            while let Some(&Reverse((due, key))) = self.timers.peek()
                && due <= now
            {
                self.timers.pop();
                self.speak(key);
            }
        }
    }

    fn accept(&mut self) {
        while let Ok((socket, _)) = self.listener.accept() {
            socket.set_nonblocking(true).and_then(|()| socket.set_nodelay(true)).expect("a socket");
            let key = self.next_key;
            self.next_key += 1;
            // SAFETY: it is taken out in `remove` before it is closed.
            unsafe { self.poller.add_with_mode(&socket, Event::readable(key), PollMode::Level).expect("a socket") };
            let connection = Connection { socket, input: Vec::new(), output: Vec::new(), answer: None, is_full: false };
            self.connections.insert(key, connection);
        }
    }

    /// Reads what came; a whole request starts an answer.
    fn attend(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        if connection.is_full {
            return self.speak(key);
        }
        let mut buffer = [0; 16 * 1024];
        match connection.socket.read(&mut buffer) {
            Ok(0) => return self.remove(key),
            Ok(bytes) => connection.input.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return self.remove(key),
        }
        if let Some(request) = whole_request(&mut connection.input) {
            if request.starts_with("GET") {
                let open = self.connections.values().filter(|connection| connection.answer.is_some()).count();
                let body = format!("{} {open} {} {}", self.next_key, self.left, self.last_left_ns);
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                let Some(connection) = self.connections.get_mut(&key) else { return };
                connection.socket.write_all(answer.as_bytes()).expect("room");
            } else {
                let [tokens, pace_us, think_us] = directive(&request);
                let due = Instant::now() + Duration::from_micros(think_us);
                connection.socket.write_all(HEAD.as_bytes()).expect("room");
                let left = u32::try_from(tokens).expect("a small number");
                connection.answer = Some(Answer { left, pace: Duration::from_micros(pace_us), due });
                if think_us == 0 {
                    self.speak(key);
                } else {
                    self.timers.push(Reverse((due, key)));
                }
            }
        }
    }

    /// Says what is due.
    fn speak(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        if !connection.flush() {
            return self.watch(key);
        }
        for _ in 0..TURN {
            let Some(answer) = &mut connection.answer else { break };
            if answer.left == 0 {
                connection.answer = None;
                connection.write(&self.ending);
                break;
            }
            answer.left -= 1;
            answer.due += answer.pace;
            let (due, is_paced) = (answer.due, !answer.pace.is_zero());
            let mut bytes = Vec::with_capacity(256);
            chunk(&format!("{BEFORE}{:016} {AFTER}", clock_ns()), &mut bytes);
            if !connection.write(&bytes) {
                return self.watch(key);
            }
            if is_paced {
                self.timers.push(Reverse((due, key)));
                return self.watch(key);
            }
        }
        if connection.answer.is_some() {
            self.timers.push(Reverse((Instant::now(), key)));
        }
        self.watch(key);
    }

    fn watch(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let is_full = !connection.output.is_empty();
        if std::mem::replace(&mut connection.is_full, is_full) != is_full {
            let interest = if is_full { Event::writable(key) } else { Event::readable(key) };
            self.poller.modify_with_mode(&connection.socket, interest, PollMode::Level).expect("a socket");
        }
    }

    fn remove(&mut self, key: usize) {
        if let Some(connection) = self.connections.remove(&key) {
            if connection.answer.is_some() {
                self.left += 1;
                self.last_left_ns = clock_ns();
            }
            self.poller.delete(&connection.socket).expect("a socket");
        }
    }
}

impl Connection {
    /// Whether all went out; what did not is kept.
    fn write(&mut self, bytes: &[u8]) -> bool {
        let sent = match self.socket.write(bytes) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => bytes.len(), // gone: the next read says so
        };
        self.output.extend_from_slice(&bytes[sent..]);
        self.output.is_empty()
    }

    fn flush(&mut self) -> bool {
        let output = std::mem::take(&mut self.output);
        output.is_empty() || self.write(&output)
    }
}

fn chunk(payload: &str, to: &mut Vec<u8>) {
    to.extend_from_slice(format!("{:x}\r\n{payload}\r\n", payload.len()).as_bytes());
}

/// Takes a request out of `input` once it is whole.
fn whole_request(input: &mut Vec<u8>) -> Option<String> {
    let text = std::str::from_utf8(input).ok()?;
    let head = text.find("\r\n\r\n")? + 4;
    let length = text[..head]
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|value| value.trim().parse()))
        .map_or(0, |value| value.expect("a length"));
    (input.len() >= head + length).then(|| {
        let rest = input.split_off(head + length);
        String::from_utf8(std::mem::replace(input, rest)).expect("looked at above")
    })
}

/// Tokens, pace and think time of the last question.
fn directive(request: &str) -> [u64; 3] {
    let text = request.rfind("bench:").map_or("20:0:0", |at| &request[at + 6..]);
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}
