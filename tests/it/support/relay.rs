//! A proxy before the server that does what bad proxies do: holds streams back, adds headers, keeps the client's word.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it does to what passes.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    /// Nothing of an answer leaves before all of it is there.
    pub(crate) buffers: bool,
    pub(crate) address: Address,
    /// What it answers by itself: method and target come in, an answer as it goes over the wire comes out.
    pub(crate) instead: fn(&str, &str) -> Option<String>,
    /// Changes the head of an answer to a request for this target.
    pub(crate) head: fn(&str, String) -> String,
}

/// What it says of the client in `X-Forwarded-For`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    /// The client's own words and, after them, the address that it sees: as if that were 203.0.113.9.
    Appended,
    /// The client's own words as they are.
    PassedOn,
    /// Nothing.
    Left,
}

impl Default for Habits {
    /// Those of a good one.
    fn default() -> Self {
        Self { buffers: false, address: Address::Appended, instead: |_, _| None, head: |_, head| head }
    }
}

/// Its threads end with the process.
pub(crate) struct Relay {
    address: SocketAddr,
    state: Arc<Mutex<(Option<SocketAddr>, Habits)>>,
}

impl Relay {
    /// Before it is told where to, it answers 502.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state: Arc<Mutex<(Option<SocketAddr>, Habits)>> = Arc::default();
        std::thread::spawn({
            let state = state.clone();
            move || {
                for client in listener.incoming().map_while(Result::ok) {
                    let (server, habits) = *state.lock().expect("no panic under this lock");
                    // Either side may leave.
                    std::thread::spawn(move || relay(client, server, habits).ok());
                }
            }
        });
        Self { address, state }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn forward_to(&self, server: Option<SocketAddr>) {
        self.state.lock().expect("no panic under this lock").0 = server;
    }

    pub(crate) fn behave(&self, habits: Habits) {
        self.state.lock().expect("no panic under this lock").1 = habits;
    }
}

const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// One request on each connection.
fn relay(mut client: TcpStream, server: Option<SocketAddr>, habits: Habits) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let head = read_head(&mut reader)?;
    let mut words = head[0].split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if let Some(answer) = (habits.instead)(method, target) {
        return client.write_all(answer.as_bytes());
    }
    let Some(mut upstream) = server.and_then(|server| TcpStream::connect(server).ok()) else {
        return client.write_all(BAD_GATEWAY.as_bytes());
    };
    let value = |line: &str, name: &str| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    };
    let length = head.iter().find_map(|line| value(line, "content-length")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let said = head.iter().find_map(|line| value(line, "x-forwarded-for"));
    let mut lines: Vec<_> = head.iter().filter(|line| value(line, "x-forwarded-for").is_none()).cloned().collect();
    lines.retain(|line| value(line, "connection").is_none());
    lines.push("Connection: close".into());
    let forwarded = match habits.address {
        Address::Appended => Some(said.map_or("203.0.113.9".into(), |said| format!("{said}, 203.0.113.9"))),
        Address::PassedOn => said,
        Address::Left => None,
    };
    lines.extend(forwarded.map(|forwarded| format!("X-Forwarded-For: {forwarded}")));
    upstream.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes())?;
    upstream.write_all(&body)?;
    let mut answer = BufReader::new(upstream);
    let head = read_head(&mut answer)?.join("\r\n");
    let mut held = format!("{}\r\n\r\n", (habits.head)(target, head)).into_bytes();
    if habits.buffers {
        answer.read_to_end(&mut held)?;
        return client.write_all(&held);
    }
    client.write_all(&held)?;
    loop {
        let piece = answer.fill_buf()?;
        if piece.is_empty() {
            return Ok(());
        }
        client.write_all(piece)?;
        let length = piece.len();
        answer.consume(length);
    }
}

fn read_head(reader: &mut impl BufRead) -> std::io::Result<Vec<String>> {
    let lines = reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect::<Vec<_>>();
    if lines.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(lines) }
}
