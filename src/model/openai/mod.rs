//! Any server with OpenAI's `/v1/chat/completions`: the call, its retry and its cancelling.
//!
//! One thread does it all. [`waiting`] lets a blocked read look up twice a second; [`events`] makes events of bytes;
//! [`answer`] makes words of events, whatever the server's habits; `call` puts them together.

mod answer;
mod call;
mod error_body;
mod events;
mod exchange;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod names;
mod plain;
mod request;
mod waiting;

use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::config::Config;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::{Connector, RustlsConnector, TcpConnector};

pub(crate) use request::endpoint;

use super::{Finished, Listener, ModelError, Prompt, Settings, Update};
use exchange::WitnessConnector;
use names::RememberedNames;
use request::Body;
use waiting::{AnnouncingConnector, TickingConnector};

/// Sockets that wait for their next question. Servers close theirs after five seconds to some minutes.
const IDLE_AGE: Duration = Duration::from_secs(50);
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Before the second try, if the server names no time.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// A server that asks for more patience is not tried again.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(2);

pub(super) struct OpenAi {
    settings: Settings,
    agent: Agent,
}

impl OpenAi {
    pub(super) fn new(settings: Settings, calls_max: usize) -> Self {
        let config = Config::builder()
            .http_status_as_error(false)
            // A redirected POST becomes a GET, and the key would go elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("widgetd/", env!("CARGO_PKG_VERSION")))
            .proxy(None)
            .tls_config(tls(&settings.authorities))
            .timeout_resolve(Some(RESOLVE_TIMEOUT))
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_per_write(Some(settings.connect_timeout))
            .input_buffer_size(16 * 1024)
            .output_buffer_size(8 * 1024)
            .max_idle_connections(calls_max)
            .max_idle_connections_per_host(calls_max)
            .max_idle_age(IDLE_AGE)
            .build();
        let connector =
            ().chain(AnnouncingConnector)
                .chain(TcpConnector::default())
                .chain(TickingConnector)
                .chain(RustlsConnector::default())
                .chain(WitnessConnector);
        Self { settings, agent: Agent::with_parts(config, connector, RememberedNames::default()) }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Asks, and once more if the first try failed for a reason that may pass, before any word was said.
    pub(super) fn ask(&self, prompt: &Prompt, listener: &Listener) -> Result<Finished, ModelError> {
        let begun = Instant::now();
        let mut body = Body::new(&self.settings, prompt);
        let mut has_retried = false;
        loop {
            match call::ask(&self.agent, &self.settings, &body, begun, listener) {
                Err(error) if body.asks_for_usage() && refuses_usage(&error) => body.leave_usage_out(),
                Err(error) => match retry_after(&error) {
                    Some(pause) if !has_retried && begun.elapsed() + pause < self.settings.first_token_timeout => {
                        has_retried = true;
                        wait(pause, listener)?;
                    }
                    _ => return Err(error),
                },
                finished => return finished,
            }
        }
    }
}

/// The certificates of a PEM text, in DER; `None` if it is garbled.
pub(crate) fn certificates(pem: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.ok()? {
            certificates.push(certificate.der().to_vec());
        }
    }
    Some(certificates)
}

fn tls(authorities: &[Vec<u8>]) -> TlsConfig {
    let roots = match authorities {
        [] => RootCerts::WebPki,
        authorities => RootCerts::new_with_certs(
            &authorities.iter().map(|der| Certificate::from_der(der).to_owned()).collect::<Vec<_>>(),
        ),
    };
    TlsConfig::builder().root_certs(roots).build()
}

/// Azure's older versions know no `stream_options` (openai/openai-python#1469).
fn refuses_usage(error: &ModelError) -> bool {
    matches!(error, ModelError::Status { status: 400 | 422, message, .. } if message.contains("stream_options"))
}

/// After how long a second try makes sense, if it does.
fn retry_after(error: &ModelError) -> Option<Duration> {
    match error {
        // Nothing was sent, or into a pooled connection that the server had closed: it may be restarting.
        ModelError::Connect(_) => Some(Duration::ZERO),
        // OpenAI's `insufficient_quota` never heals.
        ModelError::Status { message, .. } if message.contains("insufficient_quota") => None,
        ModelError::Status { status: 429 | 503 | 529, retry_after, .. } => {
            Some(retry_after.unwrap_or(RETRY_AFTER)).filter(|pause| *pause <= RETRY_AFTER_MAX)
        }
        _ => None,
    }
}

/// Waits, while the listener goes on being asked whether it still listens.
fn wait(pause: Duration, listener: &Listener) -> Result<(), ModelError> {
    let end = Instant::now() + pause;
    loop {
        if listener(Update::Waiting).is_break() {
            return Err(ModelError::Cancelled);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(waiting::TICK));
    }
}

#[cfg(test)]
mod tests;
