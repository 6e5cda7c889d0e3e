//! Messages that two HTTP parsers in a row have been seen to read differently: the families of published request-smuggling
//! work (CL.TE, TE.CL, TE.TE, TR, chunk extensions, line ends), each refused as `http_torture` refuses. And, so that this is
//! no proof that everything is refused, the unusual ones that have one meaning alone.

use crate::http_torture::{SITE, nothing_was_handled, refuse_all_bytes};
use crate::support::client::Request;

/// What a message that was cut off in another place than was meant would leave behind.
pub(crate) const HIDDEN: &str = "GET /torture HTTP/1.1\r\nHost: a\r\n\r\n";

fn refuse_each(status: u16, messages: impl IntoIterator<Item = String>) {
    let cases: Vec<_> = messages.into_iter().map(|text| (text.clone(), text.into_bytes())).collect();
    let cases: Vec<_> = cases.iter().map(|(what, bytes)| (what.as_str(), status, bytes.clone())).collect();
    refuse_all_bytes(&cases);
}

/// A POST with these header lines and a hidden request for a body.
pub(crate) fn with_headers(lines: &str) -> String {
    format!("POST /torture HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n0\r\n\r\n{HIDDEN}")
}

pub(crate) fn with_chunks(chunks: &str) -> String {
    format!("POST /torture HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{HIDDEN}")
}

#[test]
fn lines_that_begin_or_end_in_a_way_of_their_own() {
    refuse_each(
        400,
        [
            "\r\nGET /torture HTTP/1.1\r\nHost: a\r\n\r\n",
            "\n\nGET /torture HTTP/1.1\r\nHost: a\r\n\r\n",
            "\0GET /torture HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\n",
            "GET /torture HTTP/1.1\r\r\nHost: a\r\n\r\n",
            "GET /torture HTTP/1.1\n\rHost: a\n\r\n\r",
            "GET /torture HTTP/1.1\r\nHost: a\r\r\n\r\n",
            "GET /torture HTTP/1.1\r\nHost: a\r\n\n",
            "GET /torture HTTP/1.1\r\nHost: a\r\n\r\r\n",
            "GET /torture HTTP/1.1\r\nHost: a\n\n",
            "GET /torture HTTP/1.1\r\nHost: a\r\nX: y\x0b\r\n\r\n",
            "GET /torture HTTP/1.1\r\nHost: a\r\nX: y\x0cz\r\n\r\n",
            "GET /torture HTTP/1.1\r\nHost: a\r\nX: \u{85}\r\n\r\n",
            "GET /torture HTTP/1.1\r\n\r\nHost: a\r\n\r\n",
        ]
        .map(str::to_owned),
    );
}

#[test]
fn request_lines_that_are_almost_right() {
    let lines = [
        "GET\x0b/torture HTTP/1.1",
        "GET /torture\x0cHTTP/1.1",
        "GET /torture\tHTTP/1.1",
        "GET /torture  HTTP/1.1",
        "GET /torture HTTP/1.1 HTTP/1.1",
        "GET /torture HTTP/1.1\t",
        "GET /torture HTTP/1.1,",
        "GET /torture HTTP/1.10",
        "GET /torture HTTP/01.1",
        "GET /torture HTTP/11",
        "GET /torture HTTP/1,1",
        "GET /torture HTTP/1.",
        "GET /torture HTTP/",
        "GET /torture HTTP/+1.1",
        "GET /torture http/1.1",
        "GET /torture HTTP /1.1",
        "GET /torture RTSP/1.0",
        "GET /torture",
        "GET /torture ",
        "GET HTTP/1.1",
        "GET",
        "/torture HTTP/1.1",
        "GET /torture#fragment HTTP/1.1",
        "GET /torture?<x> HTTP/1.1",
        "GET \\torture HTTP/1.1",
        "GET ?torture HTTP/1.1",
        "GET * HTTP/1.1",
        "GET a:80 HTTP/1.1",
        "GET http:/torture HTTP/1.1",
        "GET http:///torture HTTP/1.1",
        "GET http://?torture HTTP/1.1",
        "GET http://a?/torture HTTP/1.1",
        "GET http://user@a/torture HTTP/1.1",
        "GET http://a:b:c/torture HTTP/1.1",
        "GET http://[::1/torture HTTP/1.1",
        "GET ftp://a/torture HTTP/1.1",
        "GET file:///torture HTTP/1.1",
        "CONNECT /torture HTTP/1.1",
    ];
    refuse_each(400, lines.map(|line| format!("{line}\r\nHost: a\r\n\r\n")));
    let methods = ["G", "GETS", "GET:", "G@T", "[GET]", "Get", "HTTP/1.1", "M-SEARCH", "SOURCE"];
    refuse_each(501, methods.map(|method| format!("{method} /torture HTTP/1.1\r\nHost: a\r\n\r\n")));
    refuse_each(501, ["A".repeat(4000) + " /torture HTTP/1.1\r\nHost: a\r\n\r\n"]);
    refuse_each(414, ["A".repeat(100_000) + " /torture HTTP/1.1\r\nHost: a\r\n\r\n"]);
    let versions = ["HTTP/0.9", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9", "HTTP/0.0"];
    refuse_each(505, versions.map(|version| format!("GET /torture {version}\r\nHost: a\r\n\r\n")));
}

#[test]
fn names_that_another_parser_might_repair() {
    let lines = [
        ": y",
        " : y",
        "X",
        "X y: z",
        "X\t: y",
        "X\0: y",
        "X(y): z",
        "X\"y\": z",
        "X/y: z",
        "[x]: y",
        "X=y: z",
        "X,y: z",
        "X;y: z",
        "X@y: z",
        "X\\y: z",
        "{x}: y",
        "<x>: y",
        "X?y: z",
        "\x7fX: y",
        "Xü: y",
        "X: \x7f",
        "X: a\0b",
    ];
    refuse_each(400, lines.map(|line| format!("GET /torture HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n")));
}

#[test]
fn hosts_that_name_two_places_or_none() {
    let lines = [
        "Host : a",
        "Host: a\r\nhost: a",
        "Host: a\r\nHost:",
        "Host: a,b",
        "Host: a b",
        "Host: a\tb",
        "Host: a;b",
        "Host: a@b",
        "Host: a#b",
        "Host: a?b",
        "Host: a/",
        "Host: a\\b",
        "Host: \"a\"",
        "Host: <a>",
        "Host: http://a",
        "Host: a:80:81",
        "Host: a:b",
        "Host: a:-1",
        "Host: ::1",
        "Host: [::1",
        "Host: [::1]x",
        "Host: [a]b:80",
        "Host:\r\n a",
        "X-Host: a",
    ];
    refuse_each(400, lines.map(|line| format!("GET /torture HTTP/1.1\r\n{line}\r\n\r\n")));
}

/// Header lines that another parser might take for a length.
pub(crate) const LENGTH_LINES: &[&str] = &[
    "Content-Length: 5\r\nCONTENT-LENGTH: 5",
    "Content-Length: 5\r\nContent-length: 6",
    "Content-Length: 0\r\nContent-Length: 5",
    "Content-Length\t: 5",
    "Content-Length\0: 5",
    "Content Length: 5",
    "X: y\nContent-Length: 5",
    "X: y\rContent-Length: 5",
];

/// Values of `Content-Length`.
pub(crate) const LENGTHS: &[&str] = &[
    "5,5",
    "5, 5",
    ",5",
    "5,",
    "5;",
    "5 5",
    "5\t5",
    "+5",
    "-0",
    "--5",
    "0x5",
    "05h",
    "5.0",
    "1e1",
    "5_0",
    "'5'",
    "\"5\"",
    "٥",
    "５",
    "NaN",
    "a",
    "5\x0b",
    "5\0",
    "4294967296000",
    "9223372036854775808",
    "\r\n 5",
];

#[test]
fn lengths_that_another_parser_might_round() {
    refuse_each(400, LENGTHS.iter().map(|value| with_headers(&format!("Content-Length: {value}"))));
    refuse_each(400, LENGTH_LINES.iter().map(|lines| with_headers(lines)));
    // Names that look like it are other headers.
    refuse_each(411, ["Content_Length: 5", "Content-Lengths: 5", "Length: 5"].map(with_headers));
}

/// Header lines that hold more than one coding.
pub(crate) const CODING_LINES: &[&str] = &[
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
    "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding:\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\ntransfer-encoding: identity",
];

/// Header lines that another parser might take for a coding.
pub(crate) const HIDDEN_CODING_LINES: &[&str] = &[
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding:\n chunked",
    "Transfer-Encoding: chunked\0",
    "Transfer-Encoding: chunked\x0b",
    "Transfer-Encoding: chu\0nked",
    "Transfer-Encoding\t: chunked",
    "Transfer-Encoding\0: chunked",
    "Transfer Encoding: chunked",
    "\x20Transfer-Encoding: chunked",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "Content-Length: 5\r\nTransfer-Encoding: cow",
    "Content-Length: 5\r\nTransfer-Encoding:",
    "Content-Length: 0\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: chunked\r\nUpgrade: h2c",
];

/// Values of `Transfer-Encoding`.
pub(crate) const CODINGS: &[&str] = &[
    "",
    ",",
    "chunked,",
    ",chunked",
    "chunked, identity",
    "identity, chunked",
    "chunked chunked",
    "chunked;",
    "chunked;a=b",
    "'chunked'",
    "x-chunked",
    "chunkedx",
    "chunk",
    "cow",
    "chunked, cow",
    "cow, chunked",
    "deflate, chunked",
    "trailers",
];

#[test]
fn codings_that_another_parser_might_not_see() {
    refuse_each(501, CODINGS.iter().map(|value| with_headers(&format!("Transfer-Encoding: {value}"))));
    refuse_each(501, CODING_LINES.iter().map(|lines| with_headers(lines)));
    refuse_each(400, HIDDEN_CODING_LINES.iter().map(|lines| with_headers(lines)));
    // Names that look like it are other headers.
    refuse_each(411, ["Transfer_Encoding: chunked", "TE: chunked", "Content-Encoding: chunked"].map(with_headers));
}

/// Bodies in chunks.
pub(crate) const CHUNKS: &[&str] = &[
    "2 \r\n{}\r\n0\r\n\r\n",
    "2\t\r\n{}\r\n0\r\n\r\n",
    "2 2\r\n{}\r\n0\r\n\r\n",
    "2,2\r\n{}\r\n0\r\n\r\n",
    "2.0\r\n{}\r\n0\r\n\r\n",
    "2h\r\n{}\r\n0\r\n\r\n",
    "_2\r\n{}\r\n0\r\n\r\n",
    "２\r\n{}\r\n0\r\n\r\n",
    "0x0\r\n\r\n",
    "-0\r\n\r\n",
    "+0\r\n\r\n",
    "00000000000000002\r\n{}\r\n0\r\n\r\n",
    "10000000000000002\r\n{}\r\n0\r\n\r\n",
    "\0\r\n{}\r\n0\r\n\r\n",
    "2\r\n{}\n0\r\n\r\n",
    "2\r\n{}\r0\r\n\r\n",
    "2\r\n{}\r\r\n0\r\n\r\n",
    "1\r\n{}\r\n0\r\n\r\n",
    "2\r\n{}\r\n0\n\n",
    "2\r\n{}\r\n0\r\n\n",
    "2\r\n{}\r\n0\r\n\r\r\n",
    "2\r\n{}\r\n0\r\r\n\r\n",
];

#[test]
fn chunks_that_two_parsers_could_count_differently() {
    refuse_each(400, CHUNKS.iter().map(|chunks| with_chunks(chunks)));
    refuse_each(
        413,
        ["7fffffffffffffff\r\n", "8000000000000000\r\n", "ffffffffffffffff\r\n", "10001\r\n"].map(with_chunks),
    );
}

/// What stands after the semicolon of a chunk's size.
pub(crate) const EXTENSIONS: &[&str] =
    &["\n", "a\n", "\na", "a\rb", "a=\"\n\"", "a=\"\r\"", "a=\"\0\"", "ü", "\x7f", "a\x0bb", "a=\"\r\n\"\n"];

#[test]
fn chunk_extensions_that_hide_a_line_end() {
    refuse_each(400, EXTENSIONS.iter().map(|extension| with_chunks(&format!("2;{extension}\r\n{{}}\r\n0\r\n\r\n"))));
    refuse_each(400, [with_chunks(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(2000)))]);
}

/// What stands after the last chunk.
pub(crate) const TRAILERS: &[&str] = &[
    "X\r\n",
    " X: y\r\n",
    "\tX: y\r\n",
    "X: y\r\n z\r\n",
    "X : y\r\n",
    ": y\r\n",
    "X y: z\r\n",
    "X: \0\r\n",
    "X: ü\r\n",
    "X: y\nZ: w\r\n",
    "X: y\rZ: w\r\n",
    "GET /torture HTTP/1.1\r\nHost: a\r\n",
];

#[test]
fn trailers_that_are_no_headers() {
    refuse_each(400, TRAILERS.iter().map(|lines| with_chunks(&format!("2\r\n{{}}\r\n0\r\n{lines}\r\n"))));
    refuse_each(431, [with_chunks(&format!("0\r\n{}\r\n", "X: y\r\n".repeat(300)))]);
}

#[test]
fn expectations_that_are_not_met() {
    let lines = ["Expect: 200-ok", "Expect:", "Expect: 100-continue, x", "Expect: 100-continue\r\nExpect: x"];
    refuse_each(417, lines.map(|line| with_headers(&format!("{line}\r\nContent-Length: 5"))));
}

#[test]
fn what_is_unusual_and_has_one_meaning_is_taken() {
    let site = SITE.get();
    let chunked =
        |headers: &str, chunks: &str| format!("POST /unusual HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{chunks}");
    for message in [
        "GET /unusual HTTP/1.1\r\nhOST:a\r\n\r\n".to_owned(),
        "GET /unusual HTTP/1.1\r\nHost: \t a:8080 \t\r\n\r\n".to_owned(),
        "GET /unusual HTTP/1.1\r\nHost: [2001:db8::1]:80\r\nX:\r\n!#$%&'*+-.^_`|~: a\tb\r\n\r\n".to_owned(),
        "GET /unusual HTTP/1.1\r\nHost:\r\n\r\n".to_owned(),
        "GET /unusual HTTP/1.1\r\nHost: a:\r\nUpgrade: websocket\r\n\r\n".to_owned(),
        "GET http://b/unusual HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET //unusual HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET /unusual HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        "POST /unusual HTTP/1.1\r\nHost: a\r\nContent-Length: 000000000002\r\n\r\n{}".to_owned(),
        chunked("Transfer-Encoding: CHUNKED", "2\r\n{}\r\n0\r\n\r\n"),
        chunked("Transfer-Encoding: chunked", "0000000000000002\r\n{}\r\n000\r\n\r\n"),
        chunked("Transfer-Encoding: chunked", "A;a=\"b;c\" ; d\r\n{        }\r\n0;e\r\nX: y\r\nZ:\r\n\r\n"),
    ] {
        let mut connection = site.connect();
        // Its successor is found where it begins.
        connection.send_raw(format!("{message}GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
        let head = connection.read_head().unwrap();
        connection.read_body(&head);
        assert_eq!(head.status, 404, "{message}");
        assert_eq!(connection.read(&Request::get("/healthz")).status, 200, "{message}");
    }
}

#[test]
fn a_client_of_http_1_0_is_not_told_to_continue() {
    let site = SITE.get();
    let mut connection = site.connect();
    connection.send_raw(b"POST /unusual HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    connection.send_raw(b"{}").unwrap();
    assert_eq!(connection.read_head().unwrap().status, 404);
}

#[test]
fn a_good_request_before_a_bad_one_is_answered_and_nothing_after_it() {
    let site = SITE.get();
    let mut connection = site.connect();
    let bad = with_headers("Content-Length: 5\r\nTransfer-Encoding: chunked");
    connection.send_raw(format!("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n{bad}{HIDDEN}").as_bytes()).unwrap();
    assert_eq!(connection.read(&Request::get("/healthz")).status, 200);
    let rest = String::from_utf8(connection.read_to_end()).unwrap();
    assert!(rest.starts_with("HTTP/1.1 400 "), "{rest}");
    assert_eq!(rest.matches("HTTP/1.1 ").count(), 1, "{rest}");
    nothing_was_handled(&site);
}
