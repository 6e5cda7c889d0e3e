use proptest::prelude::*;

use super::*;

/// What becomes of these bytes, given at once.
fn read(bytes: &[u8]) -> Result<Option<Head>, WireError> {
    match Scan::default().end(bytes)? {
        Some(end) => parse(&bytes[..end], 65_536).map(Some),
        None => Ok(None),
    }
}

fn refused(bytes: impl AsRef<[u8]>, expected: WireError) {
    let bytes = bytes.as_ref();
    assert_eq!(read(bytes), Err(expected), "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
}

fn with(headers: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

fn accepted(text: &str) -> Head {
    read(text.as_bytes()).unwrap().unwrap()
}

#[test]
fn a_plain_request_is_read() {
    let head = accepted("GET /a?b=c HTTP/1.1\r\nHost: example.com:8080\r\nX-Some:  thing \r\n\r\nrest");
    assert_eq!(head.method, Method::Get);
    assert_eq!(head.target, "/a?b=c");
    assert_eq!(head.headers[1], ("X-Some".into(), "thing".into()));
    assert_eq!(head.body, Framing::None);
    assert!(head.keep_alive && !head.expects_continue);
    assert_eq!(head.bytes, "GET /a?b=c HTTP/1.1\r\nHost: example.com:8080\r\nX-Some:  thing \r\n\r\n".len());
}

#[test]
fn an_incomplete_head_is_waited_for() {
    for part in [
        "",
        "G",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r",
    ] {
        assert_eq!(read(part.as_bytes()), Ok(None), "{part:?}");
    }
}

#[test]
fn request_lines_are_exact() {
    for line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 x",
        "GET / a HTTP/1.1",
        "/ HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/11",
        "GET / HTTP/1.1 ",
    ] {
        refused(format!("{line}\r\nHost: a\r\n\r\n"), WireError::RequestLine);
    }
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", WireError::Version);
    refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", WireError::Version);
    refused("GET / HTTP/1.2\r\nHost: a\r\n\r\n", WireError::Version);
    for method in ["get", "FOO", "GETX", "M-SEARCH"] {
        refused(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"), WireError::Method);
    }
    refused(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", WireError::RequestLine);
    refused("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", WireError::RequestLine);
}

#[test]
fn targets_are_paths() {
    refused("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", WireError::Target);
    refused("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", WireError::Target);
    for target in ["a", "a/b", "http://", "http:///x", "ftp://a/", "/a#b", "/a\"b", "?a", "http://a?b"] {
        refused(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"), WireError::Target);
    }
    let target = |target: &str| accepted(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).target;
    assert_eq!(target("http://example.com/x?y"), "/x?y");
    assert_eq!(target("HTTP://example.com"), "/");
    refused(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(8192)), WireError::TargetTooLong);
    refused(format!("GET /{}", "a".repeat(9000)), WireError::TargetTooLong);
}

#[test]
fn lines_end_in_cr_lf_and_hold_plain_characters() {
    for bytes in [
        &b"GET / HTTP/1.1\nHost: a\n\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\0\r\n\r\n",
        b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ] {
        refused(bytes, WireError::Octet);
    }
    refused("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", WireError::FoldedHeader);
    refused("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", WireError::FoldedHeader);
    for header in ["Name : x", "Na me: x", "no colon", ": x", "Näme: x"] {
        let text = with(&format!("{header}\r\nContent-Length: 0\r\n"));
        assert!(
            matches!(read(text.as_bytes()), Err(WireError::Header | WireError::Octet | WireError::RequestLine)),
            "{header}"
        );
    }
}

#[test]
fn there_is_exactly_one_host() {
    refused("GET / HTTP/1.1\r\n\r\n", WireError::Host);
    refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", WireError::Host);
    refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", WireError::Host);
    refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", WireError::Host);
    refused("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", WireError::Host);
    assert!(!accepted("GET / HTTP/1.0\r\n\r\n").keep_alive);
    refused("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", WireError::Host);
}

#[test]
fn a_body_has_one_length_that_is_a_number() {
    refused(with("Content-Length: 5\r\nContent-Length: 5\r\n"), WireError::TwoLengths);
    refused(with("Content-Length: 5\r\ncontent-length: 6\r\n"), WireError::TwoLengths);
    for length in ["", "-1", "+3", "0x3", "5, 5", "5 5", "1234567890123", "١", "1e3", "5;"] {
        let text = with(&format!("Content-Length: {length}\r\n"));
        assert!(matches!(read(text.as_bytes()), Err(WireError::Length | WireError::Octet)), "{length}");
    }
    refused(with("Content-Length: 65537\r\n"), WireError::BodyTooLarge);
    refused(with("Content-Length: 30000000000\r\n"), WireError::BodyTooLarge);
    assert_eq!(accepted(&with("Content-Length: 65536\r\n")).body, Framing::Length(65_536));
    assert_eq!(accepted(&with("Content-Length: 0\r\n")).body, Framing::None);
    refused(with(""), WireError::LengthRequired);
}

#[test]
fn the_only_coding_is_one_chunked() {
    refused(with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), WireError::LengthAndCoding);
    for coding in
        ["gzip", "gzip, chunked", "chunked, chunked", "identity", "xchunked", "chunked;q=1", "\"chunked\"", ""]
    {
        refused(with(&format!("Transfer-Encoding: {coding}\r\n")), WireError::Coding);
    }
    refused(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), WireError::Coding);
    refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", WireError::Coding);
    assert_eq!(accepted(&with("Transfer-Encoding: Chunked\r\n")).body, Framing::Chunked);
}

#[test]
fn expectations_and_upgrades() {
    assert!(accepted(&with("Expect: 100-Continue\r\nContent-Length: 5\r\n")).expects_continue);
    refused(with("Expect: a miracle\r\nContent-Length: 5\r\n"), WireError::Expectation);
    refused(with("Upgrade: websocket\r\nContent-Length: 5\r\n"), WireError::UpgradeWithBody);
    assert!(!accepted("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").keep_alive);
}

#[test]
fn heads_are_bounded() {
    let many = "X: y\r\n".repeat(64);
    refused(format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), WireError::HeadTooLarge);
    assert_eq!(accepted(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(63))).headers.len(), 64);
    refused(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(17_000)), WireError::HeadTooLarge);
    refused(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(17_000)), WireError::HeadTooLarge);
}

proptest! {
    /// However the bytes come in, the verdict is the same.
    #[test]
    fn the_end_is_found_alike_in_pieces(cuts in prop::collection::vec(1_usize..20, 1..20)) {
        let text = b"POST /x HTTP/1.1\r\nHost: a\r\nX-Long: some value here\r\nContent-Length: 5\r\n\r\nhello";
        let whole = Scan::default().end(text).unwrap();
        let mut scan = Scan::default();
        let mut have = 0;
        let mut found = None;
        for cut in cuts.iter().cycle() {
            have = (have + cut).min(text.len());
            found = scan.end(&text[..have]).unwrap();
            if found.is_some() || have == text.len() {
                break;
            }
        }
        prop_assert_eq!(found, whole);
    }

    /// Nothing that comes in makes it panic.
    #[test]
    fn any_bytes_get_a_verdict(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let mut text = b"GET / HTTP/1.1\r\n".to_vec();
        text.extend(bytes);
        text.extend(b"\r\n\r\n");
        let _ = read(&text);
    }
}
