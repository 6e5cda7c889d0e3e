//! What took other servers' fronts down, replayed against this one: the defects for which `src/http/` exists.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::fake_model::{Step, done, finish, head, last_chunk, token};
use crate::support::client::Request;
use crate::support::site::Site;
use crate::support::wait_until;

#[test]
fn sixty_four_keep_alive_clients_at_once_are_all_answered() {
    let site = Site::start();
    let mut connections: Vec<_> = (0..64).map(|_| site.connect()).collect();
    for _ in 0..3 {
        connections.iter_mut().for_each(|connection| connection.send(&Request::get("/healthz")));
        for connection in &mut connections {
            connection.read(&Request::get("/healthz")).expect(200);
        }
    }
}

#[test]
fn thirty_gigabytes_declared_and_not_sent_abort_nothing() {
    let site = Site::start();
    let before = site.server.memory_kib("VmPeak");
    for _ in 0..20 {
        let mut connection = site.connect();
        connection.send_raw(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000000\r\n\r\n").unwrap();
        assert_eq!(connection.read_head().unwrap().status, 413);
        connection.leave();
    }
    site.get("/healthz").expect(200);
    // Each thread that allocates for the first time may reserve 64 MiB; what was declared is far more.
    let grown = site.server.memory_kib("VmPeak") - before;
    assert!(grown < 8 * 1024 * 1024, "{grown} KiB");
}

#[test]
fn fifty_request_lines_of_http_2_lose_no_thread_and_no_descriptor() {
    let site = Site::start();
    site.get("/healthz").expect(200);
    let (threads, descriptors) = (site.server.threads(), site.server.descriptors());
    for _ in 0..50 {
        let mut connection = site.connect();
        connection.send_raw(b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n").unwrap();
        let answer = connection.read_to_end();
        assert!(answer.starts_with(b"HTTP/1.1 505 "), "{}", String::from_utf8_lossy(&answer));
    }
    wait_until("the descriptors are free again", || site.server.descriptors() <= descriptors);
    assert_eq!(site.server.threads(), threads);
}

/// See also `front`, where `accept` itself is made to fail.
#[test]
fn connections_that_are_reset_before_they_are_accepted_end_nothing() {
    let site = Site::start();
    for _ in 0..300 {
        let socket = TcpStream::connect(site.address()).unwrap();
        // Closing now sends a reset.
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
    site.get("/healthz").expect(200);
}

#[test]
fn stalled_bodies_stop_no_worker() {
    let site = Site::with(|config| {
        config.set("server", "workers", 2);
    });
    let mut stalled: Vec<_> = (0..64).map(|_| site.connect()).collect();
    for connection in &mut stalled {
        let body = "x".repeat(2000);
        let head = "POST /v1/widget/init HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
        connection.send_raw(format!("{head}{body}").as_bytes()).unwrap();
    }
    for _ in 0..20 {
        site.get("/healthz").expect(200);
        site.init("demo");
    }
    site.init("demo").ask("Hello").done();
}

#[test]
fn requests_that_are_pipelined_and_never_read_cost_no_memory_and_no_worker() {
    const REQUESTS: usize = 400_000;
    let site = Site::with(|config| {
        config.set("server", "workers", 2);
    });
    site.get("/healthz").expect(200);
    let (threads, before) = (site.server.threads(), site.server.memory_kib("VmRSS"));
    let mut socket = TcpStream::connect(site.address()).unwrap();
    // Once nothing moves for so long, the server has stopped reading.
    socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let requests = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let stopped = (0..REQUESTS / 1000).find_map(|_| socket.write_all(requests.as_bytes()).err());
    let kind = stopped.expect("no server takes all of them").kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind}");
    for _ in 0..20 {
        site.get("/healthz").expect(200);
    }
    let grown = site.server.memory_kib("VmRSS").saturating_sub(before);
    assert!(grown < 10 * 1024, "{grown} KiB");
    assert_eq!(site.server.threads(), threads);
}

#[test]
fn tokens_that_are_20_ms_apart_arrive_apart() {
    const TOKENS: usize = 100;
    let site = Site::start();
    let spoken = (0..TOKENS).flat_map(|_| [Step::Pause(Duration::from_millis(20)), token("word ")]);
    site.model.script([vec![head()], spoken.collect(), vec![finish("stop"), done(), last_chunk()]].concat());
    let turn = site.init("demo").ask("Slowly, please");
    let received: Vec<_> =
        turn.events.iter().filter(|event| event.name == "token").map(|event| event.received).collect();
    assert_eq!(received.len(), TOKENS);
    let mut gaps: Vec<_> = received.windows(2).map(|pair| pair[1].duration_since(pair[0])).collect();
    gaps.sort();
    assert!(gaps[TOKENS / 2] > Duration::from_millis(10), "the median of {gaps:?}");
}
