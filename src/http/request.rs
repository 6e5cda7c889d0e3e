//! A complete, checked request, in rouille's type. It is built here and nowhere else.

use std::time::Duration;

use super::client_addr::TrustedProxies;
use super::connection::Connection;
use super::head::{Head, values};

pub(crate) struct Request {
    /// Its `remote_addr` is the client's, after trusted proxies. Its own body is empty: see [`Request::body`].
    pub(crate) http: rouille::Request,
    body: Vec<u8>,
    /// When it was complete, on the monotonic clock.
    pub(crate) received: Duration,
    pub(crate) forwarded: Forwarded,
}

/// What became of the word of a proxy on whose request this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    /// There was none.
    Absent,
    /// The peer is no trusted proxy.
    Ignored,
    Believed,
}

impl Request {
    pub(super) fn new(
        head: Head,
        body: Vec<u8>,
        connection: &Connection,
        proxies: &TrustedProxies,
        now: Duration,
    ) -> Self {
        let client = proxies.client(connection.peer, values(&head.headers, "X-Forwarded-For"));
        let has_word = values(&head.headers, "X-Forwarded-For").next().is_some();
        let forwarded = match (has_word, proxies.contain(connection.peer.ip())) {
            (false, _) => Forwarded::Absent,
            (true, false) => Forwarded::Ignored,
            (true, true) => Forwarded::Believed,
        };
        let http =
            rouille::Request::fake_http_from(client, head.method.as_str(), head.target, head.headers, Vec::new());
        Self { http, body, received: now, forwarded }
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}
