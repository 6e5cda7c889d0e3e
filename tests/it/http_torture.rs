//! What no handler ever sees (RFC 9112): each refused with its status over a raw socket, the connection closed.
//!
//! Every case asks for a path of its own, and a request that reached a handler has its line in the log with its path.

use std::time::Duration;

use crate::support::client::{Request, Response};
use crate::support::openapi;
use crate::support::site::{Shared, Site};

pub(crate) static SITE: Shared = Shared::new(Site::start);

/// Sends `bytes` and reads the one answer to them, after which the server closes.
pub(crate) fn refusal(site: &Site, bytes: &[u8], what: &str) -> Response {
    let mut connection = site.connect();
    // It may have read enough before the end.
    let _ = connection.send_raw(bytes);
    let head = connection.read_head().unwrap_or_else(|| panic!("{what}: closed without an answer"));
    let body = connection.read_body(&head);
    assert!(connection.is_closed(), "{what}: the connection is still open");
    let response = Response { head, body };
    openapi::check_common("", &response.head);
    openapi::check_problem(&response);
    assert_eq!(response.must("Connection"), "close", "{what}");
    response
}

/// All of `cases` are refused, and none has reached a handler.
pub(crate) fn refuse_all(cases: &[(&str, u16, &str)]) {
    let bytes: Vec<_> = cases.iter().map(|(what, status, text)| (*what, *status, text.as_bytes().to_vec())).collect();
    refuse_all_bytes(&bytes);
}

pub(crate) fn refuse_all_bytes(cases: &[(&str, u16, Vec<u8>)]) {
    let site = SITE.get();
    for (what, status, bytes) in cases {
        let response = refusal(&site, bytes, what);
        let code = if *status == 413 { "body_too_large" } else { "invalid_request" };
        assert_eq!((response.status, response.code().as_str()), (*status, code), "{what}\n{}", response.text());
    }
    nothing_was_handled(&site);
}

/// The log has the line of a request that was sent last, and none of `/torture`.
pub(crate) fn nothing_was_handled(site: &Site) {
    let id = site.get("/healthz").must("X-Request-Id").to_owned();
    site.server.wait_for_line(&id);
    let printed = site.server.printed();
    let handled: Vec<_> =
        printed.lines().filter(|line| line.contains("/torture") && line.contains("status=")).collect();
    assert!(handled.is_empty(), "{handled:#?}");
}

#[test]
fn lengths_that_two_parsers_could_read_differently() {
    refuse_all(&[
        ("two lengths", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"),
        (
            "two equal lengths",
            400,
            "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        ),
        ("a list of lengths", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\n{}"),
        ("a negative length", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        ("a signed length", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n{ }"),
        ("a length in hex", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n{ }"),
        ("a length with a fraction", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 2.0\r\n\r\n{}"),
        ("an empty length", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n"),
        ("a length in words", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 1 0\r\n\r\n{}        "),
        ("13 digits", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n"),
        ("20 digits", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n"),
        ("a space before the colon", 400, "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length : 2\r\n\r\n{}"),
        ("no length", 411, "POST /torture HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("no length in 1.0", 411, "POST /torture HTTP/1.0\r\n\r\n"),
        (
            "a length on GET, twice",
            400,
            "GET /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 35\r\n\r\nGET /torture HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
    ]);
}

#[test]
fn codings_that_hide_a_request() {
    const SMUGGLED: &str = "0\r\n\r\nGET /torture HTTP/1.1\r\nHost: a\r\n\r\n";
    let with = |headers: &str| format!("POST /torture HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{SMUGGLED}").into_bytes();
    let in_1_0 = format!("POST /torture HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{SMUGGLED}").into_bytes();
    refuse_all_bytes(&[
        ("length and coding", 400, with("Content-Length: 5\r\nTransfer-Encoding: chunked")),
        ("coding and length", 400, with("Transfer-Encoding: chunked\r\nContent-Length: 5")),
        ("another coding", 501, with("Transfer-Encoding: gzip")),
        ("another coding first", 501, with("Transfer-Encoding: gzip, chunked")),
        ("chunked twice", 501, with("Transfer-Encoding: chunked, chunked")),
        ("chunked in two headers", 501, with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
        ("identity", 501, with("Transfer-Encoding: identity")),
        ("a look-alike", 501, with("Transfer-Encoding: xchunked")),
        ("a parameter", 501, with("Transfer-Encoding: chunked;q=1")),
        ("in quotes", 501, with("Transfer-Encoding: \"chunked\"")),
        ("a space before the colon", 400, with("Transfer-Encoding : chunked")),
        ("a vertical tab", 400, with("Transfer-Encoding: \x0bchunked")),
        ("in HTTP/1.0", 501, in_1_0),
    ]);
}

#[test]
fn chunks_that_are_malformed() {
    let with = |chunks: &str| {
        format!("POST /torture HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}").into_bytes()
    };
    refuse_all_bytes(&[
        ("no hex", 400, with("zz\r\n{}\r\n0\r\n\r\n")),
        ("a sign", 400, with("-2\r\n{}\r\n0\r\n\r\n")),
        ("a plus", 400, with("+2\r\n{}\r\n0\r\n\r\n")),
        ("0x", 400, with("0x2\r\n{}\r\n0\r\n\r\n")),
        ("no size", 400, with("\r\n{}\r\n0\r\n\r\n")),
        ("a space before", 400, with(" 2\r\n{}\r\n0\r\n\r\n")),
        ("a bare line feed", 400, with("2\n{}\r\n0\r\n\r\n")),
        ("longer than its size", 400, with("2\r\n{}x\r\n0\r\n\r\n")),
        ("without its end", 400, with("2\r\n{}0\r\n\r\n")),
        ("a size that overflows", 400, with("fffffffffffffffff\r\n{}\r\n0\r\n\r\n")),
        ("a size of 4 GB", 413, with("ffffffff\r\n{}\r\n0\r\n\r\n")),
    ]);
}

#[test]
fn heads_that_are_malformed() {
    refuse_all(&[
        ("bare line feeds", 400, "GET /torture HTTP/1.1\nHost: a\n\n"),
        ("one bare line feed", 400, "GET /torture HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"),
        ("a bare carriage return", 400, "GET /torture HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"),
        ("a NUL", 400, "GET /torture HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
        ("an escape", 400, "GET /torture HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\n\r\n"),
        ("a folded header", 400, "GET /torture HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"),
        ("a header folded by a tab", 400, "GET /torture HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n"),
        ("a first header folded", 400, "GET /torture HTTP/1.1\r\n Host: a\r\n\r\n"),
        ("four words", 400, "GET /torture x HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("two words", 400, "GET /torture\r\nHost: a\r\n\r\n"),
        ("two spaces", 400, "GET  /torture HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a tab between", 400, "GET\t/torture\tHTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a space at the end", 400, "GET /torture HTTP/1.1 \r\nHost: a\r\n\r\n"),
        ("a space at the start", 400, " GET /torture HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("umlauts in the target", 400, "GET /tortüre HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("umlauts in a header", 400, "GET /torture HTTP/1.1\r\nHost: a\r\nX: ü\r\n\r\n"),
        ("a header without a colon", 400, "GET /torture HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
        ("a header without a name", 400, "GET /torture HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"),
        ("a name with a space", 400, "GET /torture HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n"),
        ("no host", 400, "GET /torture HTTP/1.1\r\n\r\n"),
        ("two hosts", 400, "GET /torture HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("a host with a path", 400, "GET /torture HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        ("a control character in the target", 400, "GET /torture\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a delete in the target", 400, "GET /torture\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a relative target", 400, "GET torture HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("CONNECT", 400, "CONNECT torture:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("OPTIONS *", 400, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "an upgrade with a body",
            400,
            "POST /torture HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
        ),
        ("no version that there is", 400, "GET /torture HTTP/1.1.1\r\nHost: a\r\n\r\n"),
        ("another protocol", 400, "GET /torture HTTQ/1.1\r\nHost: a\r\n\r\n"),
        ("TLS", 400, "\x16\x03\x01\x02\0\x01\0\x01\u{7c}\x03\x03"),
        ("SSH", 400, "SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    ]);
}

#[test]
fn methods_and_versions_that_are_not_spoken() {
    refuse_all(&[
        ("an unknown method", 501, "BREW /torture HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a method in small letters", 501, "get /torture HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("WebDAV", 501, "PROPFIND /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        ("HTTP/2.0", 505, "GET /torture HTTP/2.0\r\nHost: a\r\n\r\n"),
        ("the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("HTTP/1.2", 505, "GET /torture HTTP/1.2\r\nHost: a\r\n\r\n"),
        ("HTTP/0.9", 505, "GET /torture HTTP/0.9\r\nHost: a\r\n\r\n"),
        (
            "another expectation",
            417,
            "POST /torture HTTP/1.1\r\nHost: a\r\nExpect: a-reply\r\nContent-Length: 2\r\n\r\n{}",
        ),
    ]);
}

#[test]
fn heads_and_bodies_that_are_too_large() {
    let headers = |n: usize| (1..n).map(|i| format!("X-{i}: y\r\n")).collect::<String>();
    let many = |n| format!("GET /torture HTTP/1.1\r\nHost: a\r\n{}\r\n", headers(n)).into_bytes();
    let wide = |n| format!("GET /torture HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(n)).into_bytes();
    let long = |n| format!("GET /torture?{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(n)).into_bytes();
    let declared = |n: u64| format!("POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: {n}\r\n\r\n").into_bytes();
    let mut counted = b"POST /torture HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..17 {
        counted.extend(format!("1000\r\n{}\r\n", "x".repeat(4096)).into_bytes());
    }
    refuse_all_bytes(&[
        ("65 headers", 431, many(65)),
        ("1000 headers", 431, many(1000)),
        ("17 KiB of head", 431, wide(17 * 1024)),
        ("a head without an end", 431, wide(1 << 20)),
        ("a target over 8 KiB", 414, long(8 * 1024)),
        ("a target without an end", 414, [b"GET /torture?", vec![b'y'; 1 << 20].as_slice()].concat()),
        ("64 KiB and a byte, declared", 413, declared(65_537)),
        ("30 GB, declared", 413, declared(30_000_000_000)),
        ("all digits, declared", 413, declared(999_999_999_999)),
        ("more than 64 KiB, in chunks", 413, counted),
    ]);
}

#[test]
fn what_is_just_small_enough_is_taken() {
    let site = SITE.get();
    let mut request = Request::get("/healthz");
    for n in 2..=64 {
        request = request.header(&format!("X-{n}"), "y");
    }
    site.call(&request).expect(200);
    site.call(&Request::get("/healthz").header("X", &"y".repeat(15 * 1024))).expect(200);
    site.get(&format!("/healthz?{}", "y".repeat(8 * 1024 - 9))).expect(200);
    let body = format!("{}{}", "{}", " ".repeat(65_534));
    let request = Request::new("POST", "/v1/widget/init").header("Content-Type", "application/json");
    assert_eq!(site.call(&request.body(body)).bad_fields(), ["agent_id"], "64 KiB are read");
}

#[test]
fn a_request_that_is_cut_short_is_none() {
    let site = SITE.get();
    for bytes in [
        "GET /tort",
        "GET /torture HTTP/1.1\r\nHost: a\r\n",
        "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{}",
        "POST /torture HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "POST /torture HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}",
    ] {
        let mut connection = site.connect();
        connection.send_raw(bytes.as_bytes()).unwrap();
        connection.finish_sending();
        let answer = connection.read_to_end();
        let is_refusal = answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 ");
        assert!(is_refusal, "{bytes:?}: {}", String::from_utf8_lossy(&answer));
    }
    nothing_was_handled(&site);
}

#[test]
fn what_follows_a_refused_request_is_never_read() {
    let site = SITE.get();
    let mut connection = site.connect();
    connection
        .send_raw(b"POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 0\r\n\r\nGET /torture HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let answer = String::from_utf8(connection.read_to_end()).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    nothing_was_handled(&site);
}

#[test]
fn a_slow_request_is_408() {
    let site = Site::with(|config| {
        config.text("server", "head_timeout", "300ms").text("server", "body_timeout", "300ms");
    });
    for bytes in [
        "GET /torture HTTP/1.1\r\nHost: a\r\n",
        "G",
        "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{}",
        "POST /torture HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ] {
        let response = refusal(&site, bytes.as_bytes(), bytes);
        response.refused(408, "invalid_request");
    }
    nothing_was_handled(&site);
}

#[test]
fn a_trickle_of_bytes_buys_no_time() {
    let site = Site::with(|config| {
        config.text("server", "head_timeout", "400ms");
    });
    let mut connection = site.connect();
    // A byte each 20 ms: 2 s in all, unless the server hangs up.
    let is_refused = b"GET /torture HTTP/1.1\r\n".iter().cycle().take(100).any(|byte| {
        std::thread::sleep(Duration::from_millis(20));
        connection.send_raw(&[*byte]).is_err()
    });
    let answer = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
    assert!(is_refused || answer.starts_with("HTTP/1.1 408 ") || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    nothing_was_handled(&site);
}

#[test]
fn none_of_it_takes_a_thread() {
    let site = Site::with(|config| {
        config.set("server", "workers", 1);
    });
    site.get("/healthz").expect(200);
    let threads = site.server.threads();
    // The clients neither read their answer nor hang up.
    let mut bad: Vec<_> = (0..120).map(|_| site.connect()).collect();
    for (n, connection) in bad.iter_mut().enumerate() {
        let message = match n % 4 {
            0 => {
                "POST /torture HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            }
            1 => "POST /torture HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\n",
            2 => "GET /torture HTTP/2.0\r\n\r\n",
            _ => "POST /torture HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        };
        connection.send_raw(message.as_bytes()).unwrap();
    }
    for _ in 0..20 {
        site.get("/healthz").expect(200);
    }
    assert_eq!(site.server.threads(), threads);
    refusal(&site, b"GET /torture HTTP/2.0\r\n\r\n", "after all of them").refused(505, "invalid_request");
    nothing_was_handled(&site);
}
