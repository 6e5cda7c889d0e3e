//! The head of a request: bytes to checked facts, or the reason why not (RFC 9112). Pure.
//!
//! Stricter than the RFC allows, on purpose: whatever two parsers in a row could read differently is refused, so that
//! nothing can be smuggled past a proxy. `httparse` splits the lines; every other judgement is here.

use tiny_http::{HTTPVersion, Method};

use super::wire_error::WireError;

/// Of request line and headers together.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
const TARGET_BYTES_MAX: usize = 8 * 1024;
const HEADERS_MAX: usize = 64;

/// A checked head.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) method: Method,
    /// In origin form: a path, and a query if there was one.
    pub(super) target: String,
    pub(super) version: HTTPVersion,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Framing,
    /// Whether the client would send another request on this connection.
    pub(super) keep_alive: bool,
    /// Whether it waits for `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
    /// How many bytes it took.
    pub(super) bytes: usize,
}

/// How the body is delimited (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(usize),
    Chunked,
}

/// Looks for the end of the head, byte by byte, as it comes in.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// So many bytes have been looked at.
    done: usize,
    /// Where the line under way begins.
    line: usize,
}

impl Scan {
    /// How long the head is, once its end is in `bytes`, which only grow from call to call.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, WireError> {
        while let Some(&byte) = bytes.get(self.done) {
            if self.done >= HEAD_BYTES_MAX {
                return Err(WireError::HeadTooLarge);
            }
            match byte {
                b'\r' => match bytes.get(self.done + 1) {
                    None => break,
                    Some(b'\n') => {
                        let is_empty = self.line == self.done;
                        self.done += 2;
                        self.line = self.done;
                        if is_empty {
                            return Ok(Some(self.done));
                        }
                        continue;
                    }
                    Some(_) => return Err(WireError::Octet),
                },
                b' ' | b'\t' if self.line == self.done => {
                    return Err(if self.line == 0 { WireError::RequestLine } else { WireError::FoldedHeader });
                }
                b'\t' | 0x20..=0x7e => {}
                _ => return Err(WireError::Octet),
            }
            self.done += 1;
            if self.line == 0 && self.done > TARGET_BYTES_MAX + 64 {
                return Err(WireError::TargetTooLong);
            }
        }
        Ok(None)
    }
}

/// Reads a whole head, as long as `Scan` found it. A declared body over `body_bytes_max` is refused here.
pub(super) fn parse(bytes: &[u8], body_bytes_max: usize) -> Result<Head, WireError> {
    let (method, target, version) = request_line(bytes)?;
    let mut parsed = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut parsed);
    request.parse(bytes).map_err(|error| match error {
        httparse::Error::TooManyHeaders => WireError::HeadTooLarge,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => WireError::Header,
        _ => WireError::RequestLine,
    })?;
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned()))
        .collect();
    check_host(&headers, &version)?;
    let body = framing(&headers, &version, &method, body_bytes_max)?;
    if body != Framing::None && values(&headers, "Upgrade").next().is_some() {
        return Err(WireError::UpgradeWithBody);
    }
    if values(&headers, "Expect").any(|value| !value.eq_ignore_ascii_case("100-continue")) {
        return Err(WireError::Expectation);
    }
    // RFC 9110, section 10.1.1: a client of HTTP/1.0 would take the 100 for the answer.
    let expects_continue = version == HTTPVersion(1, 1) && values(&headers, "Expect").next().is_some();
    let wants_close = values(&headers, "Connection")
        .flat_map(|value| value.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("close"));
    Ok(Head {
        keep_alive: version == HTTPVersion(1, 1) && !wants_close,
        method,
        target,
        version,
        headers,
        body,
        expects_continue,
        bytes: bytes.len(),
    })
}

/// The values of a header, in order.
pub(super) fn values<'a>(headers: &'a [(String, String)], name: &'a str) -> impl DoubleEndedIterator<Item = &'a str> {
    headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// `METHOD SP TARGET SP VERSION`, with one space each (RFC 9112, section 3).
fn request_line(bytes: &[u8]) -> Result<(Method, String, HTTPVersion), WireError> {
    let end = bytes.iter().position(|byte| *byte == b'\r').ok_or(WireError::RequestLine)?;
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| WireError::Octet)?;
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(WireError::RequestLine);
    };
    let version = match version {
        "HTTP/1.1" => HTTPVersion(1, 1),
        "HTTP/1.0" => HTTPVersion(1, 0),
        other => {
            return Err(if is_version(other) { WireError::Version } else { WireError::RequestLine });
        }
    };
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        "TRACE" => Method::Trace,
        "QUERY" => method.parse().map_err(|()| WireError::Method)?,
        "CONNECT" => return Err(WireError::Target),
        _ => return Err(WireError::Method),
    };
    if target.len() > TARGET_BYTES_MAX {
        return Err(WireError::TargetTooLong);
    }
    Ok((method, origin_form(target)?.to_owned(), version))
}

fn is_version(text: &str) -> bool {
    let digits = text.strip_prefix("HTTP/").and_then(|digits| digits.split_once('.'));
    digits.is_some_and(|(major, minor)| {
        [major, minor].iter().all(|part| part.len() == 1 && part.as_bytes()[0].is_ascii_digit())
    })
}

/// A path as it is, or that of an absolute URL (RFC 9112, section 3.2).
fn origin_form(target: &str) -> Result<&str, WireError> {
    if target.contains(['#', '\t', '"', '<', '>', '\\', '^', '`', '{', '|', '}']) {
        return Err(WireError::Target);
    }
    if target.starts_with('/') {
        return Ok(target);
    }
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| {
            target.get(..scheme.len()).filter(|head| head.eq_ignore_ascii_case(scheme)).map(|_| &target[scheme.len()..])
        })
        .ok_or(WireError::Target)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.is_empty() || !is_authority(authority) || path.starts_with('?') {
        return Err(WireError::Target);
    }
    Ok(if path.is_empty() { "/" } else { path })
}

fn check_host(headers: &[(String, String)], version: &HTTPVersion) -> Result<(), WireError> {
    let mut hosts = values(headers, "Host");
    let host = hosts.next();
    match (host, hosts.next()) {
        (Some(host), None) if is_authority(host) => Ok(()),
        (None, None) if *version == HTTPVersion(1, 0) => Ok(()),
        _ => Err(WireError::Host),
    }
}

/// A name, an IPv4 address or an IPv6 one in brackets, and perhaps a port (RFC 3986, section 3.2): less than the RFC
/// allows, and no user. May be empty, as a `Host` may.
fn is_authority(text: &str) -> bool {
    let only = |text: &str, more: &[u8]| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte));
    let (is_host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((address, port))) => (only(address, b":.%"), port),
        Some(None) => (false, ""),
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (only(name, b"-._~%"), port)
        }
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// Whether a header may have this name (RFC 9110, section 5.6.2).
pub(super) fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn framing(
    headers: &[(String, String)],
    version: &HTTPVersion,
    method: &Method,
    body_bytes_max: usize,
) -> Result<Framing, WireError> {
    let mut lengths = values(headers, "Content-Length");
    let mut codings = values(headers, "Transfer-Encoding");
    let (length, coding) = (lengths.next(), codings.next());
    // Two equal ones are refused too: the one behind a proxy may not be the one before it.
    if lengths.next().is_some() {
        return Err(WireError::TwoLengths);
    }
    match (length, coding) {
        (Some(_), Some(_)) => Err(WireError::LengthAndCoding),
        (None, Some(coding)) => {
            let is_chunked = coding.eq_ignore_ascii_case("chunked") && codings.next().is_none();
            if is_chunked && *version == HTTPVersion(1, 1) { Ok(Framing::Chunked) } else { Err(WireError::Coding) }
        }
        (Some(length), None) => {
            if !(1..=12).contains(&length.len()) || !length.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(WireError::Length);
            }
            match length.parse::<usize>() {
                Ok(0) => Ok(Framing::None),
                Ok(length) if length <= body_bytes_max => Ok(Framing::Length(length)),
                _ => Err(WireError::BodyTooLarge),
            }
        }
        (None, None) if matches!(method, Method::Post | Method::Put | Method::Patch) => Err(WireError::LengthRequired),
        (None, None) => Ok(Framing::None),
    }
}

#[cfg(test)]
mod tests;
