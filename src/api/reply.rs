//! The way back to the client: every answer leaves through here, so that all are alike in their headers and the log.

use std::time::Duration;

use rouille::{Response, ResponseBody};

use super::cors::Access;
use super::error::ApiError;
use super::{Snapshot, limits, routes};
use crate::clock;
use crate::http::{EventStream, Request, Responder};
use crate::metrics;

/// A request that is still to be answered.
pub(super) struct Reply {
    responder: Responder,
    access: Access,
    line: LogLine,
}

impl Reply {
    pub(super) fn new(snapshot: &Snapshot, request: &Request, request_id: String, responder: Responder) -> Self {
        let path = routes::path(&request.http);
        Self {
            responder,
            access: Access::of(snapshot, request.http.method(), path, request.http.header("Origin")),
            line: LogLine {
                request_id,
                method: request.http.method().to_owned(),
                path: path.to_owned(),
                route: routes::label(path),
                received: request.received,
            },
        }
    }

    /// The whole answer, or the problem document of a refusal.
    pub(super) fn send(self, result: Result<Response, ApiError>) {
        let Self { responder, access, line } = self;
        let response = match result {
            Ok(response) => access.open(response),
            Err(error) => {
                line.explain(&error);
                access.open_refusal(problem(&error, &line.request_id), &error)
            }
        };
        let response = with_common_headers(response, &line.request_id);
        line.write(response.status_code);
        responder.send(response);
    }

    /// An event stream; its head leaves with the first event.
    pub(super) fn stream(self, head: Response) -> OpenStream {
        let Self { responder, access, line } = self;
        let head = with_common_headers(access.open(head), &line.request_id);
        OpenStream { events: responder.stream(head), line, _counted: metrics::requests().stream() }
    }

    /// Whether the client left while it waits for its answer.
    pub(super) fn is_client_gone(&self) -> bool {
        self.responder.is_client_gone()
    }

    /// The client left: there is no one to answer.
    pub(super) fn abandon(self) {
        self.line.write(CLIENT_LEFT);
        self.responder.close();
    }
}

/// The head of every event stream.
pub(super) fn stream_head() -> Response {
    let headers = vec![
        ("Content-Type".into(), "text/event-stream; charset=utf-8".into()),
        // No proxy may keep, change or gather it.
        ("Cache-Control".into(), "no-cache, no-store, no-transform".into()),
        ("X-Accel-Buffering".into(), "no".into()),
    ];
    Response { status_code: 200, headers, data: ResponseBody::empty(), upgrade: None }
}

/// An answer that is leaving event by event. Its line is logged when it ends, however that is.
pub(super) struct OpenStream {
    pub(super) events: EventStream,
    line: LogLine,
    _counted: metrics::OpenStream,
}

impl OpenStream {
    /// Logs why the answer fails, for the operator.
    pub(super) fn explain(&self, error: &ApiError) {
        self.line.explain(error);
    }

    /// The regular end; the connection may be used again.
    pub(super) fn finish(self) {
        let Self { events, line, _counted } = self;
        line.write(if events.finish().is_ok() { 200 } else { CLIENT_LEFT });
    }

    /// The client left, or reads too slowly: there is no one to say goodbye to.
    pub(super) fn abandon(self) {
        self.line.write(CLIENT_LEFT);
    }
}

/// In the log alone, as nginx writes it: the client closed the connection before its answer was whole.
const CLIENT_LEFT: u16 = 499;

fn problem(error: &ApiError, request_id: &str) -> Response {
    let response = error.problem().response(request_id);
    match error {
        ApiError::MethodNotAllowed { allow } => response.with_additional_header("Allow", *allow),
        ApiError::RateLimited { quotas, .. } => limits::tell(response, quotas),
        _ => match error.challenge() {
            Some(challenge) => response.with_additional_header("WWW-Authenticate", challenge),
            None => response,
        },
    }
}

fn with_common_headers(mut response: Response, request_id: &str) -> Response {
    let common = [("X-Request-Id", request_id), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")];
    for (name, value) in common {
        if !response.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            response.headers.push((name.into(), value.to_owned().into()));
        }
    }
    response
}

/// One line a request: no query, no ids, no text.
struct LogLine {
    request_id: String,
    method: String,
    path: String,
    route: &'static str,
    received: Duration,
}

impl LogLine {
    fn write(&self, status: u16) {
        let Self { request_id, method, path, route, received } = self;
        let took = clock::monotonic().saturating_sub(*received);
        metrics::requests().answered(route, status, took);
        let ms = took.as_secs_f64() * 1000.0;
        tracing::info!(%method, %path, status, ms = format_args!("{ms:.1}"), %request_id);
    }

    /// The cause that the client is not told.
    fn explain(&self, error: &ApiError) {
        let Some(cause) = error.cause() else { return };
        let request_id = &self.request_id;
        match error {
            ApiError::Internal { .. } => tracing::error!(%request_id, cause, "internal error"),
            _ => tracing::warn!(%request_id, cause, "could not serve"),
        }
    }
}
