//! The web site on which the widget stands: what it answers at each path is up to the test, and may change.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// A whole answer, as it goes over the wire; the length is added.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    head: String,
    body: String,
}

impl Told {
    /// A status line's end and header lines, such as `200 OK\r\nContent-Type: text/html`.
    pub(crate) fn new(head: &str, body: &str) -> Self {
        Self { head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn html(body: &str) -> Self {
        Self::new("200 OK\r\nContent-Type: text/html; charset=utf-8", body)
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self::new(&format!("301 Moved Permanently\r\nLocation: {location}"), "")
    }

    /// With one more header.
    pub(crate) fn header(mut self, line: &str) -> Self {
        self.head = format!("{}\r\n{line}", self.head);
        self
    }

    fn to_bytes(&self) -> Vec<u8> {
        let Self { head, body } = self;
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
    }
}

/// A server of pages. Its thread ends with the process.
pub(crate) struct Web {
    address: SocketAddr,
    pages: Arc<Mutex<HashMap<String, Told>>>,
}

impl Web {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let pages: Arc<Mutex<HashMap<String, Told>>> = Arc::default();
        std::thread::spawn({
            let pages = pages.clone();
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let mut reader = BufReader::new(stream);
                    let lines = reader.by_ref().lines().map_while(Result::ok);
                    let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("/").to_owned();
                    let told = pages.lock().expect("no panic under this lock").get(&path).cloned();
                    let told = told.unwrap_or_else(|| Told::new("404 Not Found\r\nContent-Type: text/html", "nothing"));
                    let _ = reader.get_mut().write_all(&told.to_bytes());
                }
            }
        });
        Self { address, pages }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Sets what is at a path.
    pub(crate) fn tell(&self, path: &str, told: Told) {
        self.pages.lock().expect("no panic under this lock").insert(path.to_owned(), told);
    }
}
