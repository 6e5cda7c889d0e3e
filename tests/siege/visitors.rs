//! Those who only want to be served: one after another, each on a connection of its own, from an address of its own.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::besiegers::connect_from;

/// No besieger comes from here.
const ADDRESS: [u8; 4] = [127, 99, 0, 1];
const BETWEEN: Duration = Duration::from_millis(5);
/// Longer than anyone waits.
const PATIENCE: Duration = Duration::from_secs(10);

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const INIT: &str = "POST /v1/widget/init HTTP/1.1\r\nHost: a\r\nConnection: close\r\nOrigin: https://a.example\r\n\
                    Content-Type: application/json\r\n\
                    Content-Length: 19\r\n\r\n{\"agent_id\":\"demo\"}";

/// How long one kind of request took, from `connect` to the last byte of the answer.
#[derive(Default)]
pub(crate) struct Waits {
    waits: Vec<Duration>,
    pub(crate) failed: usize,
    /// The last of them.
    pub(crate) failure: String,
}

impl Waits {
    pub(crate) fn count(&self) -> usize {
        self.waits.len()
    }

    /// Zero if there was none.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let last = self.waits.len().saturating_sub(1);
        self.waits.get(last * percent / 100).copied().unwrap_or_default()
    }

    fn add(&mut self, result: io::Result<Duration>) {
        match result {
            Ok(wait) => self.waits.push(wait),
            Err(error) => {
                self.failed += 1;
                self.failure = error.to_string();
            }
        }
    }
}

pub(crate) struct Visitors(JoinHandle<[(&'static str, Waits); 2]>);

impl Visitors {
    pub(crate) fn start(server: SocketAddr, time: Duration) -> Self {
        Self(std::thread::spawn(move || {
            let (mut healthz, mut init) = (Waits::default(), Waits::default());
            let end = Instant::now() + time;
            while Instant::now() < end {
                healthz.add(visit(server, HEALTHZ));
                init.add(visit(server, INIT));
                std::thread::sleep(BETWEEN);
            }
            healthz.waits.sort();
            init.waits.sort();
            [("healthz", healthz), ("init", init)]
        }))
    }

    /// What they saw, sorted.
    pub(crate) fn finish(self) -> [(&'static str, Waits); 2] {
        self.0.join().expect("the visitors do not panic")
    }
}

fn visit(server: SocketAddr, request: &str) -> io::Result<Duration> {
    let begun = Instant::now();
    let mut socket = connect_from(ADDRESS, server, None)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        Ok(begun.elapsed())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&answer[..answer.len().min(300)]).into_owned()))
    }
}
