//! A whole answer as the bytes of one write, and the head of a stream.

use std::cell::RefCell;
use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

use rouille::Response;
use tiny_http::{HTTPVersion, StatusCode};

use crate::clock;

/// What of the request shapes the answer's frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) is_head: bool,
    pub(super) version: HTTPVersion,
    pub(super) keep_alive: bool,
}

impl Frame {
    /// Whether a body of unknown length can be sent in chunks.
    pub(super) fn is_chunked(&self) -> bool {
        self.version == HTTPVersion(1, 1)
    }
}

/// Ours alone to set.
const FRAMING_HEADERS: [&str; 4] = ["Connection", "Content-Length", "Transfer-Encoding", "Date"];

/// The whole answer. A body that cannot be read is left out with a 500.
pub(super) fn encode(response: Response, frame: &Frame) -> Vec<u8> {
    let (mut reader, _) = response.data.into_reader_and_size();
    let mut body = Vec::new();
    let status = match reader.read_to_end(&mut body) {
        Ok(_) => response.status_code,
        Err(error) => {
            tracing::error!(%error, "the body of an answer could not be read");
            body.clear();
            500
        }
    };
    let mut bytes = head(status, &response.headers, frame);
    // RFC 9110, section 8.6: neither has a body or a length.
    if !matches!(status, 204 | 304) {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    if !frame.is_head && !matches!(status, 204 | 304) {
        bytes.append(&mut body);
    }
    bytes
}

/// The head of an answer whose length is not known, down to its empty line.
pub(super) fn encode_stream_head(response: &Response, frame: &Frame) -> Vec<u8> {
    let mut bytes = head(response.status_code, &response.headers, frame);
    if frame.is_chunked() {
        bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

type Headers = [(std::borrow::Cow<'static, str>, std::borrow::Cow<'static, str>)];

fn head(status: u16, headers: &Headers, frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    let reason = StatusCode(status).default_reason_phrase();
    bytes.extend_from_slice(format!("HTTP/1.1 {status} {reason}\r\n").as_bytes());
    with_date(|date| add(&mut bytes, "Date", date));
    for (name, value) in headers {
        let is_ours = FRAMING_HEADERS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
        if !is_ours && is_clean(name) && is_clean(value) {
            add(&mut bytes, name, value);
        }
    }
    if !frame.keep_alive {
        add(&mut bytes, "Connection", "close");
    }
    bytes
}

fn add(bytes: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
}

/// A CR or LF in a value would begin a header of the client's making.
fn is_clean(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_control())
}

/// The time as an IMF-fixdate (RFC 9110, section 5.6.7), written once a second on each thread.
fn with_date(use_it: impl FnOnce(&str)) {
    thread_local! {
        static DATE: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    let seconds = clock::now().seconds();
    DATE.with_borrow_mut(|(written, date)| {
        if *written != seconds {
            let since_epoch = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            *date = httpdate::fmt_http_date(UNIX_EPOCH + since_epoch);
            *written = seconds;
        }
        use_it(date);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(is_head: bool, minor: u8, keep_alive: bool) -> Frame {
        Frame { is_head, version: HTTPVersion(1, minor), keep_alive }
    }

    fn encoded(response: Response, frame: &Frame) -> String {
        String::from_utf8(encode(response, frame)).unwrap()
    }

    #[test]
    fn an_answer_has_its_length_and_a_date() {
        let text = encoded(Response::text("hé"), &frame(false, 1, true));
        assert!(text.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{text}");
        assert!(text.contains("\r\nContent-Length: 3\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nhé"), "{text}");
        assert!(!text.contains("Connection"), "{text}");
        assert!(encoded(Response::text(""), &frame(false, 1, false)).contains("\r\nConnection: close\r\n"));
    }

    #[test]
    fn head_gets_the_head_alone_and_204_no_length() {
        let text = encoded(Response::text("hello"), &frame(true, 1, true));
        assert!(text.contains("Content-Length: 5") && text.ends_with("\r\n\r\n"), "{text}");
        let text = encoded(Response::empty_204(), &frame(false, 1, true));
        assert!(!text.contains("Content-Length"), "{text}");
    }

    #[test]
    fn a_header_cannot_be_split() {
        let response = Response::text("x")
            .with_additional_header("X-Evil", "a\r\nSet-Cookie: b")
            .with_additional_header("X-Evil\r\nY", "a")
            .with_additional_header("Transfer-Encoding", "chunked");
        let text = encoded(response, &frame(false, 1, true));
        assert!(!text.contains("Set-Cookie") && !text.contains("X-Evil") && !text.contains("chunked"), "{text}");
    }

    #[test]
    fn a_stream_is_chunked_in_http_1_1_alone() {
        let head =
            |minor| String::from_utf8(encode_stream_head(&Response::text(""), &frame(false, minor, false))).unwrap();
        assert!(head(1).ends_with("\r\nTransfer-Encoding: chunked\r\n\r\n"));
        assert!(!head(0).contains("chunked") && head(0).ends_with("\r\n\r\n"));
    }
}
