//! Connections: how long they live, in which order they are answered, how many there may be.

use std::time::{Duration, Instant};

use crate::support::CEILING;
use crate::support::client::{Connection, Request, Response};
use crate::support::site::{Shared, Site};

static SITE: Shared = Shared::new(Site::start);

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let site = Site::with(|config| {
        config.text("server", "idle_timeout", "300ms");
    });
    let mut connection = site.connect();
    connection.call(&Request::get("/healthz")).expect(200);
    assert_eq!(connection.read_to_end(), b"");
    assert_eq!(site.connect().read_to_end(), b"", "one that never asked too");
}

#[test]
fn requests_on_one_connection_are_answered_in_their_order() {
    let site = SITE.get();
    let mut connection = site.connect();
    let targets = ["/healthz", "/readyz", "/nothing", "/healthz?a", "/openapi.json"];
    let pipelined: String = targets.iter().map(|target| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    connection.send_raw(pipelined.as_bytes()).unwrap();
    let statuses: Vec<_> = targets.iter().map(|target| connection.read(&Request::get(target)).status).collect();
    assert_eq!(statuses, [200, 200, 404, 200, 200]);
}

#[test]
fn the_connection_is_closed_when_the_client_says_so() {
    let site = SITE.get();
    for request in [
        "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
    ] {
        let mut connection = site.connect();
        connection.send_raw(request.as_bytes()).unwrap();
        let response = connection.read(&Request::get("/healthz"));
        assert_eq!((response.status, response.must("Connection")), (200, "close"), "{request}");
        assert!(connection.is_closed(), "{request}");
    }
}

#[test]
fn an_absolute_target_is_taken_by_its_path() {
    let site = SITE.get();
    for target in ["http://widget.test/healthz", "https://a:1/healthz?b", "HTTP://A/healthz"] {
        let mut connection = site.connect();
        connection.send_raw(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(connection.read(&Request::get("/healthz")).status, 200, "{target}");
    }
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    let site = SITE.get();
    let mut connection = site.connect();
    connection
        .send_raw(b"POST /v1/widget/init HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .unwrap();
    assert_eq!(connection.read_head().unwrap().status, 100);
    connection.send_raw(b"{}").unwrap();
    let response = connection.read(&Request::new("POST", "/v1/widget/init"));
    assert_eq!(response.bad_fields(), ["agent_id"]);
}

#[test]
fn clients_that_never_finish_hold_nobody_up() {
    let site = SITE.get();
    let mut slow: Vec<_> = (0..100).map(|_| site.connect()).collect();
    for (n, connection) in slow.iter_mut().enumerate() {
        let begun: &[u8] = match n % 3 {
            0 => b"",
            1 => b"GET /healthz HTTP/1.1\r\nHo",
            _ => b"POST /v1/widget/init HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n{",
        };
        connection.send_raw(begun).unwrap();
    }
    for _ in 0..20 {
        site.get("/healthz").expect(200);
        site.init("demo");
    }
}

#[test]
fn an_address_has_so_many_connections_and_one_more_is_told() {
    let site = Site::with(|config| {
        config.set("server", "max_connections_per_address", 4);
    });
    let mut held: Vec<_> = (0..4).map(|_| site.connect()).collect();
    for connection in &mut held {
        connection.call(&Request::get("/healthz")).expect(200);
    }
    let mut fifth = site.connect();
    let head = fifth.read_head().expect("an answer");
    let body = fifth.read_body(&head);
    let response = Response { head, body };
    response.refused(503, "overloaded");
    assert!(fifth.is_closed());
    held.pop().unwrap().leave();
    wait_until_served(&site);
}

/// A place is free again once the server has seen that its client left.
fn wait_until_served(site: &Site) {
    let deadline = Instant::now() + CEILING;
    loop {
        let mut connection = Connection::open(site.address());
        let _ = connection.send_raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = connection.read_head();
        if head.is_some_and(|head| head.status == 200) {
            return;
        }
        assert!(Instant::now() < deadline, "the place is never free");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn past_the_cap_the_longest_idle_makes_room() {
    let site = Site::with(|config| {
        config.set("server", "max_connections", 16).set("server", "max_connections_per_address", 16);
    });
    let mut idle: Vec<_> = (0..16).map(|_| site.connect()).collect();
    for connection in &mut idle {
        connection.call(&Request::get("/healthz")).expect(200);
    }
    site.get("/healthz").expect(200);
    let closed: Vec<_> = (0..16).filter(|&n| idle[n].was_closed()).collect();
    // The server may learn a moment after its client that an answer has been written: then the next one idles longest.
    assert!(matches!(closed[..], [first] if first < 8), "one of the first has made room: {closed:?}");
    idle[15].call(&Request::get("/healthz")).expect(200);
}

#[test]
fn the_date_is_told_in_the_one_format() {
    let site = SITE.get();
    let response = site.get("/healthz");
    let date = response.must("Date");
    assert!(date.ends_with(" GMT") && date.len() == 29, "RFC 9110, section 5.6.7: {date}");
}

#[test]
fn no_thread_starts_after_the_start() {
    let site = Site::start();
    site.init("demo").ask("Hello").done();
    let before = site.server.threads();
    let gates: Vec<_> = (0..20).map(|_| site.model.will_hold(&["Well, "], &["yes."])).collect();
    let mut streams: Vec<_> = (0..20).map(|_| site.init("demo").open("Hello")).collect();
    for stream in &mut streams {
        stream.expect("start");
    }
    site.model.wait_for_requests(21);
    let idle: Vec<_> = (0..100).map(|_| site.connect()).collect();
    site.get("/healthz").expect(200);
    assert_eq!(site.server.threads(), before);
    gates.iter().for_each(|gate| gate.open());
    for stream in &mut streams {
        stream.rest().done();
    }
    drop(idle);
    assert_eq!(site.server.threads(), before);
}
