//! Calls, as a browser of a visitor would make them, but never beyond their limits; and why one failed, in plain words.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::net::ToSocketAddrs;
use std::time::{Duration, UNIX_EPOCH};

use rustls::CertificateError;
use ureq::config::Config;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, BodyReader, Error};
use url::Url;

use crate::clock;
use crate::domain::time::Timestamp;

/// For each of: the look-up, the connection, the answer's head, its body.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// From the look-up to the end of the body.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Of a body that is read.
pub(super) const BODY_BYTES_MAX: usize = 4 << 20;
/// Some sites answer nothing to what does not call itself a browser.
const USER_AGENT: &str = concat!("Mozilla/5.0 (compatible; widgetd-doctor/", env!("CARGO_PKG_VERSION"), ")");

/// Makes calls. Certificates are judged by Mozilla's list of authorities, or by those of a file instead.
pub(crate) struct Caller(Agent);

#[derive(Debug, thiserror::Error)]
#[error("has no certificate in PEM form: it must have a line -----BEGIN CERTIFICATE-----")]
pub(crate) struct NoCertificate;

impl Caller {
    /// `authorities` are certificates in PEM.
    pub(crate) fn new(authorities: Option<&[u8]>) -> Result<Self, NoCertificate> {
        let roots = match authorities {
            None => RootCerts::WebPki,
            Some(pem) => RootCerts::new_with_certs(&certificates(pem)?),
        };
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .accept_encoding("identity")
            .user_agent(USER_AGENT)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_resolve(Some(STEP_TIMEOUT))
            .timeout_connect(Some(STEP_TIMEOUT))
            .timeout_recv_response(Some(STEP_TIMEOUT))
            .timeout_recv_body(Some(STEP_TIMEOUT))
            .timeout_global(Some(WHOLE_TIMEOUT))
            .build();
        Ok(Self(Agent::new_with_config(config)))
    }

    /// The whole answer to a GET.
    #[inline(never)]
    pub(super) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, CallError> {
        self.open("GET", url, headers, "").map(Opened::whole)
    }

    /// The whole answer to any method; a `body` is JSON.
    #[inline(never)]
    pub(super) fn call(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, CallError> {
        self.open(method, url, headers, body).map(Opened::whole)
    }

    /// The head of an answer, whose body is still to be read.
    #[inline(never)]
    pub(super) fn open(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Opened, CallError> {
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let before = clock::now();
        let response = match body {
            "" => request.body(()).map_err(Error::Http).and_then(|request| self.0.run(request)),
            body => request
                .header("Content-Type", "application/json")
                .body(body)
                .map_err(Error::Http)
                .and_then(|request| self.0.run(request)),
        };
        let response = response.map_err(|error| CallError::of(&error, url))?;
        Ok(Opened::new(response, before, clock::now()))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, NoCertificate> {
    let items = parse_pem(pem).map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Ok(Some(certificate)),
        Ok(_) => Ok(None),
        Err(_) => Err(NoCertificate),
    });
    let certificates: Vec<_> = items.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    if certificates.is_empty() { Err(NoCertificate) } else { Ok(certificates) }
}

/// A head.
pub(super) struct Opened {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// By how much this machine's clock is ahead of the answering one's; none if that does not tell. To a second or so.
    pub(super) ahead_ms: Option<i64>,
    body: BodyReader<'static>,
}

impl Opened {
    fn new(response: Response<Body>, before: Timestamp, after: Timestamp) -> Self {
        let (head, body) = response.into_parts();
        let date = head.headers.get("date").and_then(|date| date.to_str().ok());
        let told = date.and_then(|date| httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok());
        let ahead_ms = told.and_then(|told| {
            let told = i64::try_from(told.as_millis()).ok()?;
            let here = before.ms().midpoint(after.ms());
            here.checked_sub(told)
        });
        Self { status: head.status.as_u16(), headers: head.headers, ahead_ms, body: body.into_reader() }
    }

    pub(super) fn reader(&mut self) -> &mut impl Read {
        &mut self.body
    }

    /// With as much of the body as is let in. What broke off is left out: the head has told most.
    fn whole(mut self) -> Answer {
        let mut body = Vec::new();
        let end = match (&mut self.body).take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut body) {
            _ if body.len() > BODY_BYTES_MAX => End::TooLarge,
            Ok(_) => End::Whole,
            Err(_) => End::BrokenOff,
        };
        body.truncate(BODY_BYTES_MAX);
        Answer { status: self.status, headers: self.headers, ahead_ms: self.ahead_ms, body, end }
    }
}

/// An answer as a whole.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) ahead_ms: Option<i64>,
    pub(super) body: Vec<u8>,
    pub(super) end: End,
}

/// How the body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// There was more than is read.
    TooLarge,
    /// The connection did, or the time.
    BrokenOff,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All lines of one header.
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    pub(super) fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Where it redirects to, if it does.
    pub(super) fn redirect(&self, from: &Url) -> Option<Result<Url, String>> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let location = self.header("location").unwrap_or_default();
        Some(from.join(location).ok().filter(|_| !location.is_empty()).ok_or_else(|| location.to_owned()))
    }
}

/// Without the brackets of an IPv6 address.
fn host(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    host.trim_matches(['[', ']']).to_owned()
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    UnknownHost(String),
    /// Nothing listens there.
    Refused,
    Timeout(&'static str),
    Certificate(&'static str),
    /// Not TLS at all, where that was to be.
    NotTls,
    Tls(String),
    Other(String),
}

impl CallError {
    fn of(error: &Error, url: &str) -> Self {
        match error {
            Error::HostNotFound => Self::UnknownHost(host(url)),
            Error::Timeout(ureq::Timeout::Resolve) => Self::Timeout("looking its name up"),
            Error::Timeout(ureq::Timeout::Connect) => Self::Timeout("connecting"),
            Error::Timeout(_) => Self::Timeout("waiting for its answer"),
            Error::Rustls(error) => Self::of_tls(error),
            Error::Io(error) => Self::of_io(error, url),
            // An HTTP server that is asked on its TLS port, or the other way round, speaks neither.
            error => Self::Other(error.to_string()),
        }
    }

    fn of_io(error: &std::io::Error, url: &str) -> Self {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(error);
        }
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::TimedOut => Self::Timeout("connecting"),
            // What the system says of a name that it does not know has no kind of its own.
            ErrorKind::Other | ErrorKind::InvalidInput => Self::Other(error.to_string()),
            _ if (host(url), 0).to_socket_addrs().is_err() => Self::UnknownHost(host(url)),
            _ => Self::Other(error.to_string()),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(error) = error else {
            return match error {
                rustls::Error::InvalidMessage(_) => Self::NotTls,
                error => Self::Tls(error.to_string()),
            };
        };
        Self::Certificate(match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "is not valid yet: it was made a moment ago, or a clock is wrong"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "is for another host name"
            }
            CertificateError::UnknownIssuer => {
                "is of an authority that browsers do not know, or the server does not send the certificates between"
            }
            CertificateError::Revoked => "was revoked",
            _ => "is not one that browsers accept",
        })
    }

    pub(super) const fn is_tls(&self) -> bool {
        matches!(self, Self::Certificate(_) | Self::NotTls | Self::Tls(_))
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost(host) => write!(f, "the name {host} is not known to the DNS"),
            Self::Refused => f.write_str("nothing listens there (connection refused)"),
            Self::Timeout(step) => {
                write!(f, "no answer within {} seconds, while {step}", STEP_TIMEOUT.as_secs())
            }
            Self::Certificate(what) => write!(f, "its TLS certificate {what}"),
            Self::NotTls => f.write_str("it does not speak TLS on that port: probably plain HTTP"),
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
            Self::Other(error) => f.write_str(error),
        }
    }
}

/// What to do about a server that cannot be reached, for an address of ours.
pub(super) fn remedy(error: &CallError) -> &'static str {
    match error {
        CallError::UnknownHost(_) => "Correct the name, or give it an A or AAAA record at your DNS provider.",
        CallError::Refused | CallError::Timeout(_) => {
            "Start the web server there, and let its port through the firewall."
        }
        CallError::Certificate(_) => {
            "Have a certificate made for this very name (Caddy does it by itself; else certbot), and serve the whole \
             chain. If the authority is your own, name its file with --ca-file."
        }
        CallError::NotTls => "Switch TLS on for that port, or write http:// if there is none.",
        CallError::Tls(_) | CallError::Other(_) => "Look into that server's own log.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_told_in_plain_words() {
        let told = |error: Error| CallError::of(&error, "https://www.example.com/a").to_string();
        let tls = |error| Error::Io(std::io::Error::other(rustls::Error::InvalidCertificate(error)));
        for (error, expected) in [
            (Error::HostNotFound, "the name www.example.com is not known to the DNS"),
            (Error::Io(ErrorKind::ConnectionRefused.into()), "nothing listens there (connection refused)"),
            (tls(CertificateError::Expired), "its TLS certificate has expired"),
            (tls(CertificateError::NotValidForName), "its TLS certificate is for another host name"),
            (
                tls(CertificateError::UnknownIssuer),
                "its TLS certificate is of an authority that browsers do not know, or the server does not send the \
                 certificates between",
            ),
            (
                Error::Io(std::io::Error::other(rustls::Error::InvalidMessage(
                    rustls::InvalidMessage::InvalidContentType,
                ))),
                "it does not speak TLS on that port: probably plain HTTP",
            ),
        ] {
            assert_eq!(told(error), expected);
        }
    }
}
