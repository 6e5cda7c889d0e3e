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
        let http =
            rouille::Request::fake_http_from(client, head.method.as_str(), head.target, head.headers, Vec::new());
        Self { http, body, received: now }
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}
