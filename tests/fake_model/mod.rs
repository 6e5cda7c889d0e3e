//! A scripted model server: sends exactly the bytes that it is told to, and remembers what it was asked.
//!
//! ```ignore
//! let model = FakeModel::start();                      // on a free port
//! model.url();                                         // "http://127.0.0.1:PORT/v1", for widget.toml
//! model.script(say(&["Hel", "lo"]));                   // for the next request that no script is taken for yet
//! model.script(vec![head(), token("Hel"), Step::Hold(gate.clone()), token("lo"), stop(), done(), last_chunk()]);
//! model.always(|request| say(&["the same"]));          // for every request that has no script of its own
//! model.requests();                                    // what came in: head, body as JSON, number of the connection
//! model.wait_for_requests(1);                          // until so many have come
//! model.wait_until_closed(0);                          // until the client has closed the connection of request 0
//! model.connections();                                 // how many were opened
//! model.most_at_once();                                // how many requests were answered at the same time at most
//! ```
//!
//! Without a script it says "Hello from the scripted model." with usage and `[DONE]`. A script runs step by step; when it
//! ends, the connection waits for its next request, unless a step closed it. Standard library only.

#![allow(dead_code, unreachable_pub)] // each user needs another part of it, and sees it from another place
#![allow(clippy::expect_used)] // part of the tests

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A wait that takes longer than this is a hang.
const CEILING: Duration = Duration::from_secs(20);
/// How often a step that waits looks whether the client is still there.
const LOOK: Duration = Duration::from_millis(5);

/// What the server does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// One write of exactly these bytes.
    Send(Vec<u8>),
    /// These bytes, so many in each write.
    Drip(Vec<u8>, usize),
    /// Waits until the gate is opened, or the client is gone.
    Hold(Gate),
    /// Waits so long: for benchmarks, and for limits of the server that are shorter.
    Pause(Duration),
    /// These bytes again and again, with this pause between, until the client is gone.
    Repeat(Vec<u8>, Duration),
    /// Says nothing until the client is gone.
    Hang,
    /// Closes the connection.
    Close,
    /// Resets it.
    Reset,
}

/// Opened by the test when it has seen what it waited for.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn open(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Request line and headers, as they came.
    pub head: String,
    /// The body as JSON; null if it was none.
    pub body: Value,
    /// The body as it came.
    pub raw: Vec<u8>,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

impl Recorded {
    /// The value of a header, if it came.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find_map(|(known, value)| known.trim().eq_ignore_ascii_case(name).then(|| value.trim()))
    }
}

type Script = Vec<Step>;
type Always = dyn Fn(&Recorded) -> Script + Send + Sync;

pub struct FakeModel {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    stopped: AtomicBool,
}

struct State {
    scripts: VecDeque<Script>,
    always: Arc<Always>,
    requests: Vec<Recorded>,
    /// When the client closed the connection of a request, by its number.
    closed: Vec<Option<Instant>>,
    connections: usize,
}

impl FakeModel {
    pub fn start() -> Self {
        Self::start_on("127.0.0.1:0")
    }

    pub fn start_on(address: &str) -> Self {
        let listener = TcpListener::bind(address).expect("the model's port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                scripts: VecDeque::new(),
                always: Arc::new(|_: &Recorded| say(&["Hello ", "from ", "the ", "scripted ", "model."])),
                requests: Vec::new(),
                closed: Vec::new(),
                connections: 0,
            }),
            changed: Condvar::new(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        });
        Self { shared, address }
    }

    /// The base URL for `widget.toml`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// For the next request that has no script yet.
    pub fn script(&self, script: Script) {
        self.shared.state().scripts.push_back(script);
    }

    /// For every request without a script of its own.
    pub fn always(&self, script: impl Fn(&Recorded) -> Script + Send + Sync + 'static) {
        self.shared.state().always = Arc::new(script);
    }

    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state().requests.clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    pub fn most_at_once(&self) -> usize {
        self.shared.most_at_once.load(Ordering::SeqCst)
    }

    pub fn wait_for_requests(&self, count: usize) {
        self.wait_until(&format!("{count} requests"), |state| (state.requests.len() >= count).then_some(()));
    }

    /// Waits until the client has closed the connection on which this request came, and says when that was seen.
    pub fn wait_until_closed(&self, request: usize) -> Instant {
        self.wait_until(&format!("the end of request {request}"), |state| state.closed.get(request).copied().flatten())
    }

    fn wait_until<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + CEILING;
        let mut state = self.shared.state();
        loop {
            if let Some(found) = look(&state) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the model waited too long for {what}");
            state = self.shared.changed.wait_timeout(state, left).expect("no thread of the model panics").0;
        }
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes `accept`
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the model panics")
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for socket in listener.incoming() {
        if shared.is_stopped() {
            return;
        }
        let Ok(socket) = socket else { continue };
        let connection = {
            let mut state = shared.state();
            state.connections += 1;
            state.connections - 1
        };
        let shared = shared.clone();
        thread::spawn(move || serve(socket, connection, &shared));
    }
}

/// What is left of a connection after a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Open,
    /// By this side.
    Closed,
    /// By the client.
    ClientGone,
}

fn serve(mut socket: TcpStream, connection: usize, shared: &Shared) {
    let _ = socket.set_nodelay(true);
    let mut requests = Vec::new();
    let mut left = Left::Open;
    while left == Left::Open {
        let Some((head, body)) = read_request(&mut socket) else {
            break;
        };
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let recorded = Recorded { head, body: json, raw: body, connection };
        let script = {
            let mut state = shared.state();
            requests.push(state.requests.len());
            state.requests.push(recorded.clone());
            state.closed.push(None);
            shared.changed.notify_all();
            match state.scripts.pop_front() {
                Some(script) => script,
                None => (state.always.clone())(&recorded),
            }
        };
        let now = shared.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_at_once.fetch_max(now, Ordering::SeqCst);
        for step in script {
            left = run(&mut socket, step, shared);
            if left != Left::Open {
                break;
            }
        }
        shared.at_once.fetch_sub(1, Ordering::SeqCst);
    }
    drop(socket);
    if left != Left::Closed {
        let mut state = shared.state();
        for request in requests {
            state.closed[request] = Some(Instant::now());
        }
        shared.changed.notify_all();
    }
}

fn run(socket: &mut TcpStream, step: Step, shared: &Shared) -> Left {
    match step {
        Step::Send(bytes) => written(socket.write_all(&bytes)),
        Step::Drip(bytes, size) => written(bytes.chunks(size).try_for_each(|piece| socket.write_all(piece))),
        Step::Hold(gate) => wait(socket, || gate.is_open() || shared.is_stopped()),
        Step::Pause(pause) => {
            let end = Instant::now() + pause;
            wait(socket, || Instant::now() >= end || shared.is_stopped())
        }
        Step::Repeat(bytes, pause) => loop {
            let end = Instant::now() + pause;
            let left = match written(socket.write_all(&bytes)) {
                Left::Open if pause.is_zero() => Left::Open,
                Left::Open => wait(socket, || Instant::now() >= end),
                left => left,
            };
            if left != Left::Open || shared.is_stopped() {
                return left;
            }
        },
        Step::Hang => wait(socket, || shared.is_stopped()),
        Step::Close => Left::Closed,
        Step::Reset => {
            // A socket that is closed with linger 0 is reset.
            let _ = socket2::SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
            Left::Closed
        }
    }
}

fn written(result: std::io::Result<()>) -> Left {
    if result.is_ok() { Left::Open } else { Left::ClientGone }
}

/// Until `is_over`, or the client is gone.
fn wait(socket: &TcpStream, is_over: impl Fn() -> bool) -> Left {
    let _ = socket.set_read_timeout(Some(LOOK));
    let left = loop {
        if is_over() {
            break Left::Open;
        }
        match socket.peek(&mut [0]) {
            Ok(0) => break Left::ClientGone,
            Ok(_) => thread::sleep(LOOK),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break Left::ClientGone,
        }
    };
    let _ = socket.set_read_timeout(None);
    left
}

/// Head and body of the next request; none when the client is gone.
fn read_request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match socket.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    while bytes.len() < end + length {
        match socket.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
    Some((head, bytes[end..end + length].to_vec()))
}

// What scripts are made of.

/// The head of a chunked event stream.
pub fn head() -> Step {
    Step::Send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec())
}

/// The head of an event stream that ends when the connection does.
pub fn head_until_close() -> Step {
    Step::Send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n".to_vec())
}

/// Raw bytes.
pub fn raw(bytes: impl AsRef<[u8]>) -> Step {
    Step::Send(bytes.as_ref().to_vec())
}

/// These bytes as one chunk.
pub fn chunk(bytes: impl AsRef<[u8]>) -> Step {
    Step::Send(chunk_bytes(bytes))
}

pub fn chunk_bytes(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// The end of a chunked body.
pub fn last_chunk() -> Step {
    raw("0\r\n\r\n")
}

/// An event with this JSON.
pub fn event(data: &Value) -> Step {
    chunk(format!("data: {data}\n\n"))
}

/// A piece of the answer.
pub fn token(text: &str) -> Step {
    event(&json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
}

pub fn finish(reason: &str) -> Step {
    event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

pub fn usage(input_tokens: u64, output_tokens: u64) -> Step {
    event(&json!({"choices": [], "usage": {"prompt_tokens": input_tokens, "completion_tokens": output_tokens}}))
}

pub fn done() -> Step {
    chunk("data: [DONE]\n\n")
}

/// A whole well-formed answer: each piece in a write of its own, usage of 20 and 10 tokens, `[DONE]`.
pub fn say(pieces: &[&str]) -> Script {
    say_with_usage(pieces, Some((20, 10)))
}

pub fn say_with_usage(pieces: &[&str], tokens: Option<(u64, u64)>) -> Script {
    let mut script = vec![head()];
    script.extend(pieces.iter().map(|piece| token(piece)));
    script.push(finish("stop"));
    script.extend(tokens.map(|(input, output)| usage(input, output)));
    script.extend([done(), last_chunk()]);
    script
}

/// An ordinary answer with a body, such as an error.
pub fn respond(status: u16, headers: &[(&str, &str)], body: &str) -> Script {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    vec![raw(format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()))]
}
