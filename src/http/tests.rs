//! The front with a small handler behind it, over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use rouille::Response;
use serde_json::json;

use super::intake::{READ_BYTES, READS_MAX};
use super::*;

const HANG: Duration = Duration::from_secs(20);

struct Site {
    address: SocketAddr,
    handle: FrontHandle,
    thread: Option<JoinHandle<()>>,
}

fn settings() -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        workers: 4,
        generations: 4,
        commits: 4,
        connections_max: 200,
        connections_per_address_max: 200,
        trusted_proxies: TrustedProxies::default(),
        head_timeout: HANG,
        body_timeout: HANG,
        idle_timeout: HANG,
        write_timeout: HANG,
        body_bytes_max: 1000,
    }
}

impl Site {
    fn start(settings: Settings, handler: impl Fn(Request, Responder) + Send + Sync + 'static) -> Self {
        let front = Front::bind(settings).unwrap();
        let (address, handle) = (front.local_addr(), front.handle());
        let handler = move |request, responder| {
            handler(request, responder);
            None
        };
        let thread = std::thread::spawn(move || front.run(handler).unwrap());
        Self { address, handle, thread: Some(thread) }
    }

    /// Answers with the path and the body.
    fn echo(settings: Settings) -> Self {
        Self::start(settings, |request, responder| {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            responder.send(Response::text(format!("{} {body}", request.http.raw_url())));
        })
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(HANG)).unwrap();
        socket
    }

    fn say(&self, text: &str) -> TcpStream {
        let mut socket = self.connect();
        socket.write_all(text.as_bytes()).unwrap();
        socket
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.handle.drain();
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn rest(mut socket: TcpStream) -> String {
    let mut text = Vec::new();
    socket.read_to_end(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// Reads until `end` has come.
fn until(socket: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(end.as_bytes()) {
        assert_eq!(socket.read(&mut byte).unwrap(), 1, "closed after {:?}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

const GET: &str = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_connection_serves_one_request_after_another() {
    let site = Site::echo(settings());
    let mut socket = site.connect();
    for _ in 0..20 {
        socket.write_all(GET.as_bytes()).unwrap();
        assert!(until(&mut socket, "/x ").starts_with("HTTP/1.1 200 OK\r\n"));
    }
    socket.write_all(b"POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").unwrap();
    until(&mut socket, "/y hello");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let site = Site::echo(settings());
    let requests: String = (0..50).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    let mut socket = site.say(&requests);
    for n in 0..50 {
        until(&mut socket, &format!("\r\n\r\n/{n} "));
    }
}

#[test]
fn a_burst_of_clients_is_answered_to_the_last() {
    let site = Site::echo(settings());
    let mut sockets: Vec<_> = (0..150).map(|_| site.say(GET)).collect();
    for socket in &mut sockets {
        until(socket, "/x ");
    }
}

#[test]
fn chunked_bodies_and_expectations_are_understood() {
    let site = Site::echo(settings());
    let mut socket =
        site.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(until(&mut socket, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n").unwrap();
    until(&mut socket, "/ hello");
}

/// Then nothing more comes that would wake anybody.
#[test]
fn a_request_that_ends_with_the_last_read_of_a_turn_is_answered() {
    let site = Site::echo(settings());
    let of_a_turn = READS_MAX * READ_BYTES;
    let head = |body_bytes| format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {body_bytes}\r\n\r\n");
    for bytes in of_a_turn - 1..=of_a_turn + 1 {
        let body = "x".repeat(bytes - head(100).len());
        let request = head(body.len()) + &body;
        assert_eq!(request.len(), bytes);
        let answer = until(&mut site.say(&request), "xxx");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[test]
fn what_comes_too_slowly_is_told_so() {
    let brief = Duration::from_millis(50);
    let site = Site::echo(Settings { head_timeout: brief, body_timeout: brief, ..settings() });
    let slow_head = rest(site.say("GET / HTT"));
    assert!(slow_head.starts_with("HTTP/1.1 408 "), "{slow_head}");
    let slow_body = rest(site.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhe"));
    assert!(slow_body.starts_with("HTTP/1.1 408 "), "{slow_body}");
    assert!(slow_body.contains("\"code\":\"invalid_request\""), "{slow_body}");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let site = Site::echo(Settings { idle_timeout: Duration::from_millis(50), ..settings() });
    assert_eq!(rest(site.connect()), "");
}

#[test]
fn a_body_too_large_is_refused_without_being_read() {
    let site = Site::echo(settings());
    let declared = rest(site.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000000\r\n\r\n"));
    assert!(declared.starts_with("HTTP/1.1 413 "), "{declared}");
    assert!(declared.contains("\r\nConnection: close\r\n"), "{declared}");
    let counted = rest(site.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3E9\r\n"));
    assert!(counted.starts_with("HTTP/1.1 413 "), "{counted}");
}

#[test]
fn a_handler_that_panics_answers_500_and_the_pool_lives_on() {
    let site = Site::start(settings(), |request, responder| {
        assert!(request.http.raw_url() != "/panic", "as the test wants it");
        responder.send(Response::text("fine"));
    });
    for _ in 0..10 {
        let text = rest(site.say("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(text.starts_with("HTTP/1.1 500 ") && text.contains("\"code\":\"internal\""), "{text}");
    }
    until(&mut site.say(GET), "fine");
}

#[test]
fn at_the_cap_the_longest_idle_makes_room() {
    let site = Site::echo(Settings { connections_max: 3, ..settings() });
    let mut held: Vec<_> = (0..3).map(|_| site.connect()).collect();
    // It was the first, and is now the last that said anything; or still counts as being answered, which spares it too.
    held[0].write_all(GET.as_bytes()).unwrap();
    until(&mut held[0], "/x ");
    until(&mut site.say(GET), "/x ");
    let is_closed = |socket: &TcpStream| {
        socket.set_nonblocking(true).unwrap();
        let closed = socket.peek(&mut [0]).is_ok_and(|bytes| bytes == 0);
        socket.set_nonblocking(false).unwrap();
        closed
    };
    let closed: Vec<_> = (0..3).filter(|&n| is_closed(&held[n])).collect();
    assert_eq!(closed, [1]);
    for n in [0, 2] {
        held[n].write_all(GET.as_bytes()).unwrap();
        until(&mut held[n], "/x ");
    }
}

#[test]
fn an_address_has_its_own_cap() {
    let site = Site::echo(Settings { connections_per_address_max: 2, ..settings() });
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut socket = site.say(GET);
            until(&mut socket, "/x ");
            socket
        })
        .collect();
    let text = rest(site.connect());
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("\r\nRetry-After: 1\r\n"), "{text}");
    drop(held);
    let deadline = Instant::now() + HANG;
    while !rest(site.say("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).starts_with("HTTP/1.1 200 ") {
        assert!(Instant::now() < deadline, "the places were never given back");
    }
}

#[test]
fn who_never_reads_holds_no_worker() {
    let site = Site::start(settings(), |_, responder| responder.send(Response::text("x".repeat(1_000_000))));
    // More than all workers, each with more answers under way than sockets can buffer.
    let greedy: Vec<_> = (0..12).map(|_| site.say(&GET.repeat(30))).collect();
    let mut socket = site.say(GET);
    until(&mut socket, "\r\n\r\nx");
    drop(greedy);
}

#[test]
fn events_leave_one_by_one_and_a_client_that_left_is_noticed() {
    let (told, seen) = mpsc::channel::<&str>();
    let (gate, open) = mpsc::channel::<()>();
    let told = parking_lot::Mutex::new(told);
    let open = parking_lot::Mutex::new(open);
    let site = Site::start(settings(), move |_, responder| {
        let stream = responder.stream(Response::text("").with_unique_header("Content-Type", "text/event-stream"));
        stream.queue("token", &json!({"n": 1}));
        stream.flush().unwrap();
        open.lock().recv().unwrap();
        stream.queue("token", &json!({"n": 2}));
        stream.flush().unwrap();
        let deadline = Instant::now() + HANG;
        while stream.tick().is_ok() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        told.lock().send("gone").unwrap();
    });
    let mut socket = site.say(GET);
    let head = until(&mut socket, "\r\n\r\n");
    assert!(head.contains("\r\nTransfer-Encoding: chunked\r\n"), "{head}");
    assert_eq!(until(&mut socket, "\n\n\r\n"), "1c\r\nevent: token\ndata: {\"n\":1}\n\n\r\n");
    gate.send(()).unwrap();
    assert_eq!(until(&mut socket, "\n\n\r\n"), "1c\r\nevent: token\ndata: {\"n\":2}\n\n\r\n");
    drop(socket);
    assert_eq!(seen.recv_timeout(HANG), Ok("gone"));
}

#[test]
fn a_finished_stream_leaves_the_connection_usable_and_http_1_0_ends_by_close() {
    let site = Site::start(settings(), |_, responder| {
        let stream = responder.stream(Response::text(""));
        stream.queue("done", &json!({}));
        stream.finish().unwrap();
    });
    let mut socket = site.say(GET);
    until(&mut socket, "0\r\n\r\n");
    socket.write_all(GET.as_bytes()).unwrap();
    until(&mut socket, "0\r\n\r\n");
    let old = rest(site.say("GET / HTTP/1.0\r\n\r\n"));
    assert!(old.ends_with("\r\n\r\nevent: done\ndata: {}\n\n"), "{old}");
}

#[test]
fn draining_ends_what_is_idle_and_lets_the_rest_finish() {
    let (gate, open) = mpsc::channel::<()>();
    let open = parking_lot::Mutex::new(open);
    let (told, begun) = mpsc::channel::<()>();
    let told = parking_lot::Mutex::new(told);
    let mut site = Site::start(settings(), move |_, responder| {
        told.lock().send(()).unwrap();
        open.lock().recv().unwrap();
        responder.send(Response::text("done"));
    });
    let idle = site.connect();
    let running = site.say(GET);
    begun.recv_timeout(HANG).unwrap();
    site.handle.drain();
    assert_eq!(rest(idle), "");
    let deadline = Instant::now() + HANG;
    while TcpStream::connect(site.address).is_ok() {
        assert!(Instant::now() < deadline, "still accepting");
    }
    gate.send(()).unwrap();
    let text = rest(running);
    assert!(text.contains("\r\nConnection: close\r\n") && text.ends_with("done"), "{text}");
    site.thread.take().unwrap().join().unwrap();
}
