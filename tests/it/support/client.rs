//! A raw HTTP/1.1 client over one socket, so that a test sees the bytes that a browser would.
//!
//! Every answer that it reads is checked: framing, the common headers of the contract, and `openapi.json`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::sse::EventStream;
use super::{CEILING, openapi};

/// What is to be sent. Everything but `Host` and the body's length is up to the test.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: None }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: &str, json: &Value) -> Self {
        Self::new("POST", target).header("Content-Type", "application/json").body(json.to_string())
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn origin(self, origin: &str) -> Self {
        self.header("Origin", origin)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head.push_str("Host: widget.test\r\n");
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        } else if self.method == "POST" {
            head.push_str("Content-Length: 0\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

/// A status line and headers. Names are compared in any case.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let first = values.next().map(|(_, value)| value.as_str());
        let is_repeatable = name.eq_ignore_ascii_case("Vary");
        assert!(is_repeatable || values.next().is_none(), "{name} came twice: {self:?}");
        first
    }

    /// The header that must be there.
    pub(crate) fn must(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl std::ops::Deref for Response {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Response {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body in UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {:?}", self.text()))
    }

    /// The body, after a look at the status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#?}\n{}", self.head, self.text());
        self.json()
    }

    /// The problem document, after a look at status and code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem:#}");
        problem
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn retry_after(&self) -> u64 {
        let seconds = self.must("Retry-After").parse().expect("whole seconds");
        assert!(seconds >= 1, "Retry-After: {seconds}");
        seconds
    }

    /// The names of the fields that a 422 complains of, sorted.
    #[track_caller]
    pub(crate) fn bad_fields(&self) -> Vec<String> {
        let problem = self.refused(422, "validation_failed");
        let errors = problem["errors"].as_array().expect("errors").clone();
        let mut fields: Vec<_> =
            errors.iter().map(|error| error["field"].as_str().expect("field").to_owned()).collect();
        fields.sort();
        fields
    }
}

/// One connection, kept alive as long as the test wants.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).expect("the server accepts"))
    }

    /// From another address of this machine: all of 127.0.0.0/8 are.
    pub(crate) fn open_from(client: IpAddr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::new(client, 0).into()).expect("an address of this machine");
        socket.connect(&address.into()).expect("the server accepts");
        Self::on(socket.into())
    }

    /// With so small a window that the server feels at once how slowly this client reads.
    pub(crate) fn open_narrow(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a receive buffer");
        socket.connect(&address.into()).expect("the server accepts");
        Self::on(socket.into())
    }

    fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(CEILING)).expect("a read timeout");
        stream.set_write_timeout(Some(CEILING)).expect("a write timeout");
        Self { reader: BufReader::new(stream) }
    }

    /// None if nobody accepts.
    pub(crate) fn try_open(address: SocketAddr) -> Option<Self> {
        TcpStream::connect(address).ok().map(Self::on)
    }

    /// One exchange with a server that may die at any byte: status and body, if they came whole.
    pub(crate) fn try_call(&mut self, request: &Request) -> Option<(u16, Value)> {
        self.send_raw(&request.to_bytes()).ok()?;
        let text = String::from_utf8(self.read_to_end()).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.get(9..12)?.parse().ok()?;
        Some((status, serde_json::from_str(body).ok()?))
    }

    /// Whether the whole request went out.
    pub(crate) fn try_send(&mut self, request: &Request) -> bool {
        self.send_raw(&request.to_bytes()).is_ok()
    }

    /// The next answer as a whole, if it comes whole.
    pub(crate) fn try_read_response(&mut self) -> Option<Response> {
        let head = self.read_head()?;
        let mut body = vec![0; head.header("Content-Length")?.parse().ok()?];
        self.reader.read_exact(&mut body).ok()?;
        Some(Response { head, body })
    }

    /// Bytes as they are. Fails if the server closed already.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// One exchange; the connection can be used again.
    pub(crate) fn call(&mut self, request: &Request) -> Response {
        self.send(request);
        self.read(request)
    }

    /// As [`Connection::call`] for thousands of calls: the answer is not compared with `openapi.json`.
    pub(crate) fn call_lightly(&mut self, request: &Request) -> Response {
        self.send(request);
        self.read_whole(request)
    }

    pub(crate) fn send(&mut self, request: &Request) {
        self.send_raw(&request.to_bytes()).expect("the request is read");
    }

    /// The answer to `request`, which was sent before.
    pub(crate) fn read(&mut self, request: &Request) -> Response {
        let response = self.read_whole(request);
        openapi::check(&request.method, request.path(), &response);
        response
    }

    fn read_whole(&mut self, request: &Request) -> Response {
        let head = self.read_head().expect("an answer");
        let is_bodyless = request.method == "HEAD" || [204, 304].contains(&head.status);
        let body = if is_bodyless { Vec::new() } else { self.read_body(&head) };
        Response { head, body }
    }

    /// Sends `request` and reads the head of an event stream; any other answer is the error.
    pub(crate) fn stream(self, request: &Request) -> Result<EventStream, Response> {
        self.try_stream(request).expect("an answer")
    }

    /// As [`Connection::stream`]; none if the server died before the head came whole.
    pub(crate) fn try_stream(mut self, request: &Request) -> Option<Result<EventStream, Response>> {
        self.send_raw(&request.to_bytes()).ok()?;
        let head = self.read_head()?;
        let is_stream =
            head.header("Content-Type").is_some_and(|media_type| media_type == "text/event-stream; charset=utf-8");
        if head.status != 200 || !is_stream {
            let body = self.read_body(&head);
            let response = Response { head, body };
            openapi::check(&request.method, request.path(), &response);
            return Some(Err(response));
        }
        openapi::check_head(&request.method, request.path(), &head);
        Some(Ok(EventStream::new(self, head)))
    }

    /// A head, or none if the connection ended before its end.
    pub(crate) fn read_head(&mut self) -> Option<Head> {
        let status_line = self.read_line()?;
        let (version, rest) = status_line.split_once(' ').expect("a status line");
        assert!(version.starts_with("HTTP/1."), "{status_line:?}");
        let status = rest.get(..3).and_then(|code| code.parse().ok()).expect("a status");
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Some(Head { status, headers });
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line:?}"));
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// The body that `head` announces.
    pub(crate) fn read_body(&mut self, head: &Head) -> Vec<u8> {
        if head.header("Transfer-Encoding") == Some("chunked") {
            let mut body = Vec::new();
            while let Some(chunk) = self.read_chunk().expect("chunks to the last one") {
                body.extend(chunk);
            }
            return body;
        }
        let mut body = Vec::new();
        match head.header("Content-Length") {
            Some(length) => {
                body.resize(length.parse().expect("a length"), 0);
                self.reader.read_exact(&mut body).expect("the whole body");
            }
            None => {
                self.reader.read_to_end(&mut body).expect("a body to the end");
            }
        }
        body
    }

    /// The next chunk; none after the last one; an error if the connection ends before it.
    pub(crate) fn read_chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let size = self.read_line().ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("no chunk size: {size:?}"));
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk)?;
        assert!(chunk.ends_with(b"\r\n"), "a chunk without its end");
        chunk.truncate(size);
        Ok((size > 0).then_some(chunk))
    }

    /// Everything until the server closes.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset after the answer is an end too: the server does not read what it refused.
        let _ = self.reader.read_to_end(&mut bytes);
        bytes
    }

    /// Whether the server has closed this connection, waiting for it.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.reader.fill_buf() {
            Ok(rest) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// Whether the server has closed this connection by now.
    pub(crate) fn was_closed(&self) -> bool {
        let socket = self.reader.get_ref();
        socket.set_nonblocking(true).expect("an open socket");
        let seen = socket.peek(&mut [0]);
        socket.set_nonblocking(false).expect("an open socket");
        match seen {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// Whether nothing comes for so long.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.reader.get_ref().set_read_timeout(Some(time)).expect("a read timeout");
        let is_silent = self.reader.fill_buf().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        self.reader.get_ref().set_read_timeout(Some(CEILING)).expect("a read timeout");
        is_silent
    }

    /// Acknowledges as late as a client may: then a write that waits for it is seen to wait (Nagle's algorithm).
    pub(crate) fn acknowledge_late(&self) {
        socket2::SockRef::from(self.reader.get_ref()).set_tcp_quickack(false).expect("TCP_QUICKACK");
    }

    /// Leaves without a word, as a browser does when its tab is closed.
    pub(crate) fn leave(self) {
        let _ = self.reader.get_ref().shutdown(Shutdown::Both);
    }

    /// Ends the sending direction alone.
    pub(crate) fn finish_sending(&self) {
        self.reader.get_ref().shutdown(Shutdown::Write).expect("shutdown");
    }

    fn read_line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("reading a line: {error}"),
            Ok(_) if !line.ends_with(b"\n") => return None,
            Ok(_) => {}
        }
        assert!(line.ends_with(b"\r\n"), "a line without CRLF: {:?}", String::from_utf8_lossy(&line));
        line.truncate(line.len() - 2);
        Some(String::from_utf8(line).expect("a head in UTF-8"))
    }
}
