//! The shape of an error's body: `application/problem+json` (RFC 9457). What each code means is not decided here.

use rouille::{Response, ResponseBody};
use serde::Serialize;

/// An answer that says what went wrong, to a program (`code`) and to a person (`detail`).
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    /// Stable: what clients test.
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    /// What a person should do next.
    pub(crate) detail: String,
    /// Every bad field of a request; empty for other errors.
    pub(crate) errors: Vec<FieldError>,
    /// Seconds after which the client is let through.
    pub(crate) retry_after_s: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    /// The member's path, such as `page.url` or `events[3].type`; empty: the body itself.
    pub(crate) field: String,
    pub(crate) message: String,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    pub(crate) fn response(&self, request_id: &str) -> Response {
        let body = Body {
            kind: "about:blank",
            title: self.title,
            status: self.status,
            code: self.code,
            detail: &self.detail,
            request_id,
            errors: &self.errors,
        };
        let mut headers = vec![
            ("Content-Type".into(), "application/problem+json".into()),
            ("X-Request-Id".into(), request_id.to_owned().into()),
            ("X-Content-Type-Options".into(), "nosniff".into()),
            ("Cache-Control".into(), "no-store".into()),
        ];
        if let Some(seconds) = self.retry_after_s {
            headers.push(("Retry-After".into(), seconds.to_string().into()));
        }
        Response {
            status_code: self.status,
            headers,
            // Texts and numbers alone: it cannot fail.
            data: ResponseBody::from_data(serde_json::to_vec(&body).unwrap_or_default()),
            upgrade: None,
        }
    }
}
