//! What must hold whatever comes over a connection. Each function panics if it does not.

use tiny_http::HTTPVersion;

use super::body::Collector;
use super::head::{self, Head, Scan, values};
use super::wire_error::WireError;

/// Small, so that a fuzzer comes to it.
const BODY_BYTES_MAX: usize = 500;

/// A request as the intake hands it on, and how many bytes of the wire it took.
#[derive(Debug, PartialEq)]
struct Whole {
    head: Head,
    body: Vec<u8>,
    bytes: usize,
}

/// The verdict is the same in one piece and in `pieces`; what is accepted can be read in one way alone.
pub(crate) fn request(wire: &[u8], pieces: &[&[u8]]) {
    let verdict = read(&[wire]);
    assert_eq!(verdict, read(pieces), "the cuts made a difference");
    if let Ok(Some(whole)) = verdict {
        assert!(whole.body.len() <= BODY_BYTES_MAX, "a body of {}", whole.body.len());
        request_line(wire, &whole.head);
        headers(wire, &whole.head);
        framing(wire, &whole);
        again(&whole.head);
    }
}

/// As the intake goes about it.
fn read(pieces: &[&[u8]]) -> Result<Option<Whole>, WireError> {
    let (mut input, mut bytes) = (Vec::new(), 0);
    let mut scan = Scan::default();
    let mut begun: Option<(Head, Collector)> = None;
    for piece in pieces {
        input.extend_from_slice(piece);
        if begun.is_none() {
            let Some(end) = scan.end(&input)? else { continue };
            let head = head::parse(&input[..end], BODY_BYTES_MAX)?;
            let body = Collector::new(head.body, BODY_BYTES_MAX);
            input.drain(..end);
            bytes += end;
            begun = Some((head, body));
        }
        let Some((_, body)) = &mut begun else { continue };
        let used = body.take(&input)?;
        input.drain(..used);
        bytes += used;
        if body.is_complete() {
            break;
        }
    }
    let complete = begun.filter(|(_, body)| body.is_complete());
    Ok(complete.map(|(head, body)| Whole { head, body: body.into_body(), bytes }))
}

fn lines<'a>(wire: &'a [u8], head: &Head) -> impl Iterator<Item = &'a str> {
    let text = std::str::from_utf8(&wire[..head.bytes]).ok().and_then(|text| text.strip_suffix("\r\n\r\n"));
    let Some(text) = text.filter(|text| text.is_ascii()) else {
        panic!("a head that is not ASCII, or does not end in an empty line");
    };
    text.split("\r\n")
}

fn request_line(wire: &[u8], head: &Head) {
    let line = lines(wire, head).next().unwrap_or_default();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words.join(" "), line);
    assert_eq!(words.len(), 3, "{line}");
    assert_eq!(words[0], head.method.to_string());
    assert_eq!(words[2], format!("HTTP/{}", head.version));
    assert!(head.target.starts_with('/'), "{line}");
    let of_absolute = words[1].split_once("://").map(|(_, rest)| rest);
    let is_target =
        words[1] == head.target || of_absolute.is_some_and(|rest| rest.ends_with(&head.target) || head.target == "/");
    assert!(is_target, "{line} is not {}", head.target);
}

/// One header a line, as whoever splits at the first colon sees them.
fn headers(wire: &[u8], head: &Head) {
    let plainly: Vec<(String, String)> = lines(wire, head)
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
        .collect();
    assert_eq!(plainly, head.headers);
    assert_eq!(lines(wire, head).count(), 1 + head.headers.len(), "a line that is no header");
    let hosts = values(&head.headers, "Host").count();
    assert!(hosts == 1 || (hosts == 0 && head.version == HTTPVersion(1, 0)), "{hosts} hosts");
}

/// One length or one coding or neither, and the body that anyone else would take out of it.
fn framing(wire: &[u8], whole: &Whole) {
    let lengths: Vec<_> = values(&whole.head.headers, "Content-Length").collect();
    let codings: Vec<_> = values(&whole.head.headers, "Transfer-Encoding").collect();
    let rest = &wire[whole.head.bytes..];
    let (body, bytes) = match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => (Vec::new(), 0),
        ([length], []) => {
            assert!(length.bytes().all(|byte| byte.is_ascii_digit()), "{length}");
            let length = length.parse().unwrap_or(usize::MAX);
            (rest[..length].to_vec(), length)
        }
        ([], [coding]) => {
            assert!(coding.eq_ignore_ascii_case("chunked") && whole.head.version == HTTPVersion(1, 1), "{coding}");
            unchunked(rest)
        }
        _ => panic!("{} lengths and {} codings", lengths.len(), codings.len()),
    };
    assert_eq!((whole.head.bytes + bytes, body), (whole.bytes, whole.body.clone()));
}

/// The plainest reader of chunks, and how many bytes it read.
fn unchunked(wire: &[u8]) -> (Vec<u8>, usize) {
    let (mut body, mut at) = (Vec::new(), 0);
    let line = |at: usize| {
        let end = wire[at..].windows(2).position(|pair| pair == b"\r\n");
        let Some(end) = end else { panic!("a line without an end was accepted") };
        &wire[at..at + end]
    };
    loop {
        let size = line(at);
        at += size.len() + 2;
        let digits = size.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let size = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let Some(size) = size else { panic!("a size that is no number was accepted") };
        if size == 0 {
            break;
        }
        body.extend_from_slice(&wire[at..at + size]);
        at += size;
        assert_eq!(line(at), b"", "a chunk is longer than its size");
        at += 2;
    }
    loop {
        let trailer = line(at);
        at += trailer.len() + 2;
        if trailer.is_empty() {
            return (body, at);
        }
    }
}

/// Written as it was understood, a head is understood alike.
fn again(head: &Head) {
    let mut text = format!("{} {} HTTP/{}\r\n", head.method, head.target, head.version);
    for (name, value) in &head.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let expected = Head { bytes: text.len(), ..head.clone() };
    assert_eq!(head::parse(text.as_bytes(), BODY_BYTES_MAX), Ok(expected));
}
