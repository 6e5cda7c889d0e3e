//! Entity tags (RFC 9110, section 8.8.3): whether the client has what it asks for.

use rouille::{Request, Response};

/// Equal bytes have equal tags, on every start of every build: a UUIDv5 of them (RFC 9562, section 5.5).
pub(super) fn strong(bytes: &[u8]) -> String {
    format!("\"{}\"", uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, bytes).simple())
}

/// `whole` with its tag; 304 without a body, if the client says that it has what is tagged so.
pub(super) fn answer(request: &Request, etag: String, whole: impl FnOnce() -> Response) -> Response {
    let is_known = request.header("If-None-Match").is_some_and(|known| matches(known, &etag));
    let response = if is_known { Response { status_code: 304, ..Response::empty_204() } } else { whole() };
    response.with_additional_header("ETag", etag)
}

/// `If-None-Match` compares weakly (RFC 9110, section 13.1.2).
fn matches(known: &str, etag: &str) -> bool {
    known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == etag)
}
