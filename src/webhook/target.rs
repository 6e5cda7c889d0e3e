//! One webhook and one post to it: where it may go, how long it may take, what the receiver said.

use std::fmt;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, UNIX_EPOCH};

use ureq::Agent;
use ureq::config::Config;
use ureq::http::{Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Body, Error};

use super::Settings;
use super::body::body;
use super::signature::sign;
use crate::domain::id::{DeliveryId, OccurrenceId};
use crate::domain::network;
use crate::domain::time::Timestamp;

/// To resolve, and to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the look-up to the end of the answer: so long one webhook can hold up the others, and no longer.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Of an answer's body that is read, and shown.
const SAID_BYTES_MAX: u64 = 1024;
const SAID_CHARS_MAX: usize = 200;
const USER_AGENT: &str = concat!("widgetd/", env!("CARGO_PKG_VERSION"));

/// A webhook, ready to be posted to.
pub(crate) struct Target {
    pub(crate) settings: Settings,
    agent: Agent,
}

/// What is posted, and under which ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice<'a> {
    pub(crate) id: DeliveryId,
    pub(crate) occurrence: OccurrenceId,
    /// Its type, such as `lead.captured`.
    pub(crate) occasion: &'a str,
    /// The stored JSON.
    pub(crate) payload: &'a str,
}

/// What a receiver answered, whatever the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The beginning of its body, in one line.
    said: String,
    /// Where it would have us go.
    location: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it answered {}", self.status)?;
        if let Some(location) = &self.location {
            write!(
                f,
                ", a redirect to {location:?}, which is not followed: put that URL into widget.toml if it is right"
            )?;
        }
        if self.said.is_empty() { Ok(()) } else { write!(f, ": {:?}", self.said) }
    }
}

/// Why there was no answer, as a sentence without the URL, which may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct PostError(String);

#[cfg(test)]
impl PostError {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
pub(super) fn sample(status: u16, retry_after: Option<Duration>) -> Answer {
    Answer { status, said: String::new(), location: None, retry_after }
}

impl Target {
    pub(crate) fn new(settings: Settings) -> Self {
        let config = Config::builder()
            .http_status_as_error(false)
            // A receiver could send us anywhere, with the lead.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .accept_encoding("identity")
            .user_agent(USER_AGENT)
            .tls_config(TlsConfig::builder().root_certs(RootCerts::WebPki).build())
            .timeout_global(Some(WHOLE_TIMEOUT))
            .timeout_resolve(Some(CONNECT_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            // Leads are rare, so each post looks its name up and connects anew.
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build();
        let resolver = CheckedNames { allow_private: settings.allow_private, names: DefaultResolver::default() };
        Self { agent: Agent::with_parts(config, DefaultConnector::default(), resolver), settings }
    }

    /// Posts once.
    pub(crate) fn post(&self, notice: Notice<'_>, now: Timestamp) -> Result<Answer, PostError> {
        // A look-up panics if the system has no thread left for it.
        let sent = catch_unwind(AssertUnwindSafe(|| self.send(notice, now)));
        sent.unwrap_or_else(|_| Err(PostError("the attempt panicked".to_owned())))
    }

    fn send(&self, notice: Notice<'_>, now: Timestamp) -> Result<Answer, PostError> {
        let body = body(self.settings.format, notice.payload);
        let mut request = self
            .agent
            .post(&self.settings.url)
            .content_type("application/json")
            .header("X-Widgetd-Event", notice.occasion)
            .header("X-Widgetd-Event-Id", notice.occurrence.to_string())
            .header("X-Widgetd-Delivery", notice.id.to_string());
        if let Some(secret) = &self.settings.secret {
            request = request.header("X-Widgetd-Signature", sign(secret, &body, now));
        }
        request.send(&body).map(|response| answer(response, now)).map_err(explained)
    }
}

fn answer(response: Response<Body>, now: Timestamp) -> Answer {
    let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let location = header("location").filter(|_| response.status().is_redirection());
    let retry_after = header("retry-after").and_then(|text| parse_retry_after(&text, now));
    let status = response.status().as_u16();
    let mut said = Vec::new();
    // What it says is a courtesy: it has decided, even if it breaks off here.
    let _ = response.into_body().into_reader().take(SAID_BYTES_MAX).read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    let words: Vec<&str> =
        said.split(|c: char| c.is_whitespace() || c.is_control()).filter(|it| !it.is_empty()).collect();
    let said = words.join(" ").chars().take(SAID_CHARS_MAX).collect();
    Answer { status, said, location, retry_after }
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let since_epoch = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_ms(0).plus(since_epoch).since(now))
}

fn explained(error: Error) -> PostError {
    PostError(match error {
        Error::Timeout(_) => format!("it did not answer within {} seconds", WHOLE_TIMEOUT.as_secs()),
        Error::HostNotFound => "its name is not known".to_owned(),
        Error::Io(error) => error.to_string(),
        Error::Other(error) => error.to_string(),
        error => error.to_string(),
    })
}

/// Looks names up and leaves out what is not public. ureq connects to what it gets from here, so there is no second
/// look-up that could give another address.
#[derive(Debug)]
struct CheckedNames {
    allow_private: bool,
    names: DefaultResolver,
}

impl Resolver for CheckedNames {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        if self.allow_private {
            return Ok(found);
        }
        let mut public = self.empty();
        found.iter().filter(|address| network::is_public(address.ip())).for_each(|address| public.push(*address));
        match found.first() {
            Some(private) if public.is_empty() => Err(Error::Other(Box::new(PostError(format!(
                "{} leads to {}, which is not on the public internet; if it is yours, write allow_private = true",
                uri.host().unwrap_or_default(),
                private.ip()
            ))))),
            _ => Ok(public),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_may_ask_for_a_pause_in_seconds_or_until_a_date() {
        let now = Timestamp::from_ms(784_111_770_000); // Sun, 06 Nov 1994 08:49:30 GMT
        let check = |text: &str, seconds: Option<u64>| {
            assert_eq!(parse_retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        };
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(7));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
        check("-1", None);
        check("soon", None);
        check("99999999999999999999999", None);
    }

    #[test]
    fn what_a_receiver_says_is_one_short_line() {
        let said = |text: &str| {
            let response = Response::builder().status(500).body(Body::builder().data(text.to_owned())).unwrap();
            answer(response, Timestamp::from_ms(0))
        };
        assert_eq!(said("no\n\u{1b}[2J  such\thook").to_string(), r#"it answered 500: "no [2J such hook""#);
        assert_eq!(said("").to_string(), "it answered 500");
        assert_eq!(said(&"é".repeat(5000)).said.chars().count(), SAID_CHARS_MAX);
        assert!(!said("").is_success());
    }
}
