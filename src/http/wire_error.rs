//! Why the front refuses a request before any handler sees it. The connection is closed after each.

use super::problem::Problem;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    // RFC 9112, sections 2.2, 3 and 5
    #[error("the request line is not METHOD TARGET HTTP/1.1")]
    RequestLine,
    #[error("a line of the head does not end in CR LF, or holds a control or a non-ASCII character")]
    Octet,
    #[error("a header line begins with white space")]
    FoldedHeader,
    #[error("a header is not NAME: VALUE")]
    Header,
    #[error("HTTP/1.1 needs exactly one valid Host header")]
    Host,
    #[error("the target is not a path")]
    Target,
    // RFC 9112, section 6
    #[error("there are two Content-Length headers")]
    TwoLengths,
    #[error("Content-Length is not a number of 1 to 12 digits")]
    Length,
    #[error("Content-Length and Transfer-Encoding exclude each other")]
    LengthAndCoding,
    #[error("Transfer-Encoding is only understood as one \"chunked\", in HTTP/1.1")]
    Coding,
    #[error("the body's chunks are malformed")]
    Chunk,
    #[error("an Upgrade request has no body")]
    UpgradeWithBody,
    #[error("the body's length is not given: send Content-Length")]
    LengthRequired,
    #[error("only \"Expect: 100-continue\" is understood")]
    Expectation,
    #[error("the body is larger than this server takes")]
    BodyTooLarge,
    #[error("the target is longer than 8 KiB")]
    TargetTooLong,
    #[error("the head has more than 64 headers or 16 KiB")]
    HeadTooLarge,
    #[error("the method is not one of HTTP's")]
    Method,
    #[error("only HTTP/1.1 and HTTP/1.0 are spoken here")]
    Version,
    #[error("the request did not arrive in time")]
    Slow,
    #[error("the server has no place for another request now")]
    Overloaded,
}

impl WireError {
    pub(super) fn problem(self) -> Problem {
        let (status, code, title) = self.code();
        Problem {
            status,
            code,
            title,
            detail: format!("{self}."),
            errors: Vec::new(),
            retry_after_s: (self == Self::Overloaded).then_some(1),
        }
    }

    fn code(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Slow => (408, "invalid_request", "The request came too slowly"),
            Self::LengthRequired => (411, "invalid_request", "The length is missing"),
            Self::BodyTooLarge => (413, "body_too_large", "The body is too large"),
            Self::TargetTooLong => (414, "invalid_request", "The target is too long"),
            Self::Expectation => (417, "invalid_request", "The expectation cannot be met"),
            Self::HeadTooLarge => (431, "invalid_request", "The head is too large"),
            Self::Coding | Self::Method => (501, "invalid_request", "This is not implemented"),
            Self::Overloaded => (503, "overloaded", "The server is busy"),
            Self::Version => (505, "invalid_request", "The HTTP version is not supported"),
            _ => (400, "invalid_request", "The HTTP message is malformed"),
        }
    }
}
